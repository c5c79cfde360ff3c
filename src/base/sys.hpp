// System calls as functions that return Result: the call's name and object are in the error, EINTR is
// retried, and every descriptor is close-on-exec. Numbers come from the man pages named at each group.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace cellblock::sys {

/// open(2) with O_CLOEXEC added.
Result<UniqueFd> open(const std::string& path, int flags, mode_t mode = 0);
/// openat(2) with O_CLOEXEC added.
Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, mode_t mode = 0);
/// pipe2(2), close-on-exec; first is the read end.
Result<std::pair<UniqueFd, UniqueFd>> pipe(int extra_flags = 0);
/// socketpair(2), AF_UNIX, close-on-exec. `type` is SOCK_STREAM or SOCK_SEQPACKET.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type);
/// eventfd(2), close-on-exec, non-blocking.
Result<UniqueFd> event_fd();
/// Makes it readable.
void signal_event(int event_fd);
/// timerfd_create(2) on CLOCK_MONOTONIC, close-on-exec, non-blocking.
Result<UniqueFd> timer_fd();
/// Arms a timerfd once, `delay` from now; zero disarms it. Negative delays fire at once.
Result<void> arm_timer(int timer_fd, std::chrono::nanoseconds delay);
/// signalfd(2) for `signals`, which must be blocked already in every thread.
Result<UniqueFd> signal_fd(std::span<const int> signals);
/// pidfd_open(2).
Result<UniqueFd> pidfd_open(pid_t pid);
/// pidfd_send_signal(2).
Result<void> pidfd_send_signal(int pidfd, int signal);
/// O_NONBLOCK on or off.
Result<void> set_nonblocking(int fd, bool on);
/// dup(2) with FD_CLOEXEC.
Result<UniqueFd> duplicate(int fd);

/// Reads a whole (small) file. Error when it is larger than `max_size` bytes.
Result<std::string> read_file(const std::string& path, size_t max_size);
Result<std::string> read_file_at(int dir_fd, const std::string& path, size_t max_size);
/// The same for what somebody has named: a FIFO or a device, which might never end, is an error.
Result<std::string> read_regular_file(const std::string& path, size_t max_size);
/// One write(2) of the whole text to an existing file, as kernel files (cgroup, /proc) want it.
Result<void> write_file(const std::string& path, std::string_view text);
Result<void> write_file_at(int dir_fd, const std::string& path, std::string_view text);
/// Writes all bytes to a blocking descriptor.
Result<void> write_all(int fd, std::string_view bytes);
/// A file in memory with these contents, at its beginning; sealed, so that nobody changes it
/// (memfd_create(2)).
Result<UniqueFd> in_memory(std::string_view contents);

/// When a process or thread began, in clock ticks since the system's start: with its pid a name that is never
/// used again.
Result<uint64_t> start_time_of(pid_t pid);

/// Creates and removes a directory below `parent` (or the system's temporary directory) with mode 0700.
class TempDir {
  public:
    static Result<TempDir> create(const std::string& name_prefix, const std::string& parent = "");
    ~TempDir();
    TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TempDir& operator=(TempDir&&) = delete;
    TempDir(const TempDir&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    explicit TempDir(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

}  // namespace cellblock::sys
