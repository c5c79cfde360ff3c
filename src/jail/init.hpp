// jail-init: pid 1 of a jail. Our own code without an exec, alone with one control socket; it spawns,
// signals, kills and reaps. It ends, and with it everything in the jail, when the other end of the socket is
// closed: that is how the jail dies with the kernel process, however that one died.
#pragma once

namespace cellblock::jail {

/// What the answer to a spawn brings along.
enum class WorkerHandle { pidfd, none };

/// The loop. Async-signal-safe: no allocation, no locks.
[[noreturn]] void run_init(int control_fd, WorkerHandle handle);

}  // namespace cellblock::jail
