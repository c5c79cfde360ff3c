// DenialWatch: answers the system calls that look like an escape, and counts them. The filter stops the
// caller and asks the kernel process (seccomp_unotify(2)); what it gets is always the errno of the policy's
// row. When the watch ends for any reason, the kernel refuses such calls with ENOSYS: nothing can become
// allowed by its absence.
//
// It also answers requests for much memory: those may go through, when there is enough. The kernel then uses
// the arguments that it showed us, which no other thread can change, for they are registers.
#pragma once

#include <linux/seccomp.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <functional>
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
/// When mmap refuses, malloc() tries to get as much from brk, whose argument does not tell how much that is.
/// So for this long the process's RLIMIT_DATA is hardly above what it has.
inline constexpr std::chrono::milliseconds kHeldHeap{20};
inline constexpr size_t kMaxHeldHeaps = 64;

class DenialWatch {
  public:
    /// Are so many bytes left? Called by the thread that answers.
    using MemoryQuestion = std::function<bool(uint64_t bytes)>;

    /// Makes the thread, which waits for start(): while a jail is being made there is time for it.
    static Result<std::unique_ptr<DenialWatch>> make();
    /// `listener` as seccomp(2) gives it for SECCOMP_FILTER_FLAG_NEW_LISTENER. Once, before the following.
    void listen(UniqueFd listener, MemoryQuestion is_left);
    /// Answers in the calling thread until `descriptor` is readable or hung up, for `timeout` at most: who
    /// waits for the caller anyhow is faster than another thread.
    void answer_until(int descriptor, std::chrono::milliseconds timeout);
    /// From now on the thread answers.
    void start();
    ~DenialWatch();
    DenialWatch(const DenialWatch&) = delete;
    DenialWatch& operator=(const DenialWatch&) = delete;

    /// What was refused since the last time. Any thread.
    std::vector<Denial> take();
    /// Requests for memory that were refused since the last time. Any thread.
    MemoryRefusals take_memory_refusals();

  private:
    DenialWatch(UniqueFd begin, UniqueFd stop);
    [[nodiscard]] bool waits_to_begin() const;
    void run(int until, std::chrono::steady_clock::time_point deadline);
    bool answer_one();
    seccomp_notif_resp answer_to(const seccomp_notif& request);
    bool allows_memory(const seccomp_notif& request);
    bool hold_heap(const seccomp_notif& request);
    void release_heaps(std::chrono::steady_clock::time_point now);

    /// A process whose heap must not grow just now.
    struct HeldHeap {
        pid_t pid;
        uint64_t start_time;  // tells it from another one of that number
        rlimit before;
        std::chrono::steady_clock::time_point until;
    };
    void count(std::string_view call, std::string_view reason);

    UniqueFd listener_;
    const UniqueFd begin_;
    const UniqueFd stop_;
    std::mutex mutex_;
    std::vector<Denial> denials_;
    MemoryRefusals memory_refusals_;
    MemoryQuestion is_left_;
    std::vector<HeldHeap> held_heaps_;  // of the thread that answers
    std::thread thread_;
};

}  // namespace cellblock::jail
