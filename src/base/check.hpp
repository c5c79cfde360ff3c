// CHECK: an assertion about our own code that stays on in release builds. A broken invariant in a process that
// holds a jail must stop it, not run on.
#pragma once

#include <source_location>

namespace cellblock {

/// Writes the location and the condition to stderr and aborts. Async-signal-safe, allocates nothing.
[[noreturn]] void check_failed(const char* condition, std::source_location where) noexcept;

}  // namespace cellblock

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) [[unlikely]]                                                       \
            ::cellblock::check_failed(#condition, std::source_location::current());          \
    } while (false)
