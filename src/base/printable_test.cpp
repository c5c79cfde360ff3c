// What strangers write does not steer who reads it.
#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace cellblock {
namespace {

TEST(Printable, EscapesWhatSteersOrIsNotSeen) {
    EXPECT_EQ(printable("a\x1b[2J\n\\"), "a\\x1b[2J\\x0a\\x5c");
    // CSI in one code point, and a mark that turns the direction of writing.
    EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
    EXPECT_EQ(printable("\xd8\x9c"), "\\xd8\\x9c");
    EXPECT_EQ(printable("a\xe3\x85\xa4"), "a\\xe3\\x85\\xa4");
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("gr\xc3\xbcn"), "gr\xc3\xbcn");
    EXPECT_EQ(in_quotes(std::string("a\0b", 3)), "\"a\\x00b\"");
    EXPECT_EQ(in_quotes(std::string(100, 'x')).size(), 66U);
}

TEST(Printable, SentencesKeepTheirLinesButNobodyElseBeginsOne) {
    EXPECT_EQ(printable_sentence("read \"x\nnote: all is well\x07\""),
              "read \"x\n    note: all is well\\x07\"");
    EXPECT_EQ(printable_sentence(printable("\x1b")), "\\x1b");
}

TEST(Printable, LinesMayBePrintableAlready) {
    EXPECT_EQ(printable_line("a\x1b\n\xc2\x9b\\ \xe2\x80\xae\xff"),
              "a\\x1b\\x0a\\xc2\\x9b\\ \\xe2\\x80\\xae\\xff");
    EXPECT_EQ(printable_line(printable("\x1b\\")), printable("\x1b\\"));
}

TEST(Printable, JsonStaysEqual) {
    EXPECT_EQ(printable_json(R"({"a": "gr\u00fcn", "b": 1})"), R"({"a": "gr\u00fcn", "b": 1})");
    EXPECT_EQ(printable_json("\"gr\xc3\xbcn\x7f\xc2\x9b\xe2\x80\xae\""),
              "\"gr\xc3\xbcn\\u007f\\u009b\\u202e\"");
    EXPECT_EQ(printable_json("\"\xf3\xa0\x80\x81\xf0\x9f\x98\x80\""), "\"\\udb40\\udc01\xf0\x9f\x98\x80\"");
    EXPECT_EQ(printable_json("[1,\r\t2,\n3]\xff"), "[1,  2,\n3]\xef\xbf\xbd");
}

}  // namespace
}  // namespace cellblock
