// The thread. It reads numbers of calls and their arguments by value, never what arguments point to.
#include "jail/denials.hpp"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/sys.hpp"
#include "jail/policy/syscalls.hpp"
#include "jail/seccomp.hpp"

namespace cellblock::jail {
namespace {

using Clock = std::chrono::steady_clock;

// Newer kernels may have longer structs than these headers; they say how long.
constexpr size_t kMaxStructSize = 512;

// Linux 6.6 (linux/seccomp.h), newer than the headers that we build with: caller and watch take turns on one
// CPU, so that a question costs a fraction, and signals have less time to get between.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, uint64_t);
constexpr uint64_t kSyncWakeUp = 1;

struct Refusal {
    std::string_view call;
    const char* reason;
    int error;
};

Refusal refusal_of(const seccomp_data& data) {
    const policy::CallRow* const call = call_row(data.nr);
    if (!call) return {"unknown", "the filter asked about a call that the policy does not have", ENOSYS};
    for (const policy::ArgumentRow& row : policy::refused_arguments()) {
        if (row.name == call->name && policy::holds(row, data))
            return {row.name, row.reason, row.answer.error};
    }
    return {call->name, call->reason, call->answer.error != 0 ? call->answer.error : EPERM};
}

bool asks_for_memory(const seccomp_data& data) {
    const policy::CallRow* const call = call_row(data.nr);
    const auto is_met = [&](const policy::ArgumentRow& row) {
        return call && row.name == call->name && policy::holds(row, data);
    };
    return std::ranges::any_of(policy::memory_requests(), is_met) &&
           std::ranges::none_of(policy::refused_arguments(), is_met);
}

/// The process that a thread belongs to; 0 when it is gone.
pid_t process_of(pid_t thread) {
    const auto status = sys::read_file("/proc/" + std::to_string(thread) + "/status", size_t{16} << 10U);
    const size_t at = status ? status->find("\nTgid:") : std::string::npos;
    return at == std::string::npos ? 0
                                   : static_cast<pid_t>(std::strtol(status->c_str() + at + 6, nullptr, 10));
}

int milliseconds_until(Clock::time_point later, Clock::time_point now) {
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(later - now).count());
}

Result<void> check_struct_sizes() {
    seccomp_notif_sizes sizes{};
    if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return errno_error("ask for the size of seccomp's notifications");
    if (sizes.seccomp_notif > kMaxStructSize || sizes.seccomp_notif_resp > kMaxStructSize)
        return Error("seccomp's notifications are longer than this version of Cellblock knows");
    return {};
}

}  // namespace

Result<std::unique_ptr<DenialWatch>> DenialWatch::make() {
    TRY(check_struct_sizes());
    policy::calls();  // Made at the first use, which a caller would wait for.
    UniqueFd begin = TRY(sys::event_fd());
    UniqueFd stop = TRY(sys::event_fd());
    std::unique_ptr<DenialWatch> watch(new DenialWatch(std::move(begin), std::move(stop)));
    try {
        watch->thread_ = std::thread([self = watch.get()] {
            if (!self->waits_to_begin()) return;
            self->run(self->stop_.get(), Clock::time_point::max());
            self->release_heaps(Clock::time_point::max());
            self->listener_.reset();
        });
    } catch (const std::system_error& error) {
        return Error("start a thread that watches refused system calls", error.code().value());
    }
    return watch;
}

void DenialWatch::listen(UniqueFd listener, MemoryQuestion is_left) {
    listener_ = std::move(listener);
    is_left_ = std::move(is_left);
    ::ioctl(listener_.get(), kSetFlags, kSyncWakeUp);  // Slower without: older kernels say EINVAL.
}

void DenialWatch::answer_until(int descriptor, std::chrono::milliseconds timeout) {
    run(descriptor, Clock::now() + timeout);
}

void DenialWatch::start() {
    sys::signal_event(begin_.get());
}

DenialWatch::DenialWatch(UniqueFd begin, UniqueFd stop) : begin_(std::move(begin)), stop_(std::move(stop)) {}

DenialWatch::~DenialWatch() {
    sys::signal_event(stop_.get());
    if (thread_.joinable()) thread_.join();
}

