// The system call policy: two tables. The first says what happens to a call by its number; a call without a
// row does not exist (ENOSYS), so new ones in the kernel are closed until somebody has thought about them.
// The second refuses certain arguments of calls that the first allows. Pointers are never looked at: what
// they point to can change between check and use, which is why clone3 and openat2 are not there at all.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace cellblock::jail::policy {

/// Linux's SECCOMP_RET_DATA for "goes through".
inline constexpr int kAllow = 0;

/// When a row holds.
enum class When {
    always,
    hard_memory_limit,  ///< only where a memory cgroup accounts for it; elsewhere the call gives EPERM
};

struct CallRow {
    std::string_view name;  ///< as the kernel spells it
    int answer;             ///< kAllow, or the errno that the caller gets
    const char* reason;
    When when = When::always;
};

std::span<const CallRow> calls();

enum class Match {
    equals,   ///< (argument & mask) == value
    greater,  ///< argument > value, mask unused
};

struct Condition {
    unsigned argument;  ///< 0 … 5
    Match match;
    uint64_t mask;
    uint64_t value;
};

struct ArgumentRow {
    std::string_view name;
    Condition first;
    Condition second;  ///< `mask` 0 and `equals`: always true
    int answer;        ///< the errno that the caller gets when both conditions hold
    const char* reason;
};

std::span<const ArgumentRow> refused_arguments();

}  // namespace cellblock::jail::policy
