// The thread. It reads numbers of calls and their arguments by value, never what arguments point to.
#include "jail/denials.hpp"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/sys.hpp"
#include "jail/policy/syscalls.hpp"
#include "jail/seccomp.hpp"

namespace cellblock::jail {
namespace {

using Clock = std::chrono::steady_clock;

// Newer kernels may have longer structs than these headers; they say how long.
constexpr size_t kMaxStructSize = 512;

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

Result<void> check_struct_sizes() {
    seccomp_notif_sizes sizes{};
    if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return errno_error("ask for the size of seccomp's notifications");
    if (sizes.seccomp_notif > kMaxStructSize || sizes.seccomp_notif_resp > kMaxStructSize)
        return Error("seccomp's notifications are longer than this version of Cellblock knows");
    return {};
}

}  // namespace

Result<std::unique_ptr<DenialWatch>> DenialWatch::start(UniqueFd listener) {
    TRY(check_struct_sizes());
    UniqueFd stop = TRY(sys::event_fd());
    std::unique_ptr<DenialWatch> watch(new DenialWatch(std::move(listener), std::move(stop)));
    try {
        watch->thread_ = std::thread([raw = watch.get()] { raw->run(); });
    } catch (const std::system_error& error) {
        return Error("start a thread that watches refused system calls", error.code().value());
    }
    return watch;
}

DenialWatch::DenialWatch(UniqueFd listener, UniqueFd stop)
    : listener_(std::move(listener)), stop_(std::move(stop)) {}

DenialWatch::~DenialWatch() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
    if (thread_.joinable()) thread_.join();
}

std::vector<Denial> DenialWatch::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(denials_, {});
}

void DenialWatch::run() {
    unsigned answered = 0;
    auto window_end = Clock::now();
    while (true) {
        const auto now = Clock::now();
        if (now >= window_end) {
            answered = 0;
            window_end = now + kDenialWindow;
        }
        const bool exhausted = answered == kMaxDenialsPerWindow;
        // A negative descriptor is left out by poll(2).
        pollfd fds[] = {{stop_.get(), POLLIN, 0}, {exhausted ? -1 : listener_.get(), POLLIN, 0}};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(window_end - now);
        const int n = ::poll(fds, 2, exhausted ? static_cast<int>(left.count()) : -1);
        if (n < 0 && errno != EINTR) break;
        if (fds[0].revents != 0) break;
        if (fds[1].revents == 0) continue;
        ++answered;
        // POLLHUP: nobody is left who could ask.
        if ((fds[1].revents & POLLIN) == 0 || !answer_one()) listener_.reset();
    }
    listener_.reset();
}

bool DenialWatch::answer_one() {
    alignas(seccomp_notif) char request_memory[kMaxStructSize] = {};
    alignas(seccomp_notif_resp) char response_memory[kMaxStructSize] = {};
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, request_memory) != 0)
        return errno == ENOENT || errno == EINTR;  // The caller is gone, or had a signal.
    seccomp_notif request{};
    std::memcpy(&request, request_memory, sizeof request);
    const Refusal refusal = refusal_of(request.data);
    seccomp_notif_resp response{};
    response.id = request.id;
    response.error = -refusal.error;
    std::memcpy(response_memory, &response, sizeof response);
    // First, so that whoever made the call finds it counted.
    count(refusal.call, refusal.reason);
    return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_memory) == 0 || errno == ENOENT ||
           errno == EINTR;
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
