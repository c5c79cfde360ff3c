// The table of endings, and what is said of each.
#include "run/verdict.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace cellblock::run {
namespace {

struct Case {
    const char* name;
    std::optional<jail::Exit> exit;
    std::optional<Stop> stop;
    int64_t oom_kills;
    int64_t limit_hits;
    Verdict verdict;
    int status;
};

// clang-format off
const Case kCases[] = {
    {"status 0", jail::Exit{0, 0}, {}, 0, 0, Verdict::ok, 0},
    {"status 3", jail::Exit{3, 0}, {}, 0, 0, Verdict::exit_nonzero, 3},
    {"status 137 proves nothing", jail::Exit{137, 0}, {}, 0, 0, Verdict::exit_nonzero, 137},
    {"SIGKILL by itself", jail::Exit{0, SIGKILL}, {}, 0, 0, Verdict::signal, 137},
    {"SIGSEGV", jail::Exit{0, SIGSEGV}, {}, 0, 0, Verdict::signal, 139},
    {"SIGSYS", jail::Exit{0, SIGSYS}, {}, 0, 0, Verdict::denied, 159},
    {"taken for our limit", jail::Exit{0, SIGKILL}, {}, 1, 1, Verdict::memory, 137},
    {"taken for the host's want", jail::Exit{0, SIGKILL}, {}, 1, 0, Verdict::signal, 137},
    {"gave up because a child was taken", jail::Exit{1, 0}, {}, 1, 3, Verdict::memory, 137},
    {"went on though a child was taken", jail::Exit{0, 0}, {}, 1, 3, Verdict::ok, 0},
    {"crashed though a child was taken", jail::Exit{0, SIGSEGV}, {}, 1, 3, Verdict::signal, 139},
    {"the whole jail taken for our limit", {}, {}, 5, 1, Verdict::memory, 137},
    {"the jail lost", {}, {}, 0, 0, Verdict::internal, 125},
    {"wall time", jail::Exit{0, SIGKILL}, Stop::wall_time, 0, 0, Verdict::timeout_wall, 124},
    {"wall time, status 0 in the grace", jail::Exit{0, 0}, Stop::wall_time, 0, 0, Verdict::timeout_wall, 124},
    {"wall time beside an OOM kill", jail::Exit{0, SIGKILL}, Stop::wall_time, 1, 1, Verdict::timeout_wall, 124},
    {"CPU time", jail::Exit{0, SIGTERM}, Stop::cpu_time, 0, 0, Verdict::timeout_cpu, 124},
    {"memory that was sampled", jail::Exit{0, SIGKILL}, Stop::memory, 0, 0, Verdict::memory, 137},
    {"output", jail::Exit{0, SIGKILL}, Stop::output, 0, 0, Verdict::output_limit, 153},
    {"a signal of the user's", jail::Exit{0, 0}, Stop::user, 0, 0, Verdict::signal, 128 + SIGINT},
};
// clang-format on

Ending ending_of(const Case& row) {
    Ending ending;
    ending.exit = row.exit;
    ending.stop = row.stop;
    ending.stop_signal = row.stop == Stop::user ? SIGINT : 0;
    ending.usage.oom_kills = row.oom_kills;
    ending.usage.memory_limit_hits = row.limit_hits;
    return ending;
}

TEST(RunVerdict, FollowsFromTheEvidence) {
    for (const Case& row : kCases) {
        const Ending ending = ending_of(row);
        EXPECT_EQ(judge(ending), row.verdict) << row.name;
        EXPECT_EQ(exit_status(judge(ending), ending), row.status) << row.name;
    }
}

TEST(RunVerdict, IsExplainedWhereTheProgramDidNotEndByItself) {
    for (const Case& row : kCases) {
        const bool by_itself = row.verdict == Verdict::ok || row.verdict == Verdict::exit_nonzero;
        EXPECT_EQ(explain(row.verdict, ending_of(row), {}, {}).empty(), by_itself) << row.name;
    }
}

TEST(RunVerdict, NamesSignals) {
    EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
    EXPECT_EQ(signal_name(4711), "signal 4711");
}

}  // namespace
}  // namespace cellblock::run
