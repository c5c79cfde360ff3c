// The codec: nothing unsigned, replayed or broken gets in; what gets in has its bytes unchanged.
#include "protocol/message.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <random>
#include <set>
#include <thread>

#include "protocol/json_scan.hpp"

namespace cellblock::protocol {
namespace {

const std::string kHeader =
    R"({"msg_id": "m1", "msg_type": "execute_request", "username": "u", "session": "s1", "date": 1795249360.521167, "version": "5.3"})";

Signer signer(std::string_view key = "secret") {
    return Signer(key);
}

Message request(const std::string& header = kHeader, const std::string& content = R"({"code":"1+1"})") {
    Message message;
    message.identities = {"client"};
    message.header = header;
    message.content = content;
    return message;
}

Result<Request> decode_frames(const std::vector<std::string>& frames, const Signer& with,
                              ReplayWindow& replays) {
    const std::vector<std::string_view> views(frames.begin(), frames.end());
    return decode(views, with, replays);
}

Result<Request> decode_once(const std::vector<std::string>& frames, const Signer& with = signer()) {
    ReplayWindow replays;
    return decode_frames(frames, with, replays);
}

Result<Request> decode_header(const std::string& header) {
    return decode_once(encode(request(header), signer()));
}

std::string signature(uint64_t number) {
    static const Signer signer("k");
    return signer.sign({std::to_string(number), "", "", ""});
}

TEST(Signer, IsHmacSha256OverTheFourParts) {
    // RFC 4231, test case 2, cut into parts.
    EXPECT_EQ(signer("Jefe").sign({"what do ya want ", "for ", "nothing", "?"}),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    // Test case 6: a key longer than the hash's block.
    EXPECT_EQ(signer(std::string(131, '\xAA'))
                  .sign({"Test Using Larger Than Block-Size Key - Hash Key First", "", "", ""}),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Signer, SignsAgainAndAgainAndAfterAMove) {
    Signer one = signer("Jefe");
    const std::string first = one.sign({"a", "b", "c", "d"});
    EXPECT_NE(one.sign({"something", "else", "", ""}), first);
    EXPECT_EQ(one.sign({"a", "b", "c", "d"}), first);
    Signer two = std::move(one);
    EXPECT_EQ(two.sign({"a", "b", "c", "d"}), first);
}

TEST(Signer, VerifiesTheExactSignatureOnly) {
    const Signer with_key = signer();
    const std::array<std::string_view, 4> parts{"{}", "{}", "{}", "{}"};
    const std::string good = with_key.sign(parts);
    EXPECT_TRUE(with_key.verify(parts, good));
    for (size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = bad[i] == '0' ? '1' : '0';
        EXPECT_FALSE(with_key.verify(parts, bad));
    }
    std::string upper = good;
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    EXPECT_FALSE(with_key.verify(parts, upper)) << "a second spelling would get past the replay window";
    for (const std::string& bad : {std::string(), good.substr(1), good + "0", std::string(64, '\0')})
        EXPECT_FALSE(with_key.verify(parts, bad));
    EXPECT_FALSE(with_key.verify({"{}", "{}", "{}", "{} "}, good));
    EXPECT_FALSE(signer("other").verify(parts, good));
}

TEST(Signer, WithoutAKeySignsNothing) {
    EXPECT_FALSE(signer("").enabled());
    EXPECT_EQ(signer("").sign({"a", "b", "c", "d"}), "");
    EXPECT_TRUE(signer("").verify({"a", "b", "c", "d"}, "anything"));
}

TEST(Decode, UndoesEncode) {
    Message message = request();
    message.identities = {"one", std::string("\0two", 4)};
    message.parent_header = R"({"msg_id":"p"})";
    message.metadata = R"({ "big": 123456789012345678901 })";
    message.buffers = {"", std::string("\0\xFF", 2)};
    const auto decoded = decode_once(encode(message, signer()));
    ASSERT_TRUE(decoded.ok()) << decoded.error().what();
    EXPECT_EQ(decoded->identities, message.identities);
    EXPECT_EQ(decoded->header, kHeader);
    EXPECT_EQ(decoded->parent_header, message.parent_header);
    EXPECT_EQ(decoded->metadata, message.metadata);
    EXPECT_EQ(decoded->content, message.content);
    EXPECT_EQ(decoded->buffers, message.buffers);
    EXPECT_EQ(decoded->msg_id, "m1");
    EXPECT_EQ(decoded->msg_type, "execute_request");
    EXPECT_EQ(decoded->session, "s1");
    EXPECT_EQ(decoded->subshell_id, "");
}

TEST(Encode, HasTheOrderOfTheWire) {
    Message message = request();
    message.buffers = {"buffer"};
    const auto frames = encode(message, signer());
    const std::string expected = signer().sign({kHeader, "{}", "{}", message.content});
    EXPECT_EQ(frames, (std::vector<std::string>{"client", "<IDS|MSG>", expected, kHeader, "{}", "{}",
                                                message.content, "buffer"}));
}

TEST(Decode, RefusesTooFewFrames) {
    const auto frames = encode(request(), signer());
    for (size_t count = 0; count < frames.size(); ++count)
        EXPECT_FALSE(decode_once({frames.begin(), frames.begin() + static_cast<ptrdiff_t>(count)}).ok())
            << count;
    EXPECT_FALSE(decode_once({"client", "no delimiter", "", "{}", "{}", "{}", "{}"}).ok());
}

TEST(Decode, BoundsIdentities) {
    const auto with = [](size_t count, size_t size) {
        Message message = request();
        message.identities.assign(count, std::string(size, 'i'));
        return decode_once(encode(message, signer())).ok();
    };
    EXPECT_TRUE(with(0, 0)) << "a subscriber sees messages without identities";
    EXPECT_TRUE(with(kMaxIdentities, kMaxIdentitySize));
    EXPECT_FALSE(with(kMaxIdentities + 1, 1));
    EXPECT_FALSE(with(1, kMaxIdentitySize + 1));
}

TEST(Decode, BoundsBuffersAndHeaders) {
    const auto with_buffers = [](size_t count) {
        Message message = request();
        message.buffers.assign(count, "b");
        return decode_once(encode(message, signer())).ok();
    };
    EXPECT_TRUE(with_buffers(kMaxBuffers));
    EXPECT_FALSE(with_buffers(kMaxBuffers + 1));
    const auto padded = [](std::string text, size_t size) { return text.insert(1, size - text.size(), ' '); };
    EXPECT_TRUE(decode_header(padded(kHeader, kMaxHeaderPart.count)).ok());
    EXPECT_FALSE(decode_header(padded(kHeader, kMaxHeaderPart.count + 1)).ok());
    Message message = request();
    message.parent_header = padded("{}", kMaxHeaderPart.count + 1);
    EXPECT_FALSE(decode_once(encode(message, signer())).ok());
}

TEST(Decode, BoundsTheMessageBeforeItLooksInside) {
    // One allocation stands for all frames: only the announced sizes matter here.
    const std::string big(kMaxMessage.count / 4, 'x');
    const std::vector<std::string_view> frames{"client", "<IDS|MSG>", "",  "{}", "{}", "{}",
                                               "{}",     big,         big, big,  big};
    ReplayWindow replays;
    const auto decoded = decode(frames, signer(), replays);
    ASSERT_FALSE(decoded.ok());
    EXPECT_EQ(decoded.error().what(), "a message of 256.0 MiB, at most 256.0 MiB are allowed");
    EXPECT_EQ(decode(std::span(frames).first(10), signer(), replays).error().what(), "an unsigned message");
}

TEST(Decode, VerifiesBeforeItParses) {
    Message broken = request("not json", "{{{");
    auto frames = encode(broken, signer("wrong key"));
    EXPECT_EQ(decode_once(frames).error().what(), "a wrong signature");
    frames[2] = "";
    EXPECT_EQ(decode_once(frames).error().what(), "an unsigned message");
    EXPECT_EQ(decode_once(encode(broken, signer())).error().what(),
              "header: invalid JSON at byte 0: an object is expected");
}

TEST(Decode, RefusesAReplayAndNothingElse) {
    const Signer with = signer();
    ReplayWindow replays;
    const auto first = encode(request(), with);
    EXPECT_TRUE(decode_frames(first, with, replays).ok());
    EXPECT_FALSE(decode_frames(first, with, replays).ok());
    auto readdressed = first;
    readdressed[0] = "other client";
    EXPECT_FALSE(decode_frames(readdressed, with, replays).ok()) << "identities are not signed";
    EXPECT_TRUE(decode_frames(encode(request(kHeader, R"({"code":"2"})"), with), with, replays).ok());
}

TEST(Decode, AForgedMessageDoesNotShutOutTheRealOne) {
    const Signer with = signer();
    ReplayWindow replays;
    const auto real = encode(request(), with);
    auto forged = real;
    forged[6] = R"({"code":"evil"})";
    EXPECT_FALSE(decode_frames(forged, with, replays).ok());
    EXPECT_TRUE(decode_frames(real, with, replays).ok());
}

TEST(Decode, WithoutAKeyTakesAnySignatureAndRepetitions) {
    const Signer none = signer("");
    ReplayWindow replays;
    auto frames = encode(request(), none);
    EXPECT_EQ(frames[2], "");
    EXPECT_TRUE(decode_frames(frames, none, replays).ok());
    frames[2] = "whatever";
    EXPECT_TRUE(decode_frames(frames, none, replays).ok());
    EXPECT_TRUE(decode_frames(frames, none, replays).ok());
}

TEST(Decode, TakesWhatFrontEndsReallySendInContent) {
    for (const char* content : {R"({"code":"'\ud800'"})", R"({"x":[NaN,-Infinity]})"}) {
        const auto decoded = decode_once(encode(request(kHeader, content), signer()));
        ASSERT_TRUE(decoded.ok()) << content;
        EXPECT_EQ(decoded->content, content);
    }
    EXPECT_FALSE(decode_header(R"({"msg_id":"m","msg_type":"x","date":NaN})").ok())
        << "front ends could not parse the parent_header of the outputs";
    EXPECT_FALSE(decode_once(encode(request(kHeader, "{\"code\":\"\xFF\"}"), signer())).ok());
}

TEST(Decode, TakesHeadersOfAllFrontEnds) {
    EXPECT_TRUE(decode_header(R"({"msg_id":"m","msg_type":"kernel_info_request"})").ok());
    EXPECT_TRUE(
        decode_header(R"({"msg_id":"m","msg_type":"x","session":null,"subshell_id":null,"date":null})").ok());
    const auto subshell =
        decode_header(R"({"msg_type":"x","extra":{"a":[1]},"msg_id":"m\u00e9","subshell_id":"sub"})");
    ASSERT_TRUE(subshell.ok());
    EXPECT_EQ(subshell->subshell_id, "sub");
    EXPECT_EQ(subshell->msg_id, "mé");
    const auto twice = decode_header(R"({"msg_id":"1","msg_type":"a","msg_id":"2"})");
    ASSERT_TRUE(twice.ok());
    EXPECT_EQ(twice->msg_id, "2");
}

TEST(Decode, RefusesHeadersThatRoutingCannotUse) {
    for (const char* header :
         {"{}", "[]", R"({"msg_id":"m"})", R"({"msg_type":"x"})", R"({"msg_id":1,"msg_type":"x"})",
          R"({"msg_id":"","msg_type":"x"})", R"({"msg_id":"m","msg_type":""})",
          R"({"msg_id":"m","msg_type":"X"})", R"({"msg_id":"m","msg_type":"a\"b"})",
          R"({"msg_id":"m","msg_type":"a b"})", R"({"msg_id":null,"msg_type":"x"})",
          R"({"msg_id":"m","msg_type":"x","session":1})",
          R"({"msg_id":"m","msg_type":"x","subshell_id":["a"]})"})
        EXPECT_FALSE(decode_header(header).ok()) << header;
    const auto sized = [](size_t id, size_t type) {
        return decode_header(R"({"msg_id":")" + std::string(id, 'i') + R"(","msg_type":")" +
                             std::string(type, 't') + "\"}")
            .ok();
    };
    EXPECT_TRUE(sized(kMaxNameSize, kMaxNameSize));
    EXPECT_FALSE(sized(kMaxNameSize + 1, 1));
    EXPECT_FALSE(sized(1, kMaxNameSize + 1));
}

TEST(ReplayWindow, RemembersTheNewestExactly) {
    ReplayWindow window;
    for (uint64_t i = 0; i < ReplayWindow::kSize; ++i) ASSERT_TRUE(window.admit(signature(i)));
    EXPECT_FALSE(window.admit(signature(0))) << "the oldest of a full window";
    EXPECT_FALSE(window.admit(signature(ReplayWindow::kSize - 1)));
    EXPECT_TRUE(window.admit(signature(ReplayWindow::kSize)));
    EXPECT_TRUE(window.admit(signature(0))) << "pushed out by the message before";
    EXPECT_FALSE(window.admit(signature(2)));
}

TEST(ReplayWindow, StaysExactOverManyRounds) {
    // Colliding digests, so that removal has clusters to mend: the reference is a plain list.
    ReplayWindow window;
    std::deque<std::string> reference;
    std::set<std::string> known;
    std::mt19937_64 random(7);
    const auto text_of = [](uint64_t number) {
        std::string text(64, '0');
        for (size_t i = 16; i-- > 11; number >>= 4) text[i] = "0123456789abcdef"[number & 15];  // the slot
        for (size_t i = 32; i-- > 28; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
        return text;
    };
    for (int round = 0; round < 400'000; ++round) {
        const std::string text = text_of(random() % 200'000 * 3);
        const bool expected = known.insert(text).second;
        ASSERT_EQ(window.admit(text), expected) << round;
        if (!expected) continue;
        reference.push_back(text);
        if (reference.size() > ReplayWindow::kSize) {
            known.erase(reference.front());
            reference.pop_front();
        }
    }
}

TEST(ReplayWindow, LetsUnsignedMessagesPass) {
    ReplayWindow window;
    EXPECT_TRUE(window.admit(""));
    EXPECT_TRUE(window.admit(""));
}

TEST(HeaderFactory, WritesHeadersLikeIpykernel) {
    HeaderFactory headers("1c8e\"x", "username");
    const std::string number = "_" + std::to_string(::getpid()) + "_";
    const std::string first = headers.make("status");
    EXPECT_TRUE(check_json_object(first).ok());
    const auto members = scan_object(first).value();
    std::vector<std::string> keys;
    for (const JsonMember& member : members) keys.push_back(member.key);
    EXPECT_EQ(keys,
              (std::vector<std::string>{"msg_id", "msg_type", "username", "session", "date", "version"}));
    EXPECT_EQ(as_string(*find_member(members, "msg_id")), "1c8e\"x" + number + "0");
    EXPECT_EQ(as_string(*find_member(members, "msg_type")), "status");
    EXPECT_EQ(as_string(*find_member(members, "username")), "username");
    EXPECT_EQ(as_string(*find_member(members, "session")), "1c8e\"x");
    EXPECT_EQ(as_string(*find_member(members, "version")), "5.4");
    EXPECT_EQ(as_string(*find_member(scan_object(headers.make("error")).value(), "msg_id")),
              "1c8e\"x" + number + "1");
}

TEST(HeaderFactory, DatesAreUtcWithSixDigits) {
    // Not time(2): its coarse clock may lag a tick behind.
    const auto seconds_now = [] {
        return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    };
    HeaderFactory headers("s", "u");
    for (int i = 0; i < 1000; ++i) {
        const std::time_t before = seconds_now();
        const std::string date = *as_string(*find_member(scan_object(headers.make("x")).value(), "date"));
        const std::time_t after = seconds_now();
        ASSERT_EQ(date.size(), 27U) << date;
        ASSERT_EQ(date[19], '.');
        ASSERT_EQ(date[26], 'Z');
        for (size_t digit = 20; digit < 26; ++digit) ASSERT_TRUE(std::isdigit(date[digit])) << date;
        std::tm fields{};
        ASSERT_EQ(*::strptime(date.c_str(), "%Y-%m-%dT%H:%M:%S", &fields), '.') << date;
        ASSERT_GE(::timegm(&fields), before);
        ASSERT_LE(::timegm(&fields), after);
    }
}

TEST(HeaderFactory, IdsAreUniqueAcrossThreads) {
    HeaderFactory headers("s", "u");
    std::vector<std::vector<std::string>> made(4);
    std::vector<std::thread> threads;
    for (auto& mine : made)
        threads.emplace_back([&headers, &mine] {
            for (int i = 0; i < 5000; ++i) mine.push_back(headers.make("status"));
        });
    for (std::thread& thread : threads) thread.join();
    std::set<std::string> ids;
    for (const auto& mine : made)
        for (const std::string& header : mine)
            EXPECT_TRUE(ids.insert(*as_string(*find_member(scan_object(header).value(), "msg_id"))).second);
    EXPECT_EQ(ids.size(), 20'000U);
}

TEST(HeaderFactory, IsFast) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    constexpr double kCeiling = 1e-6;
#else
    constexpr double kCeiling = 5e-5;
#endif
    HeaderFactory headers(random_uuid(), "username");
    double best = 1;
    size_t total = 0;
    for (int round = 0; round < 10; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < 1000; ++i) total += headers.make("status").size();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / 1000);
    }
    EXPECT_GT(total, 0U);
    RecordProperty("seconds", std::to_string(best * 1e9) + "e-9");
    EXPECT_LT(best, kCeiling);
}

TEST(RandomUuid, IsVersion4AndNew) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string uuid = random_uuid();
        ASSERT_EQ(uuid.size(), 36U);
        EXPECT_EQ(uuid[14], '4');
        EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos);
        for (const size_t dash : {8U, 13U, 18U, 23U}) EXPECT_EQ(uuid[dash], '-');
        EXPECT_EQ(uuid.find_first_not_of("0123456789abcdef-"), std::string::npos);
        EXPECT_TRUE(seen.insert(uuid).second);
    }
}

}  // namespace
}  // namespace cellblock::protocol
