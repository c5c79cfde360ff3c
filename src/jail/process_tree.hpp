// Counters of a jail without a cgroup: sampled from /proc, from outside.
#pragma once

#include <sys/types.h>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// Memory and CPU time of `root` and all its descendants. What changes while it is read is passed over.
/// Memory below the limit is an upper bound; above it, a lower bound that was found in bounded time.
Result<Counters> sample_process_tree(pid_t root, Bytes memory_limit);

}  // namespace cellblock::jail
