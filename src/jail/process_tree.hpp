// Counters of a jail without a cgroup: sampled from /proc, from outside.
#pragma once

#include <sys/types.h>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// Memory and CPU time of `root` and all its descendants. What changes while it is read is passed over.
Result<Counters> sample_process_tree(pid_t root);

}  // namespace cellblock::jail
