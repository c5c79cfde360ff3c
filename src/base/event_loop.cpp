// epoll underneath; an eventfd wakes the loop for posted tasks.
#include "base/event_loop.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/sys.hpp"

namespace cellblock {

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) return errno_error("create an epoll descriptor");
    UniqueFd wakeup = TRY(sys::event_fd());
    return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(wakeup)));
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wakeup) : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {
    watch(wakeup_.get(), EPOLLIN, [this](uint32_t) { run_posted(); });
}

void EventLoop::watch(int fd, uint32_t events, Callback callback) {
    CHECK(try_watch(fd, events, std::move(callback)));
}

bool EventLoop::try_watch(int fd, uint32_t events, Callback callback) {
    const uint32_t generation = ++generation_;
    if (!control(EPOLL_CTL_ADD, fd, generation, events)) {
        CHECK(errno == ENOSPC || errno == ENOMEM);
        return false;
    }
    entries_[fd] = {std::make_shared<Callback>(std::move(callback)), generation, false};
    return true;
}

void EventLoop::change(int fd, uint32_t events) {
    const auto entry = entries_.find(fd);
    CHECK(entry != entries_.end());
    CHECK(control(EPOLL_CTL_MOD, fd, entry->second.generation, events));
    entry->second.is_silent = false;
}

void EventLoop::silence(int fd) {
    const auto entry = entries_.find(fd);
    CHECK(entry != entries_.end());
    // Errors and hang-ups cannot be left out; edge triggered, each is told once.
    CHECK(control(EPOLL_CTL_MOD, fd, entry->second.generation, EPOLLET));
    entry->second.is_silent = true;
}

bool EventLoop::control(int operation, int fd, uint32_t generation, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
    return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

void EventLoop::unwatch(int fd) {
    if (entries_.erase(fd) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::post(Task task) {
    {
        const std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(task));
    }
    sys::signal_event(wakeup_.get());
}

void EventLoop::run_posted() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t ignored = ::read(wakeup_.get(), &count, sizeof count);
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(posted_mutex_);
        tasks.swap(posted_);
    }
    for (Task& task : tasks) task();
}

void EventLoop::run_ready() {
    wait_and_run(std::chrono::milliseconds(0));
}

void EventLoop::wait_and_run(std::chrono::milliseconds timeout) {
    std::array<epoll_event, 32> ready;
    const int n = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()),
                               static_cast<int>(timeout.count()));
    CHECK(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; ++i) {
        const epoll_event& event = ready.at(static_cast<size_t>(i));
        const auto fd = static_cast<int>(static_cast<uint32_t>(event.data.u64));
        // An earlier callback of this round may have unwatched it, and even watched another of the same
        // number.
        const auto entry = entries_.find(fd);
        if (entry == entries_.end() || entry->second.generation != event.data.u64 >> 32) continue;
        if (entry->second.is_silent) continue;
        const std::shared_ptr<Callback> callback = entry->second.callback;
        (*callback)(event.events);
    }
}

Result<std::unique_ptr<LoopTimer>> LoopTimer::create(EventLoop& loop, EventLoop::Task on_expiry) {
    UniqueFd fd = TRY(sys::timer_fd());
    return std::make_unique<LoopTimer>(loop, std::move(fd), std::move(on_expiry));
}

LoopTimer::LoopTimer(EventLoop& loop, UniqueFd fd, EventLoop::Task on_expiry)
    : loop_(loop), fd_(std::move(fd)), on_expiry_(std::move(on_expiry)) {
    loop_.watch(fd_.get(), EPOLLIN, [this](uint32_t) {
        uint64_t expirations = 0;
        // Re-armed since the readiness was reported: nothing to read, the new expiry comes by itself.
        if (::read(fd_.get(), &expirations, sizeof expirations) != sizeof expirations) return;
        armed_ = false;
        on_expiry_();
    });
}

LoopTimer::~LoopTimer() {
    loop_.unwatch(fd_.get());
}

void LoopTimer::arm(std::chrono::nanoseconds delay) {
    armed_ = true;
    CHECK(sys::arm_timer(fd_.get(), delay.count() < 1 ? std::chrono::nanoseconds(1) : delay).ok());
}

void LoopTimer::disarm() {
    armed_ = false;
    CHECK(sys::arm_timer(fd_.get(), std::chrono::nanoseconds(0)).ok());
}

}  // namespace cellblock
