// The child's end of the control socket: what it waits for and hands over while a jail is made, and what pid
// 1 says. The words are those of control.hpp. Async-signal-safe.
#pragma once

#include <sys/socket.h>

#include <cstddef>

#include "jail/control.hpp"

namespace cellblock::jail {

/// Waits for Verb::go, and enters the cgroups whose Cgroup::entrances() come along. 0, or -errno; ends the
/// process when the parent is gone.
int await_go(int control_fd);

/// Sends a note with descriptors, at most kMaxMounts, or without. 0 or -errno.
int send_note(int control_fd, const Note& note, const int* descriptors, size_t count);

/// Sends descriptors, at most kMaxMounts, in one message; no message for none. 0 or -errno.
int send_descriptors(int control_fd, const int* descriptors, size_t count);

/// Copies the descriptors that came along with a received message; their number, `most` at most.
unsigned take_descriptors(msghdr& message, int* descriptors, size_t most);

}  // namespace cellblock::jail
