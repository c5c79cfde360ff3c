// The system call filters of the policy, as they were compiled when Cellblock was built
// (filters/compiler.hpp).
#pragma once

#include <linux/filter.h>

#include <span>

#include "jail/jail.hpp"
#include "jail/policy/syscalls.hpp"

namespace cellblock::jail {

std::span<const sock_filter> system_call_filter(Level level);
/// The same, where nobody can be told of a call: what would be reported is refused, and what would be asked
/// goes through.
std::span<const sock_filter> unwatched_filter(Level level);

/// The row of the call with this number on this architecture; nullptr where the policy has none.
const policy::CallRow* call_row(int number);

/// Filters the calling thread, which is the only one in a jail's pid 1, and all that it starts from now on,
/// for ever. The listener for reported calls (seccomp_unotify(2)), or -errno. Async-signal-safe.
int load_system_call_filter(Level level);
/// The same without a listener: 0, or -errno.
int load_unwatched_filter(Level level);

}  // namespace cellblock::jail
