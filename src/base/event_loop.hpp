// EventLoop: readiness callbacks over epoll, for the one thread that runs it. Its own descriptor can be
// polled by an outer loop (ZeroMQ's), so that sockets of libraries and plain descriptors are served by the
// same thread.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace cellblock {

class EventLoop {
  public:
    using Callback = std::function<void(uint32_t events)>;
    using Task = std::function<void()>;

    static Result<std::unique_ptr<EventLoop>> create();

    /// Calls `callback` from run_ready() while `fd` is ready for `events` (EPOLLIN …, level triggered;
    /// EPOLLHUP and EPOLLERR always). The descriptor stays the caller's and must be unwatched before it is
    /// closed.
    void watch(int fd, uint32_t events, Callback callback);
    /// The same for what comes from a jail. False, and nothing is watched, where Linux allows no more: what a
    /// user watches is counted, and a jail can be the same user.
    [[nodiscard]] bool try_watch(int fd, uint32_t events, Callback callback);
    /// Changes what is waited for. 0 keeps the registration and waits for nothing but errors and hang-ups.
    void change(int fd, uint32_t events);
    /// Calls for `fd` no more until change(), not even for errors and hang-ups. Unlike unwatch() and watch()
    /// it gives back and takes none of what a user may watch: it can always be undone.
    void silence(int fd);
    /// Safe inside callbacks, also for the descriptor being served.
    void unwatch(int fd);

    /// Runs `task` in the loop's thread, in order of posting. The only member that other threads may call.
    void post(Task task);

    /// Readable when run_ready() has something to do.
    [[nodiscard]] int fd() const { return epoll_.get(); }
    /// Serves what is ready, without waiting.
    void run_ready();
    /// Waits at most `timeout` (negative: for ever), then serves what is ready.
    void wait_and_run(std::chrono::milliseconds timeout);

  private:
    EventLoop(UniqueFd epoll, UniqueFd wakeup);
    void run_posted();

    struct Entry {
        // Shared, so that a callback that unwatches itself is not destroyed while it runs.
        std::shared_ptr<Callback> callback;
        // Tells it from an earlier one of the same number, whose readiness may still be in the list being
        // served.
        uint32_t generation = 0;
        bool is_silent = false;
    };
    [[nodiscard]] bool control(int operation, int fd, uint32_t generation, uint32_t events);
    UniqueFd epoll_;
    UniqueFd wakeup_;
    std::unordered_map<int, Entry> entries_;
    uint32_t generation_ = 0;
    std::mutex posted_mutex_;
    std::vector<Task> posted_;
};

/// A one-shot timer in an EventLoop; destroying it disarms it. For the loop's thread only.
class LoopTimer {
  public:
    static Result<std::unique_ptr<LoopTimer>> create(EventLoop& loop, EventLoop::Task on_expiry);
    /// The same for a descriptor of sys::timer_fd(), so that only the part that can fail is done elsewhere.
    LoopTimer(EventLoop& loop, UniqueFd fd, EventLoop::Task on_expiry);
    ~LoopTimer();
    LoopTimer(const LoopTimer&) = delete;
    LoopTimer& operator=(const LoopTimer&) = delete;

    /// (Re)arms: one expiry, `delay` from now.
    void arm(std::chrono::nanoseconds delay);
    void disarm();
    [[nodiscard]] bool armed() const { return armed_; }

  private:
    EventLoop& loop_;
    UniqueFd fd_;
    EventLoop::Task on_expiry_;
    bool armed_ = false;
};

}  // namespace cellblock
