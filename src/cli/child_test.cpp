// Helpers end in time, one way or the other.
#include "cli/child.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cellblock::cli {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kLong{20'000};

TEST(RunProgram, ReportsStatusAndOutput) {
    const auto finished = run_program({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}, kLong);
    ASSERT_TRUE(finished.ok());
    EXPECT_EQ(finished->status, 7);
    EXPECT_EQ(finished->output, "out\nerr\n");
}

TEST(RunProgram, GivesNoInput) {
    EXPECT_EQ(run_program({"/bin/cat"}, kLong)->output, "");
}

TEST(RunProgram, TellsSignalsFromStatuses) {
    EXPECT_EQ(run_program({"/bin/sh", "-c", "kill -9 $$"}, kLong)->status, 137);
}

TEST(RunProgram, KillsWhatTakesTooLong) {
    const auto start = std::chrono::steady_clock::now();
    const auto finished = run_program({"/bin/sleep", "60"}, milliseconds(50));
    ASSERT_FALSE(finished.ok());
    EXPECT_THAT(finished.error().sentence(), HasSubstr("did not end within"));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(RunProgram, KillsWhatClosesItsOutputAndStays) {
    EXPECT_FALSE(run_program({"/bin/sh", "-c", "exec >&- 2>&-; exec sleep 60"}, milliseconds(100)).ok());
}

TEST(RunProgram, KeepsABoundedPartOfTheOutput) {
    const auto finished = run_program({"/bin/sh", "-c", "head -c 1000000 /dev/zero"}, kLong);
    ASSERT_TRUE(finished.ok());
    EXPECT_LT(finished->output.size(), 20'000U);
}

TEST(RunProgram, NamesAProgramThatIsNotThere) {
    EXPECT_THAT(run_program({"/nowhere/at/all"}, kLong).error().sentence(), HasSubstr("/nowhere/at/all"));
}

}  // namespace
}  // namespace cellblock::cli
