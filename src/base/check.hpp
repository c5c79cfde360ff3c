// CHECK: an assertion about our own code that stays on in release builds. A broken invariant in a process
// that holds a jail must stop it, not run on.
#pragma once

namespace cellblock {

/// Writes the location and the condition to stderr and aborts. Async-signal-safe, allocates nothing.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const char* function) noexcept;

}  // namespace cellblock

// Not std::source_location: clang 14, which builds the fuzzers, does not have it.
#define CHECK(condition)                                                                                   \
    do {                                                                                                   \
        if (!(condition)) [[unlikely]]                                                                     \
            ::cellblock::check_failed(#condition, __FILE__, __LINE__, static_cast<const char*>(__func__)); \
    } while (false)

// For the end of a switch over all enumerators. Unlike CHECK(false) it has no condition, so compilers know
// under every sanitizer that control does not pass.
#define UNREACHABLE() \
    ::cellblock::check_failed("unreachable", __FILE__, __LINE__, static_cast<const char*>(__func__))
