// Lookups in what the build has compiled.
#include "jail/seccomp.hpp"

#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>

#include "jail/raw.hpp"
#include "jail_filters.hpp"

namespace cellblock::jail {
namespace {

// The kernel copies the program; its struct has no const.
sock_fprog program_of(std::span<const sock_filter> filter) {
    return {static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
}

}  // namespace

std::span<const sock_filter> system_call_filter(Level level) {
    if (level == Level::full) return built_in::kFullFilter;
    return built_in::kNamespacedFilter;
}

std::span<const sock_filter> unwatched_filter(Level level) {
    if (level == Level::full) return built_in::kUnwatchedFullFilter;
    return built_in::kUnwatchedNamespacedFilter;
}

const policy::CallRow* call_row(int number) {
    const auto* const found =
        std::lower_bound(std::begin(built_in::kCallRows), std::end(built_in::kCallRows), number,
                         [](const auto& entry, int wanted) { return entry.first < wanted; });
    if (found == std::end(built_in::kCallRows) || found->first != number) return nullptr;
    return &policy::calls()[found->second];
}

int load_system_call_filter(Level level) {
    const sock_fprog program = program_of(system_call_filter(level));
    // A signal with a handler, such as a profiler's, makes a call fail with EINTR while it waits for our
    // answer: mmap, which nobody expects that of. With the flag, only until we have read the question; Linux
    // before 5.19 does not know it.
    constexpr unsigned kUninterrupted =
        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    const long listener = raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kUninterrupted, &program);
    if (listener != -EINVAL) return static_cast<int>(listener);
    return static_cast<int>(
        raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

int load_unwatched_filter(Level level) {
    const sock_fprog program = program_of(unwatched_filter(level));
    return static_cast<int>(raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

}  // namespace cellblock::jail
