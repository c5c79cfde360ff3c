#include "observe/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace cellblock::observe {
namespace {

using testing::HasSubstr;
using testing::Not;

Line format(const Members& members, Position previous = {}) {
    return format_record(previous, {"cell_end", members, Time{}});
}

TEST(Hash, CanBeAskedForOnTheWay) {
    Sha256 sha;
    EXPECT_EQ(sha.so_far(), Sha256::of(""));
    sha.add("a");
    EXPECT_EQ(sha.so_far(), Sha256::of("a"));
    sha.add("b");
    EXPECT_EQ(sha.finish(), Sha256::of("ab"));
}

TEST(Record, HasTheDocumentedFrameAndHash) {
    Members members;
    members.text("notebook", "a.ipynb").integer("wall_us", 12).flag("silent", false);
    const Line line = format(members);
    // Reproduced with: printf %s '{"v":1,…"silent":false' | sha256sum
    EXPECT_EQ(
        line.text,
        R"({"v":1,"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000",)"
        R"("time":"1970-01-01T00:00:00.000000Z","type":"cell_end","notebook":"a.ipynb","wall_us":12,"silent":false,)"
        R"("hash":"ddc8254f953392f8a39ba9fc68268b23b57e565fa89cafd646b044bb69e666a3"})"
        "\n");
}

TEST(Record, IsReadBack) {
    const Line first = format(Members().integer("a", 1));
    const Line second = format(Members(), first.position);
    const auto record = parse_intact(std::string_view(second.text).substr(0, second.text.size() - 1));
    ASSERT_TRUE(record);
    EXPECT_EQ(record->seq, 2U);
    EXPECT_EQ(record->prev, first.position.hash);
    EXPECT_EQ(record->type, "cell_end");
    EXPECT_EQ(record->position(), second.position);
}

TEST(Record, EveryFlippedBitIsNoticed) {
    std::string line = format(Members().text("notebook", "a.ipynb")).text;
    line.pop_back();
    for (size_t i = 0; i < line.size(); ++i)
        for (int bit = 0; bit < 8; ++bit) {
            std::string other = line;
            other[i] = static_cast<char>(other[i] ^ 1 << bit);
            EXPECT_FALSE(parse_intact(other)) << other;
        }
}

TEST(Record, IsNotReadFromAnyBeginningOfALine) {
    const std::string line = format(Members().text("notebook", "a.ipynb")).text;
    for (size_t size = 0; size + 1 < line.size(); ++size) EXPECT_FALSE(parse_intact(line.substr(0, size)));
    EXPECT_FALSE(parse_intact(line)) << "with its line feed it is two lines";
}

TEST(Record, IsOneLineOfPrintableTextWhateverIsInIt) {
    std::string hostile;
    for (int c = 0; c < 256; ++c) hostile += static_cast<char>(c);
    hostile += "\xC2\x85 \xC2\x9B[2J \xE2\x80\xA8 \xE2\x80\xAE \xEF\xBB\xBF \xF0\x9F\x98\x80 \xED\xA0\x80";
    const std::string line = format(Members().text("notebook", hostile)).text;
    EXPECT_EQ(std::ranges::count(line, '\n'), 1);
    for (const char c : line.substr(0, line.size() - 1)) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    EXPECT_THAT(line, HasSubstr("\\u0085 \\u009b[2J \\u2028 \\u202e \\ufeff \xF0\x9F\x98\x80 \xEF\xBF\xBD"));
    EXPECT_THAT(line, HasSubstr("\\u007f"));
}

TEST(Record, CutsLongTextsAndSaysSo) {
    const std::string at_the_limit(kMaxText, 'x');
    EXPECT_THAT(format(Members().text("name", at_the_limit)).text, Not(HasSubstr("cut")));
    const std::string line = format(Members().text("name", at_the_limit + "y").integer("n", 1)).text;
    EXPECT_THAT(line, HasSubstr("\"name\":\"" + at_the_limit + "\",\"n\":1,\"cut\":[\"name\"],\"hash\""));
}

TEST(Record, IsBoundedWhateverTextsAreMadeOf) {
    for (const std::string piece : {"x", "\x1b", "\"", "\xC2\x9B", "\xFF", "\xE2\x82\xAC"}) {
        std::string text;
        while (text.size() < 200'000) text += piece;
        Members members;
        for (int i = 0; i < 200; ++i) members.text("name" + std::to_string(i), text);
        members.text("code", text, kMaxCode);
        const std::string line = format(members).text;
        EXPECT_LE(line.size(), kMaxRecord);
        EXPECT_TRUE(parse_intact(std::string_view(line).substr(0, line.size() - 1)));
    }
}

TEST(Record, CutsBetweenCharacters) {
    std::string text = "x";
    while (text.size() < 2 * kMaxText) text += "\xE2\x82\xAC";
    EXPECT_THAT(format(Members().text("name", text)).text, Not(HasSubstr("\xEF\xBF\xBD")));
}

TEST(Record, ListsKeepTheFirstOnesThatFit) {
    EXPECT_THAT(
        format(Members().list("denials", {Members().text("call", "ptrace").integer("count", 2), Members()}))
            .text,
        HasSubstr(R"("denials":[{"call":"ptrace","count":2},{}],"hash")"));
    const std::vector<Members> many(1000, Members().text("call", std::string(100, 'x')));
    EXPECT_THAT(format(Members().list("denials", many)).text, HasSubstr(R"("cut":["denials"])"));
}

TEST(Record, TimesHaveMicroseconds) {
    EXPECT_EQ(to_text(Time(std::chrono::microseconds(1'700'000'000'000'042))), "2023-11-14T22:13:20.000042Z");
}

}  // namespace
}  // namespace cellblock::observe
