// What programs write, on its way to terminals and readers of JSON.
#include "run/streams.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <tuple>

#include "base/sys.hpp"

namespace cellblock::run {
namespace {

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

TEST(LiveOutput, WritesEventsThatSteerNoTerminal) {
    auto [reader, writer] = sys::pipe().value();
    {
        LiveOutput live(writer.get(), writer.get(), Show::events, Show::events);
        live.write(Stream::out, "\x1b[2J\xc2\x9b\x32J\x7f\u202e");
    }
    writer.reset();
    EXPECT_NE(read_all(reader.get()).find(R"("text":"\u001b[2J\u009b2J\u007f\u202e"})"), std::string::npos);
}

TEST(LiveOutput, EndsTheLineThatAProgramLeavesOnATerminal) {
    for (const auto& [out, err, shown] :
         {std::tuple{"a", "", "a\n"}, std::tuple{"a\n", "", "a\n"}, std::tuple{"a", "b\n", "ab\n"},
          std::tuple{"\x1b[30mforged", "", "\x1b[30mforged\x1b[0m\n"}, std::tuple{"", "", ""}}) {
        auto [reader, writer] = sys::pipe().value();
        {
            LiveOutput live(writer.get(), writer.get(), Show::harmless, Show::harmless);
            live.write(Stream::out, out);
            live.write(Stream::err, err);
        }
        writer.reset();
        EXPECT_EQ(read_all(reader.get()), shown);
    }
}

TEST(LiveOutput, KeepsTheOrderOfWhatIsWrittenAtOnceAndOfWhatHasToWait) {
    auto [reader, writer] = sys::pipe().value();
    std::string written;
    std::string text;
    {
        LiveOutput live(writer.get(), writer.get(), Show::raw, Show::raw);
        for (int i = 0; i < 40'000; ++i) {  // three times what a pipe takes
            const std::string line = std::to_string(i) + "\n";
            live.write(i % 2 == 0 ? Stream::out : Stream::err, line);
            written += line;
        }
        EXPECT_TRUE(live.takes_more());
        text.resize(written.size());
        size_t have = 0;
        while (have < text.size()) {
            const ssize_t n = ::read(reader.get(), text.data() + have, text.size() - have);
            ASSERT_GT(n, 0);
            have += static_cast<size_t>(n);
        }
    }
    EXPECT_EQ(text, written);
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
