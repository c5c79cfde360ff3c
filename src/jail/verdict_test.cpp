// judge() as a table: one row a way to end.
#include "jail/verdict.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

namespace cellblock::jail {
namespace {

Evidence died(int code, int signal) {
    Evidence evidence;
    evidence.exit = Exit{code, signal};
    return evidence;
}

TEST(Judge, ReportsWhatTheEvidenceProves) {
    struct Row {
        const char* what;
        Evidence evidence;
        Verdict verdict;
    };
    std::vector<Row> rows;
    Evidence replied;
    replied.replied = true;
    rows.push_back({"a normal end", replied, Verdict::ok});
    replied.replied_with_error = true;
    rows.push_back({"an exception", replied, Verdict::error});
    replied.wall_time_passed = true;
    rows.push_back({"interrupted by the alarm", replied, Verdict::limit_wall_time});
    replied.replied_with_error = false;
    rows.push_back({"alarm and success at the same moment", replied, Verdict::ok});

    Evidence budget;
    budget.replied = true;
    budget.replied_with_error = true;
    budget.cpu_time_passed = true;
    rows.push_back({"interrupted for its CPU time", budget, Verdict::limit_cpu_time});
    budget.wall_time_passed = true;
    rows.push_back({"CPU time first, then the wall time too", budget, Verdict::limit_cpu_time});
    budget.replied_with_error = false;
    rows.push_back({"CPU time and success at the same moment", budget, Verdict::ok});

    Evidence short_of_memory;
    short_of_memory.replied = true;
    short_of_memory.replied_with_error = true;
    short_of_memory.replied_with_memory_error = true;
    rows.push_back({"a MemoryError of its own making", short_of_memory, Verdict::error});
    short_of_memory.memory_refused = true;
    rows.push_back({"a MemoryError after we refused memory", short_of_memory, Verdict::limit_soft_memory});
    short_of_memory.replied_with_memory_error = false;
    rows.push_back({"another exception after we refused memory", short_of_memory, Verdict::error});
    short_of_memory.replied_with_error = false;
    rows.push_back({"it could do without the memory", short_of_memory, Verdict::ok});

    Evidence memory = died(0, SIGKILL);
    memory.oom_kills = 1;
    rows.push_back({"OOM kill without a hit of our limit", memory, Verdict::host_oom});
    memory.memory_limit_hits = 4;
    rows.push_back({"OOM kill at our limit", memory, Verdict::limit_memory});

    Evidence child_died = died(1, 0);
    child_died.oom_kills = 1;
    child_died.memory_limit_hits = 1;
    rows.push_back(
        {"a child was OOM-killed, then the worker exited by itself", child_died, Verdict::worker_exited});

    rows.push_back({"os._exit(137) is not a kill", died(137, 0), Verdict::worker_exited});
    rows.push_back({"os._exit(0)", died(0, 0), Verdict::worker_exited});
    rows.push_back({"kill -9 of itself", died(0, SIGKILL), Verdict::worker_killed});
    rows.push_back({"SIGSEGV", died(0, SIGSEGV), Verdict::worker_crashed});
    rows.push_back({"abort()", died(0, SIGABRT), Verdict::worker_crashed});
    rows.push_back({"forbidden architecture", died(0, SIGSYS), Verdict::worker_crashed});

    Evidence alarm = died(0, SIGKILL);
    alarm.kill_reason = KillReason::wall_time;
    alarm.oom_kills = 1;
    alarm.memory_limit_hits = 1;
    rows.push_back({"our own kill wins over what came with it", alarm, Verdict::limit_wall_time});
    Evidence spent = died(0, SIGKILL);
    spent.kill_reason = KillReason::cpu_time;
    rows.push_back({"did not end after its CPU time", spent, Verdict::limit_cpu_time});
    Evidence sampled = died(0, SIGKILL);
    sampled.kill_reason = KillReason::memory;
    rows.push_back({"sampled above the limit", sampled, Verdict::limit_memory});
    Evidence deaf = died(0, SIGINT);
    rows.push_back({"SIGINT of its own", deaf, Verdict::worker_killed});
    deaf.wall_time_passed = true;
    rows.push_back({"killed by the alarm's interrupt", deaf, Verdict::limit_wall_time});
    deaf.cpu_time_passed = true;
    rows.push_back({"killed by the interrupt for its CPU time", deaf, Verdict::limit_cpu_time});
    Evidence insisted = died(0, SIGKILL);
    insisted.kill_reason = KillReason::interrupts;
    rows.push_back({"stopped for its user", insisted, Verdict::user_interrupts});
    Evidence violation = died(0, SIGKILL);
    violation.kill_reason = KillReason::protocol_violation;
    rows.push_back({"broken frame", violation, Verdict::protocol_violation});

    Evidence replaced = died(0, SIGKILL);
    replaced.kill_reason = KillReason::link_closed;
    rows.push_back({"exec over the interpreter", replaced, Verdict::worker_exited});

    Evidence init;
    init.init_lost = true;
    rows.push_back({"pid 1 gone", init, Verdict::jail_lost});
    init.oom_kills = 1;
    init.memory_limit_hits = 1;
    rows.push_back({"pid 1 gone in an OOM of ours", init, Verdict::limit_memory});

    for (const Row& row : rows) EXPECT_EQ(to_text(judge(row.evidence)), to_text(row.verdict)) << row.what;
}

TEST(Judge, EveryVerdictHasItsOwnWord) {
    std::vector<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(Verdict::jail_lost); ++i) {
        const std::string_view word = to_text(static_cast<Verdict>(i));
        for (const auto other : words) EXPECT_NE(word, other);
        EXPECT_NE(word, "unknown");
        words.push_back(word);
    }
}

}  // namespace
}  // namespace cellblock::jail
