#include "base/words.hpp"

#include <gtest/gtest.h>

#include <array>

namespace cellblock {
namespace {

constexpr std::array<std::string_view, 3> kWords{"error", "warning", "info"};

TEST(Words, AreFoundByTheirPlace) {
    for (size_t i = 0; i < kWords.size(); ++i) EXPECT_EQ(find_word(kWords.at(i), kWords).value(), i);
}

TEST(Words, AnUnknownOneIsAnswered) {
    EXPECT_EQ(find_word("loud", kWords).error().sentence(),
              "\"loud\" is not known: one of error, warning, info is expected.");
    EXPECT_EQ(find_word("\x1b", kWords).error().sentence(),
              "\"\\x1b\" is not known: one of error, warning, info is expected.");
    EXPECT_NE(find_word("warnign", kWords).error().sentence().find("Did you mean warning?"),
              std::string::npos);
    EXPECT_FALSE(find_word("", kWords));
    EXPECT_FALSE(find_word("Error", kWords));
}

TEST(Words, AreFoundInTables) {
    struct Row {
        int number;
        std::string_view name;
    };
    constexpr std::array kRows{Row{1, "one"}, Row{2, "two"}};
    EXPECT_EQ(find_row("two", kRows, &Row::name).value(), 1U);
    EXPECT_FALSE(find_row("three", kRows, &Row::name));
}

}  // namespace
}  // namespace cellblock
