// Counters of a jail without a cgroup: sampled from /proc, from outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// Memory and CPU time of `root` and all its descendants. What changes while it is read is passed over.
/// Memory below the limit is an upper bound; above it, a lower bound that was found in bounded time.
Result<Counters> sample_process_tree(pid_t root, Bytes memory_limit);

/// A living process's pid in its own namespace; 0 when it is gone or dead.
pid_t pid_inside(pid_t pid);

/// A command line, or a name, as it is shown: printable, and cut at kMaxCommandText.
std::string shown_command(std::string text);

/// The living descendants of `root` except `worker`, at most `most`.
std::vector<Process> list_processes(pid_t root, pid_t worker, size_t most);

}  // namespace cellblock::jail
