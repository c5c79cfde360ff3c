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
std::vector<ResourceLimit> resource_limits(Level level, const Limits& limits);

}  // namespace cellblock::jail::policy