/// False when there is nothing to begin with any more.
bool DenialWatch::waits_to_begin() const {
    pollfd fds[] = {{stop_.get(), POLLIN, 0}, {begin_.get(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return fds[0].revents == 0;
}

std::vector<Denial> DenialWatch::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(denials_, {});
}

MemoryRefusals DenialWatch::take_memory_refusals() {
    const std::lock_guard lock(mutex_);
    return std::exchange(memory_refusals_, {});
}

void DenialWatch::run(int until, Clock::time_point deadline) {
    unsigned answered = 0;
    auto window_end = Clock::now();
    for (auto now = window_end; now < deadline; now = Clock::now()) {
        if (now >= window_end) {
            answered = 0;
            window_end = now + kDenialWindow;
        }
        release_heaps(now);
        const bool exhausted = answered == kMaxDenialsPerWindow;
        // A negative descriptor is left out by poll(2).
        pollfd fds[] = {{until, POLLIN, 0}, {exhausted ? -1 : listener_.get(), POLLIN, 0}};
        auto wake = deadline;
        if (exhausted) wake = std::min(wake, window_end);
        if (!exhausted && !held_heaps_.empty()) wake = std::min(wake, now + kHeldHeap);
        const int n = ::poll(fds, 2, wake == Clock::time_point::max() ? -1 : milliseconds_until(wake, now));
        if (n < 0 && errno != EINTR) break;
        if (fds[0].revents != 0) break;
        if (fds[1].revents == 0) continue;
        ++answered;
        // POLLHUP: nobody is left who could ask.
        if ((fds[1].revents & POLLIN) == 0 || !answer_one()) listener_.reset();
    }
}

bool DenialWatch::answer_one() {
    alignas(seccomp_notif) char request_memory[kMaxStructSize] = {};
    alignas(seccomp_notif_resp) char response_memory[kMaxStructSize] = {};
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, request_memory) != 0)
        return errno == ENOENT || errno == EINTR;  // The caller is gone, or had a signal.
    seccomp_notif request{};
    std::memcpy(&request, request_memory, sizeof request);
    const seccomp_notif_resp response = answer_to(request);
    std::memcpy(response_memory, &response, sizeof response);
    return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_memory) == 0 || errno == ENOENT ||
           errno == EINTR;
}

// What is refused is counted here, before the answer goes out: whoever made the call finds it counted.
seccomp_notif_resp DenialWatch::answer_to(const seccomp_notif& request) {
    seccomp_notif_resp response{};
    response.id = request.id;
    if (!asks_for_memory(request.data)) {
        const Refusal refusal = refusal_of(request.data);
        response.error = -refusal.error;
        count(refusal.call, refusal.reason);
    } else if (allows_memory(request)) {
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        response.error = -ENOMEM;
    }
    return response;
}

bool DenialWatch::allows_memory(const seccomp_notif& request) {
    const uint64_t bytes = policy::requested_memory(request.data);
    if (bytes == 0 || is_left_(bytes)) return true;
    // While the heap is held, malloc() tries its other ways to the same memory.
    if (!hold_heap(request)) return false;
    const std::lock_guard lock(mutex_);
    ++memory_refusals_.count;
    memory_refusals_.largest = std::max(memory_refusals_.largest, bytes);
    return false;
}

// A courtesy, as all of this: whatever fails here, the hard limit holds. False when it is held already.
bool DenialWatch::hold_heap(const seccomp_notif& request) {
    const pid_t pid = process_of(static_cast<pid_t>(request.pid));
    const auto held = std::find_if(held_heaps_.begin(), held_heaps_.end(),
                                   [&](const HeldHeap& other) { return other.pid == pid; });
    if (held != held_heaps_.end()) {
        held->until = Clock::now() + kHeldHeap;
        return false;
    }
    const auto start_time = sys::start_time_of(pid);
    const auto statm = sys::read_file("/proc/" + std::to_string(pid) + "/statm", 4096);
    rlimit before{};
    if (held_heaps_.size() == kMaxHeldHeaps || !start_time || !statm ||
        ::prlimit(pid, RLIMIT_DATA, nullptr, &before) != 0)
        return true;
    // proc_pid_statm(5): the sixth number is that of pages of data and stack.
    const char* at = statm->c_str();
    char* end = nullptr;
    uint64_t pages = 0;
    for (int field = 0; field < 6; ++field, at = end) pages = std::strtoull(at, &end, 10);
    const rlim_t now = pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) + policy::kAskedMemory;
    const rlimit lowered{std::min(now, before.rlim_cur), before.rlim_max};
    // While the caller waits for us, its number is its own.
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) != 0 ||
        ::prlimit(pid, RLIMIT_DATA, &lowered, nullptr) != 0)
        return true;
    held_heaps_.push_back({pid, *start_time, before, Clock::now() + kHeldHeap});
    return true;
}

void DenialWatch::release_heaps(Clock::time_point now) {
    std::erase_if(held_heaps_, [now](const HeldHeap& held) {
        if (held.until > now) return false;
        const auto start_time = sys::start_time_of(held.pid);
        if (start_time && *start_time == held.start_time)
            ::prlimit(held.pid, RLIMIT_DATA, &held.before, nullptr);
        return true;
    });
}

void DenialWatch::count(std::string_view call, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(denials_.begin(), denials_.end(), [&](const Denial& denial) {
        return denial.call == call && denial.reason == reason;
    });
    if (known != denials_.end())
        ++known->count;
    else
        denials_.push_back({call, reason, 1});
}

}  // namespace cellblock::jail
