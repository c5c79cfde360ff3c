// What programs write, on its way to a terminal.
#include "run/terminal_text.hpp"

#include <gtest/gtest.h>

namespace cellblock::run {
namespace {

std::string shown(std::string_view bytes, TerminalLine line = {}) {
    TerminalText text(line);
    std::string out = text.add(bytes);
    return out + text.finish();
}

/// Without the end of colours.
std::string passed(const std::string& bytes) {
    return shown(bytes + "\x1b[m").substr(0, bytes.size());
}

TEST(TerminalText, LeavesTextAndColoursAlone) {
    for (const char* text :
         {"plain\n", "tab\tand\rreturn", "\rprogress 10%\rprogress 20%\n", "ünïcödé 🙂"})
        EXPECT_EQ(shown(text), text);
    for (const char* text :
         {"\x1b[31mred\x1b[0m", "\x1b[38;5;8mx\x1b[m", "\x1b[1;38;2;8;8;8;48;5;8mx", "\x1b[38:2::8:8:8;4:3mx",
          "\x1b[1;38;2;255;255;255;48;2;255;255;255;4mlong", "\x1b[;1;mx"})
        EXPECT_EQ(passed(text), text);
}

TEST(TerminalText, EndsColoursWithTheProgram) {
    EXPECT_EQ(shown("\x1b[30mx"), "\x1b[30mx\x1b[0m");
    EXPECT_EQ(shown("x\x1b[2J"), "x\\x1b[2J");
}

TEST(TerminalText, SpellsOutWhatSteersATerminal) {
    EXPECT_EQ(shown("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
    EXPECT_EQ(shown("\x1b[2J\x1b[H"), "\\x1b[2J\\x1b[H");
    EXPECT_EQ(shown("\x1b[6n"), "\\x1b[6n");
    EXPECT_EQ(shown("\xc2\x9b\x32J"), "\\xc2\\x9b2J");  // CSI of C1
    EXPECT_EQ(shown("a\bb\x7f\v\x0e"), "a\\x08b\\x7f\\x0b\\x0e");
    EXPECT_EQ(shown("\xff\xc3"), "\\xff\\xc3");
    EXPECT_EQ(shown("\x1b"), "\\x1b");
    EXPECT_EQ(shown("\x1b[" + std::string(64, '1') + "m").substr(0, 4), "\\x1b");
}

TEST(TerminalText, SpellsOutWhatHidesWords) {
    for (const char* parameters :
         {"8",    "08",     "0;8",         "8;0",       "1;8;31", "31;8", "38;5;1;8", "38;2;1;2;3;8",
          "38;8", "38:5;8", "48;5:8;8",    "8:1",       "38:1",   "11",   "12",       "20",
          "56",   "108",    "99999999999", "4294967304"})
        EXPECT_EQ(shown("\x1b[" + std::string(parameters) + "mx"), "\\x1b[" + std::string(parameters) + "mx");
}

TEST(TerminalText, SpellsOutWhatTurnsTheWriting) {
    EXPECT_EQ(shown("a\u202eb\u202c"), "a\\xe2\\x80\\xaeb\\xe2\\x80\\xac");
    EXPECT_EQ(shown("\u202a\u2066\u2069"), "\\xe2\\x80\\xaa\\xe2\\x81\\xa6\\xe2\\x81\\xa9");
    for (const char* text : {"עברית\u200f!", "العربية", "👩\u200d🚀", "❤\ufe0f"}) EXPECT_EQ(shown(text), text);
}

TEST(TerminalText, GoesBackInItsOwnLinesOnly) {
    const TerminalLine foreign{.is_own = false};
    EXPECT_EQ(shown("\rx\ry", foreign), "\nx\ry");
    EXPECT_EQ(shown("a\rb", foreign), "a\nb");
    EXPECT_EQ(shown("a\r\nb\rc", foreign), "a\r\nb\rc");
    EXPECT_EQ(shown("a\nb\rc", foreign), "a\nb\rc");
    EXPECT_EQ(shown("a\r", foreign), "a\n");
    // The other stream may have begun it.
    TerminalLine line = foreign;
    TerminalText out(line);
    TerminalText err(line);
    EXPECT_EQ(out.add("\r"), "");
    EXPECT_EQ(out.add("a"), "\na");
    EXPECT_EQ(err.add("\rb"), "\rb");
}

TEST(TerminalText, KnowsWhetherALineHasBegun) {
    TerminalLine line;
    TerminalText text(line);
    text.add("a\n\x1b[31m");
    EXPECT_TRUE(line.is_empty);
    text.add("b\r");
    EXPECT_FALSE(line.is_empty);
    text.add("\n\x01");
    EXPECT_FALSE(line.is_empty);
}

TEST(TerminalText, DoesNotDependOnWherePiecesEnd) {
    const std::string bytes = "a\r\nb\rc\x1b[31mü\x1b[2J\x1b[8m\xc2\x9b🙂\u202e\xff\x1b[";
    for (const bool is_own : {true, false}) {
        const std::string whole = shown(bytes, {.is_own = is_own});
        for (size_t cut = 0; cut <= bytes.size(); ++cut) {
            TerminalLine line{.is_own = is_own};
            TerminalText text(line);
            std::string pieces = text.add(bytes.substr(0, cut));
            pieces += text.add(bytes.substr(cut));
            EXPECT_EQ(pieces + text.finish(), whole) << cut;
        }
    }
}

}  // namespace
}  // namespace cellblock::run
