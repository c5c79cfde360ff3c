// DenialWatch: answers the system calls that look like an escape, and counts them. The filter stops the
// caller and asks the kernel process (seccomp_unotify(2)); what it gets is always the errno of the policy's
// row. When the watch ends for any reason, the kernel refuses such calls with ENOSYS: nothing can become
// allowed by its absence.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// Answers per window; what comes beyond waits for the next one, so that a flood of such calls slows down who
/// makes them and not the host.
inline constexpr unsigned kMaxDenialsPerWindow = 1000;
inline constexpr std::chrono::milliseconds kDenialWindow{100};

class DenialWatch {
  public:
    /// `listener` as seccomp(2) gives it for SECCOMP_FILTER_FLAG_NEW_LISTENER. Starts a thread.
    static Result<std::unique_ptr<DenialWatch>> start(UniqueFd listener);
    ~DenialWatch();
    DenialWatch(const DenialWatch&) = delete;
    DenialWatch& operator=(const DenialWatch&) = delete;

    /// What was refused since the last time. Any thread.
    std::vector<Denial> take();

  private:
    DenialWatch(UniqueFd listener, UniqueFd stop);
    void run();
    bool answer_one();
    void count(std::string_view call, std::string_view reason);

    UniqueFd listener_;
    UniqueFd stop_;
    std::mutex mutex_;
    std::vector<Denial> denials_;
    std::thread thread_;
};

}  // namespace cellblock::jail
