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
