// The system call policy: two tables. The first says what happens to a call by its number; a call without a
// row does not exist (ENOSYS), so new ones in the kernel are closed until somebody has thought about them.
// The second refuses certain arguments of calls that the first allows. Pointers are never looked at: what
// they point to can change between check and use, which is why clone3 and openat2 are not there at all.
#pragma once

#include <linux/seccomp.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

namespace cellblock::jail::policy {

/// What a caller gets.
struct Answer {
    int error = 0;  ///< errno; 0: the call goes through
    bool reported =
        false;  ///< the kernel process is told, and gives the errno: the call looks like an escape
    bool operator==(const Answer&) const = default;
};
inline constexpr Answer kAllow{};
/// For what programs try without meaning harm, and then do otherwise.
constexpr Answer refuse(int error) {
    return {error, false};
}
/// For what no notebook does that only computes.
constexpr Answer report(int error) {
    return {error, true};
}

/// When a row holds.
enum class When {
    always,
    hard_memory_limit,  ///< only where a memory cgroup accounts for it; elsewhere kNotAccounted
};

inline constexpr Answer kNotAccounted = refuse(EPERM);

struct CallRow {
    std::string_view name;  ///< as the kernel spells it
    Answer answer;
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
    Answer answer;     ///< when both conditions hold
    const char* reason;
};

/// Where several rows of a call hold, the first answers.
std::span<const ArgumentRow> refused_arguments();

/// Requests for much memory at once, which go through while that much is left: the kernel process is asked
/// each time. A refusal is an error in the program, where the same memory, once used, would be its end.
std::span<const ArgumentRow> memory_requests();
/// From which size on: to use as much takes a hundred times as long as to ask. Above the stacks of threads.
inline constexpr uint64_t kAskedMemory = 16ULL << 20U;
/// The bytes that such a call adds to what may be used; 0 when it only reserves addresses, or wants
/// more than there are.
uint64_t requested_memory(const seccomp_data& call);

/// Whether a call's arguments are those of the row. Its number is not looked at.
bool holds(const ArgumentRow& row, const seccomp_data& call);

}  // namespace cellblock::jail::policy
