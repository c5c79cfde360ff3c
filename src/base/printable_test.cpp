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

}  // namespace
}  // namespace cellblock
