// Results carry values out and errors up; a broken invariant stops the program.
#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace cellblock {
namespace {

Result<int> positive(int number) {
    if (number < 0) return Error("read the number");
    return number;
}

Result<int> doubled(int number) {
    return 2 * TRY(positive(number));
}

Result<void> check_positive(int number) {
    TRY(positive(number));
    return {};
}

TEST(Result, HoldsAValueOrAnError) {
    EXPECT_TRUE(positive(1).ok());
    EXPECT_EQ(*positive(1), 1);
    EXPECT_FALSE(positive(-1));
    EXPECT_EQ(positive(-1).error().what(), "read the number");
}

TEST(Result, CarriesValuesThatOnlyMove) {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
    const std::unique_ptr<int> taken = std::move(result).value();
    EXPECT_EQ(*taken, 5);
}

TEST(Try, GivesTheValueOrReturnsTheError) {
    EXPECT_EQ(*doubled(4), 8);
    EXPECT_EQ(doubled(-4).error().what(), "read the number");
    EXPECT_TRUE(check_positive(4).ok());
    EXPECT_EQ(check_positive(-4).error().what(), "read the number");
}

TEST(ResultDeathTest, StopsAtTheWrongAccess) {
    EXPECT_DEATH((void)*positive(-1), R"(internal error at .*result\.hpp:.*CHECK\(ok\(\)\) failed)");
    EXPECT_DEATH((void)positive(1).error(), R"(CHECK\(!ok\(\)\) failed)");
    EXPECT_DEATH(CHECK(1 + 1 == 3), R"(result_test\.cpp:[0-9]+ in TestBody: CHECK\(1 \+ 1 == 3\) failed)");
}

TEST(Error, ReadsFromTheOutsideIn) {
    EXPECT_EQ(Error("mount /proc", EPERM).context("start jail").what(),
              "start jail: mount /proc: Operation not permitted (EPERM)");
    EXPECT_EQ(Error("mount /proc", EPERM).error_number(), EPERM);
    EXPECT_EQ(Error("read the number").error_number(), 0);
}

TEST(Error, TakesTheErrnoOfTheCallBefore) {
    errno = ENOENT;
    EXPECT_EQ(errno_error("open x").what(), "open x: No such file or directory (ENOENT)");
}

TEST(Error, KeepsTheRemedyNearestToTheCause) {
    EXPECT_EQ(Error("act").sentence(), "act.");
    EXPECT_EQ(Error("act").with_remedy("Do this.").with_remedy("Do that.").sentence(), "act. Do this.");
    EXPECT_EQ(Error("open \"a\x1b[2J\nb\"").sentence(), "open \"a\\x1b[2J\n    b\".");
}

TEST(Error, NamesErrnosAndNumbersWithoutAName) {
    EXPECT_EQ(errno_name(EACCES), "EACCES");
    EXPECT_EQ(errno_name(4711), "errno 4711");
    EXPECT_EQ(Error("act", 4711).what(), "act: unknown error (errno 4711)");
}

}  // namespace
}  // namespace cellblock
