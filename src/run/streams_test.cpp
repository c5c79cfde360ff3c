// What programs write, on its way to terminals and readers of JSON.
#include "run/streams.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "base/sys.hpp"

namespace cellblock::run {
namespace {

std::string in_one_piece(std::string_view bytes) {
    std::string unfinished;
    return harmless(bytes, unfinished, true);
}

TEST(Harmless, LeavesTextAndColoursAlone) {
    for (const char* text :
         {"plain\n", "tab\tand\rreturn", "\x1b[31mred\x1b[0m", "\x1b[38;5;4mx\x1b[m", "ünïcödé 🙂"})
        EXPECT_EQ(in_one_piece(text), text);
}

TEST(Harmless, SpellsOutWhatSteersATerminal) {
    EXPECT_EQ(in_one_piece("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
    EXPECT_EQ(in_one_piece("\x1b[2J\x1b[H"), "\\x1b[2J\\x1b[H");
    EXPECT_EQ(in_one_piece("\x1b[6n"), "\\x1b[6n");
    EXPECT_EQ(in_one_piece("\xc2\x9b\x32J"), "\\xc2\\x9b2J");  // CSI of C1
    EXPECT_EQ(in_one_piece("a\bb\x7f"), "a\\x08b\\x7f");
    EXPECT_EQ(in_one_piece("\xff\xc3"), "\\xff\\xc3");
    EXPECT_EQ(in_one_piece("\x1b"), "\\x1b");
    EXPECT_EQ(in_one_piece("\x1b[" + std::string(64, '1') + "m").substr(0, 4), "\\x1b");
}

TEST(Harmless, DoesNotDependOnWherePiecesEnd) {
    const std::string text = "a\x1b[31mü\x1b[2J\xc2\x9b🙂\xff\x1b[";
    const std::string whole = in_one_piece(text);
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        std::string unfinished;
        std::string pieces = harmless(text.substr(0, cut), unfinished, false);
        pieces += harmless(text.substr(cut), unfinished, true);
        EXPECT_EQ(pieces, whole) << cut;
    }
}

TEST(Base64, IsThatOfTheRfc) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("foob"), "Zm9vYg==");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Utf8, IsToldFromOtherBytes) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("ü🙂"));
    EXPECT_FALSE(is_utf8("\xc3"));
    EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
}

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    ssize_t n;
    while ((n = ::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    return text;
}

TEST(LiveOutput, WritesEventsWithWholeCharacters) {
    auto [reader, writer] = sys::pipe().value();
    {
        LiveOutput live(writer.get(), writer.get(), Show::events, Show::events);
        live.write(Stream::out, "a\xc3");
        live.write(Stream::out, "\xbc\n");
        live.write(Stream::err, "\xff");
        live.flush();
    }
    writer.reset();
    const std::string text = read_all(reader.get());
    EXPECT_NE(text.find(R"({"event":"output","stream":"stdout","encoding":"utf-8","text":"a"})"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(R"("text":"ü\n")"), std::string::npos) << text;
    EXPECT_NE(text.find(R"({"event":"output","stream":"stderr","encoding":"base64","text":"/w=="})"),
              std::string::npos)
        << text;
}

TEST(LiveOutput, NeverWaitsForAReaderAndSaysThatItIsFull) {
    ::signal(SIGPIPE, SIG_IGN);  // as the program does
    auto [reader, writer] = sys::pipe().value();
    LiveOutput live(writer.get(), writer.get(), Show::raw, Show::raw);
    const std::string block(64 * 1024, 'x');
    int blocks = 0;
    while (live.takes_more() && blocks < 100) {
        live.write(Stream::out, block);
        ++blocks;
    }
    EXPECT_FALSE(live.takes_more());
    EXPECT_LT(blocks, 100);
    reader.reset();  // who is gone is waited for no more
    live.flush();
    EXPECT_TRUE(live.takes_more());
}

}  // namespace
}  // namespace cellblock::run
