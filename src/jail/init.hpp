// jail-init: pid 1 of a jail. Our own code without an exec, alone with one control socket; it spawns,
// signals, kills and reaps. It ends, and with it everything in the jail, when the other end of the socket is
// closed: that is how the jail dies with the kernel process, however that one died.
#pragma once

#include <cstddef>

namespace cellblock::jail {

/// Waits for Verb::go, and enters the cgroups whose Cgroup::entrances() come along. 0, or -errno; ends the
/// process when the parent is gone. Async-signal-safe.
int await_go(int control_fd);

/// Sends descriptors, at most kMaxMounts, in one message; no message for none. 0 or -errno.
/// Async-signal-safe.
int send_descriptors(int control_fd, const int* descriptors, size_t count);

/// The loop. Async-signal-safe: no allocation, no locks.
[[noreturn]] void run_init(int control_fd);

}  // namespace cellblock::jail
