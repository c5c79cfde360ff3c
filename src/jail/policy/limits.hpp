// rlimits of every process in a jail, one row each with its reason. They are the second lock behind the
// cgroup, and at level `namespaced` the first.
#pragma once

#include <sys/resource.h>

#include <vector>

#include "jail/jail.hpp"

namespace cellblock::jail::policy {

struct ResourceLimit {
    int resource;
    const char* name;
    rlim_t soft;
    rlim_t hard;
    const char* reason;
};

/// The rows for one jail. A hard limit that is lower already stays as it is.
std::vector<ResourceLimit> resource_limits(Backend backend, Level level, const Limits& limits);
/// Those of gVisor itself, on the host: what of them does not depend on the jail's limits, and host_tasks().
std::vector<ResourceLimit> gvisor_limits(const Limits& limits);
/// Processes and threads of the host that gVisor may need for a jail with these limits.
int host_tasks(const Limits& limits);

}  // namespace cellblock::jail::policy
