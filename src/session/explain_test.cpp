// The sentences that people read: each names the cause, the bound, and what is lost.
#include "session/explain.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

namespace cellblock::session {
namespace {

using jail::Verdict;

Facts facts() {
    Facts facts;
    facts.limits.memory = 256_MiB;
    facts.wall_time = std::chrono::milliseconds(2500);
    facts.grace = std::chrono::milliseconds(2000);
    facts.memory_peak = 256 << 20;
    return facts;
}

TEST(Explain, MemoryNamesLimitPeakAndHint) {
    Facts f = facts();
    f.raise_memory_hint = "do this";
    const Explanation e = explain(Verdict::limit_memory, f);
    EXPECT_EQ(e.name, "MemoryLimitExceeded");
    EXPECT_EQ(
        e.text,
        "The cell needed more memory than the 256.0 MiB allowed (peak 256.0 MiB), so the system stopped the "
        "Python process. All variables are lost; files in /tmp and the home directory are kept. The next "
        "cell "
        "runs in a new interpreter. To allow more, do this.");
}

TEST(Explain, WithTheJailItsFilesAreLost) {
    Facts f = facts();
    f.jail_lost = true;
    for (const Verdict verdict : {Verdict::jail_lost, Verdict::limit_memory}) {
        const std::string text = explain(verdict, f).text;
        EXPECT_NE(
            text.find("All variables are lost, and with the jail the files in /tmp and the home directory. "),
            std::string::npos)
            << text;
        EXPECT_EQ(text.find("kept"), std::string::npos) << text;
    }
}

TEST(Explain, UnknownPeakIsNotInvented) {
    Facts f = facts();
    f.memory_peak = -1;
    EXPECT_EQ(explain(Verdict::limit_memory, f).text.find("peak"), std::string::npos);
}

TEST(Explain, WallTimeTellsInterruptFromKill) {
    Facts f = facts();
    f.worker_lost = false;
    EXPECT_EQ(explain(Verdict::limit_wall_time, f).text,
              "The cell ran longer than the 2.5 s allowed and was interrupted. Its variables are kept.");
    f.worker_lost = true;
    EXPECT_NE(explain(Verdict::limit_wall_time, f).text.find("did not react to an interrupt within 2 s"),
              std::string::npos);
}

TEST(Explain, ABystanderIsNotBlamed) {
    Facts f = facts();
    f.bystander = true;
    EXPECT_EQ(explain(Verdict::limit_wall_time, f)
                  .text.find("The Python process was stopped while this cell ran, "
                             "because a cell of another shell"),
              0U);
}

TEST(Explain, ExitStatusAndSignalsAreNamed) {
    Facts f = facts();
    f.exit = jail::Exit{137, 0};
    EXPECT_NE(explain(Verdict::worker_exited, f).text.find("exit status 137"), std::string::npos);
    f.exit = jail::Exit{0, SIGSEGV};
    EXPECT_NE(explain(Verdict::worker_crashed, f).text.find("SIGSEGV"), std::string::npos);
    f.exit = jail::Exit{0, SIGKILL};
    EXPECT_NE(explain(Verdict::worker_killed, f).text.find("No limit was exceeded"), std::string::npos);
}

TEST(Explain, AFailedRecoveryIsSaid) {
    Facts f = facts();
    f.recovery_trouble = "spawn: no.";
    const std::string text = explain(Verdict::worker_exited, f).text;
    EXPECT_NE(text.find("no new interpreter could be started: spawn: no."), std::string::npos);
    EXPECT_EQ(text.find("The next cell runs"), std::string::npos);
}

TEST(Explain, TracebacksAreBrokenIntoLines) {
    Facts f = facts();
    f.raise_memory_hint = "do this";
    const Explanation e = explain(Verdict::limit_memory, f);
    const auto message = nlohmann::json::parse("{" + error_members(e) + "}");
    EXPECT_EQ(message["ename"], e.name);
    EXPECT_EQ(message["evalue"], e.text);
    std::string joined;
    for (const std::string line : message["traceback"]) {
        EXPECT_LE(line.size(), kTracebackWidth + sizeof "\x1b[0;31m\x1b[0m");
        joined += (joined.empty() ? "" : " ") + line;
    }
    EXPECT_EQ(joined, "\x1b[0;31mMemoryLimitExceeded\x1b[0m: " + e.text);
}

TEST(Explain, EveryVerdictHasItsOwnName) {
    std::set<std::string> names;
    for (const Verdict verdict : {Verdict::limit_memory, Verdict::limit_wall_time, Verdict::host_oom,
                                  Verdict::worker_exited, Verdict::worker_killed, Verdict::worker_crashed,
                                  Verdict::user_interrupts, Verdict::protocol_violation, Verdict::jail_lost})
        EXPECT_TRUE(names.insert(explain(verdict, facts()).name).second) << to_text(verdict);
}

}  // namespace
}  // namespace cellblock::session
