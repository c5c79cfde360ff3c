// Distances at and around the bound of a misspelling.
#include "base/spelling.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cellblock {
namespace {

TEST(Spelling, CountsLettersAddedRemovedAndReplaced) {
    EXPECT_EQ(edit_distance("memory", "memory"), 0U);
    EXPECT_EQ(edit_distance("memry", "memory"), 1U);
    EXPECT_EQ(edit_distance("memroy", "memory"), 2U);
    EXPECT_EQ(edit_distance("", "cpus"), 4U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Spelling, AMistakeOfTwoLettersIsOneOfThreeIsAnotherWord) {
    EXPECT_TRUE(is_misspelt("memroy", "memory"));
    EXPECT_TRUE(is_misspelt("cpu", "cpus"));
    EXPECT_FALSE(is_misspelt("mmroyy", "memory"));
    EXPECT_FALSE(is_misspelt("", "ms"));
    EXPECT_FALSE(is_misspelt(std::string(1 << 20, 'x'), "memory"));
}

}  // namespace
}  // namespace cellblock
