// Worker frames: what the tables allow is read whole however the bytes are cut; everything else kills the
// reader.
#include "protocol/frame.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <new>
#include <set>

// The program's allocations go through here, so that a test can see the largest one of a stretch of code.
static thread_local size_t largest_allocation = 0;

void* operator new(size_t size) {
    largest_allocation = std::max(largest_allocation, size);
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}

namespace cellblock::protocol {
namespace {

constexpr std::string_view kReplyHeader = R"({"type":"reply","id":7,"status":"ok"})";
constexpr std::string_view kPublishHeader = R"({"type":"publish","parent":7,"msg_type":"stream"})";
const std::string kHelloHeader = R"({"type":"hello","protocol":1,"digest":"0af"})";

std::string frame(std::string_view header, const std::vector<std::string_view>& parts) {
    std::string bytes = encode_frame_prefix(header, parts);
    for (const std::string_view part : parts) bytes += part;
    return bytes;
}

/// The first frame of `bytes`.
Result<std::optional<UpFrame>> read(std::string_view bytes) {
    FrameReader reader;
    TRY(reader.feed(bytes));
    return reader.next();
}

Result<std::optional<UpFrame>> read(std::string_view header, const std::vector<std::string_view>& parts) {
    return read(frame(header, parts));
}

/// Is the header accepted, with the parts it needs?
bool takes(std::string_view header, const std::vector<std::string_view>& parts = {"{}", "{}"}) {
    const auto result = read(header, parts);
    return result.ok() && result->has_value();
}

TEST(FrameReader, ReadsHello) {
    const auto result = read(kHelloHeader, {R"({"banner":"x"})"});
    ASSERT_TRUE(result.ok() && *result);
    EXPECT_EQ((*result)->type, UpType::hello);
    EXPECT_EQ((*result)->protocol, 1);
    EXPECT_EQ((*result)->digest, "0af");
    EXPECT_EQ((*result)->parts, std::vector<std::string>{R"({"banner":"x"})"});
}

TEST(FrameReader, ReadsPublishWithBuffersByteForByte) {
    const std::string buffer("\0\xFF{", 3);
    const auto result = read(R"({"type":"publish","parent":0,"msg_type":"comm_msg","topic":"comm-1.a_b"})",
                             {"{ }", R"({"big":123456789012345678901, "f":1.50})", buffer, ""});
    ASSERT_TRUE(result.ok() && *result);
    EXPECT_EQ((*result)->id, 0U);
    EXPECT_EQ((*result)->msg_type, "comm_msg");
    EXPECT_EQ((*result)->topic, "comm-1.a_b");
    EXPECT_EQ((*result)->parts,
              (std::vector<std::string>{"{ }", R"({"big":123456789012345678901, "f":1.50})", buffer, ""}));
}

TEST(FrameReader, LeavesOutTopicsThatCouldReadAsADelimiter) {
    for (const char* topic : {"<IDS|MSG>", "comm-1\\u00e9", "a b", "\\n"}) {
        const auto result =
            read(R"({"type":"publish","parent":0,"msg_type":"stream","topic":")" + std::string(topic) + "\"}",
                 {"{}", "{}"});
        ASSERT_TRUE(result.ok() && *result) << topic;
        EXPECT_EQ((*result)->topic, "") << topic;
    }
}

TEST(FrameReader, ReadsReplyAndInput) {
    const auto reply =
        read(R"({"type":"reply","id":9007199254740992,"status":"aborted","exit":true})", {"{}", "{}"});
    ASSERT_TRUE(reply.ok() && *reply);
    EXPECT_EQ((*reply)->id, kMaxRequestId);
    EXPECT_EQ((*reply)->status, ReplyStatus::aborted);
    EXPECT_TRUE((*reply)->exit);
    const auto input = read(R"({"type":"input","id":3})", {R"({"prompt":"?","password":false})"});
    ASSERT_TRUE(input.ok() && *input);
    EXPECT_EQ((*input)->type, UpType::input);
    EXPECT_EQ((*input)->id, 3U);
    EXPECT_FALSE((*input)->exit);
}

TEST(FrameReader, ReadsTheSameHoweverTheBytesAreCut) {
    std::string stream = frame(kHelloHeader, {"{}"});
    stream += frame(kPublishHeader, {"{}", R"({"text":"a"})", std::string(300, 'b')});
    stream += frame(kReplyHeader, {"{}", "{}"});
    for (size_t cut = 1; cut <= stream.size(); ++cut) {
        FrameReader reader;
        std::vector<UpFrame> frames;
        for (size_t at = 0; at < stream.size(); at += cut) {
            ASSERT_TRUE(reader.feed(std::string_view(stream).substr(at, cut)).ok());
            while (true) {
                auto next = reader.next();
                ASSERT_TRUE(next.ok()) << next.error().what();
                if (!*next) break;
                frames.push_back(**std::move(next));
            }
        }
        ASSERT_EQ(frames.size(), 3U);
        EXPECT_EQ(frames[0].type, UpType::hello);
        EXPECT_EQ(frames[1].parts[2], std::string(300, 'b'));
        EXPECT_EQ(frames[2].id, 7U);
        EXPECT_EQ(reader.buffered(), 0U);
    }
}

TEST(FrameReader, SaysWhatItHoldsAndWants) {
    FrameReader reader;
    EXPECT_EQ(reader.wanted(), 0U);
    const std::string bytes = frame(kPublishHeader, {"{}", "{}", std::string(1000, 'x')});
    const size_t body_at = bytes.size() - 1004;
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(0, body_at - 1)).ok());
    ASSERT_TRUE(reader.next().ok());
    EXPECT_EQ(reader.wanted(), 0U) << "the header is incomplete";
    EXPECT_EQ(reader.buffered(), body_at - 1);
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(body_at - 1, 105)).ok());
    ASSERT_TRUE(reader.next().ok());
    EXPECT_EQ(reader.wanted(), 900U);
    EXPECT_EQ(reader.buffered(), 104U);
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(body_at + 104)).ok());
    EXPECT_EQ(reader.wanted(), 0U);
    const auto result = reader.next();
    EXPECT_TRUE(result.ok() && *result);
    EXPECT_EQ(reader.buffered(), 0U);
}

TEST(FrameReader, TakesEveryTypeOfTheTableWithTheAllowedNumberOfParts) {
    const auto header = [](UpType type) -> std::string {
        switch (type) {
            case UpType::hello:
                return kHelloHeader;
            case UpType::publish:
                return std::string(kPublishHeader);
            case UpType::reply:
                return std::string(kReplyHeader);
            case UpType::input:
                return R"({"type":"input","id":1})";
            case UpType::awaits:
                return R"({"type":"awaits","id":1})";
        }
        return "";
    };
    std::set<std::string_view> names;
    for (const FrameRule& rule : frame_rules()) {
        EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
        EXPECT_FALSE(rule.reason.empty()) << rule.name;
        EXPECT_LE(rule.json_parts, rule.min_parts) << rule.name;
        const auto with_parts = [&](size_t count) {
            return takes(header(rule.type), std::vector<std::string_view>(count, "{}"));
        };
        EXPECT_FALSE(with_parts(rule.min_parts - 1)) << rule.name;
        EXPECT_TRUE(with_parts(rule.min_parts)) << rule.name;
        EXPECT_TRUE(with_parts(rule.max_parts)) << rule.name;
        if (rule.max_parts < kMaxFrameParts) {
            EXPECT_FALSE(with_parts(rule.max_parts + 1)) << rule.name;
        }
        for (size_t bad = 0; bad < rule.json_parts; ++bad) {
            std::vector<std::string_view> parts(rule.min_parts, "{}");
            parts[bad] = "[]";
            EXPECT_FALSE(takes(header(rule.type), parts)) << rule.name;
        }
    }
    EXPECT_EQ(names.size(), 5U);
}

TEST(FrameReader, PublishesWhatTheTableAllowsOnly) {
    std::set<std::string_view> types;
    for (const PublishRule& rule : publish_rules()) {
        EXPECT_TRUE(types.insert(rule.msg_type).second) << rule.msg_type;
        EXPECT_FALSE(rule.reason.empty()) << rule.msg_type;
        EXPECT_TRUE(
            takes(R"({"type":"publish","parent":1,"msg_type":")" + std::string(rule.msg_type) + "\"}"));
    }
    for (const char* type :
         {"status", "execute_reply", "input_request", "iopub_welcome", "shutdown_reply", "", "STREAM"})
        EXPECT_FALSE(takes(R"({"type":"publish","parent":1,"msg_type":")" + std::string(type) + "\"}"))
            << type;
}

TEST(FrameReader, RefusesFieldsOfTheWrongKindOrRange) {
    for (const char* header : {R"({})",
                               R"({"type":"no"})",
                               R"({"type":1})",
                               R"({"type":null})",
                               R"([])",
                               R"({"type":"hello")",
                               R"({"type":"reply","status":"ok"})",
                               R"({"type":"reply","id":0,"status":"ok"})",
                               R"({"type":"reply","id":-1,"status":"ok"})",
                               R"({"type":"reply","id":1.0,"status":"ok"})",
                               R"({"type":"reply","id":"1","status":"ok"})",
                               R"({"type":"reply","id":9007199254740993,"status":"ok"})",
                               R"({"type":"reply","id":18446744073709551617,"status":"ok"})",
                               R"({"type":"reply","id":1})",
                               R"({"type":"reply","id":1,"status":"OK"})",
                               R"({"type":"reply","id":1,"status":null})",
                               R"({"type":"reply","id":1,"status":"ok","exit":1})",
                               R"({"type":"reply","id":1,"status":"ok","exit":null})",
                               R"({"type":"publish","msg_type":"stream"})",
                               R"({"type":"publish","parent":-1,"msg_type":"stream"})",
                               R"({"type":"publish","parent":1})",
                               R"({"type":"publish","parent":1,"msg_type":"stream","topic":1})",
                               R"({"type":"publish","parent":1,"msg_type":"stream","topic":"\ud800"})",
                               R"({"type":"publish","parent":NaN,"msg_type":"stream"})"})
        EXPECT_FALSE(takes(header)) << header;
    for (const char* header :
         {R"({"type":"hello","protocol":1})", R"({"type":"hello","digest":"a"})",
          R"({"type":"hello","protocol":-1,"digest":"a"})",
          R"({"type":"hello","protocol":2147483648,"digest":"a"})",
          R"({"type":"hello","protocol":1,"digest":""})", R"({"type":"hello","protocol":1,"digest":"A"})",
          R"({"type":"hello","protocol":1,"digest":"../x"})", R"({"type":"input"})",
          R"({"type":"input","id":0})"})
        EXPECT_FALSE(takes(header, {"{}"})) << header;
}

TEST(FrameReader, BoundsTopicAndDigest) {
    const auto topic = [](size_t size) {
        return R"({"type":"publish","parent":1,"msg_type":"stream","topic":")" + std::string(size, 't') +
               "\"}";
    };
    EXPECT_TRUE(takes(topic(256)));
    EXPECT_FALSE(takes(topic(257)));
    const auto hello = [](size_t size) {
        return R"({"type":"hello","protocol":1,"digest":")" + std::string(size, 'd') + "\"}";
    };
    EXPECT_TRUE(takes(hello(64), {"{}"}));
    EXPECT_FALSE(takes(hello(65), {"{}"}));
}

TEST(FrameReader, IgnoresUnknownFieldsAndTakesTheLastOfTwo) {
    const auto result = read(
        R"({"type":"input","id":1,"new":{"a":[1]},"type":"reply","id":2,"status":"error"})", {"{}", "{}"});
    ASSERT_TRUE(result.ok() && *result);
    EXPECT_EQ((*result)->type, UpType::reply);
    EXPECT_EQ((*result)->id, 2U);
    EXPECT_EQ((*result)->status, ReplyStatus::error);
    EXPECT_FALSE(takes(R"({"type":"reply","id":1,"status":"ok","deep":)" + std::string(300, '[') +
                       std::string(300, ']') + "}"));
}

TEST(FrameReader, IsStrictAboutWhatReachesFrontEnds) {
    EXPECT_FALSE(takes(kReplyHeader, {"{}", R"({"x":NaN})"}));
    EXPECT_FALSE(takes(kReplyHeader, {"{}", R"({"x":"\ud800"})"}));
    EXPECT_FALSE(takes(kReplyHeader, {"{}", "{\"x\":\"\xFF\"}"}));
    EXPECT_FALSE(takes(kReplyHeader, {"{} ", "{}x"}));
    EXPECT_TRUE(takes(kReplyHeader, {"{}", "{}", "\xFF NaN"})) << "buffers are opaque";
}

TEST(FrameReader, BoundsTheHeader) {
    const auto padded = [](size_t size) {
        std::string header(kReplyHeader);
        header.insert(1, size - header.size(), ' ');
        return header;
    };
    EXPECT_TRUE(takes(padded(kMaxFrameHeader)));
    std::string bytes = frame(kReplyHeader, {"{}", "{}"});
    for (const uint32_t size : {0U, 1U, static_cast<uint32_t>(kMaxFrameHeader) + 1, 0xFFFFFFFFU}) {
        for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(size >> (8 * i) & 0xFF);
        EXPECT_FALSE(read(std::string_view(bytes).substr(0, 8)).ok()) << "known from the prefix: " << size;
    }
}

TEST(FrameReader, BoundsPartsByTheirPrefixAlone) {
    const auto prefix = [](uint32_t count, const std::vector<uint64_t>& sizes) {
        std::string bytes("\x02\0\0\0", 4);
        for (size_t i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(count >> (8 * i) & 0xFF));
        for (const uint64_t size : sizes)
            for (size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(size >> (8 * i) & 0xFF));
        return bytes;
    };
    EXPECT_TRUE(read(prefix(1024, {})).ok());
    EXPECT_FALSE(read(prefix(1025, {})).ok());
    EXPECT_FALSE(read(prefix(0xFFFFFFFF, {})).ok());
    EXPECT_TRUE(read(prefix(2, {kMaxFrameBody.count - 1, 1})).ok());
    EXPECT_FALSE(read(prefix(2, {kMaxFrameBody.count, 1})).ok());
    EXPECT_FALSE(read(prefix(1, {uint64_t{1} << 63})).ok());
    EXPECT_FALSE(read(prefix(2, {2, UINT64_MAX - 1})).ok()) << "the sum wraps around to 0";
}

TEST(FrameReader, AnnouncedSizesCostNothing) {
    const std::string part(kMaxFrameBody.count - 4, 'x');
    const std::string bytes = encode_frame_prefix(kReplyHeader, {"{}", "{}", part}) + "{}{}some";
    FrameReader reader;
    largest_allocation = 0;
    ASSERT_TRUE(reader.feed(bytes).ok());
    ASSERT_TRUE(reader.next().ok());
    EXPECT_LT(largest_allocation, 4096U);
    EXPECT_EQ(reader.buffered(), 8U);
    EXPECT_EQ(reader.wanted(), part.size() - 4);
}

TEST(FrameReader, IsDeadAfterAnError) {
    FrameReader reader;
    ASSERT_TRUE(reader.feed(frame(R"({"type":"no"})", {}) + frame(kReplyHeader, {"{}", "{}"})).ok());
    const auto broken = reader.next();
    ASSERT_FALSE(broken.ok());
    EXPECT_EQ(broken.error().what(), "read a frame of the worker: an unknown \"type\"");
    EXPECT_FALSE(reader.next().ok());
    EXPECT_FALSE(reader.feed(frame(kReplyHeader, {"{}", "{}"})).ok());
    EXPECT_EQ(reader.buffered(), 0U);
}

TEST(FrameReader, NamesFrameAndPartButQuotesNothing) {
    const auto result = read(kPublishHeader, {"{}", "{\"secret\":oops}"});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().what(),
              "read a frame of the worker: publish, part 2: invalid JSON at byte 10: a value is expected");
}

TEST(FrameReader, ReadsManySmallFramesInLinearTime) {
    // 200,000 frames in one feed: moving the rest after each frame would copy some 2 TB.
    std::string stream;
    const std::string one = frame(kPublishHeader, {"{}", R"({"name":"stdout","text":"x\n"})"});
    for (int i = 0; i < 200'000; ++i) stream += one;
    FrameReader reader;
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(reader.feed(stream).ok());
    int count = 0;
    while (true) {
        const auto next = reader.next();
        ASSERT_TRUE(next.ok());
        if (!*next) break;
        ++count;
    }
    EXPECT_EQ(count, 200'000);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(FrameReader, ReadsAFrameOfTheLargestSize) {
    const std::string part(kMaxFrameBody.count - 4, 'x');
    FrameReader reader;
    ASSERT_TRUE(reader.feed(encode_frame_prefix(kReplyHeader, {"{}", "{}", part}) + "{}{}").ok());
    for (size_t at = 0; at < part.size(); at += 1 << 20) {
        const auto next = reader.next();
        ASSERT_TRUE(next.ok() && !*next);
        ASSERT_TRUE(reader.feed(std::string_view(part).substr(at, 1 << 20)).ok());
    }
    const auto result = reader.next();
    ASSERT_TRUE(result.ok() && *result);
    EXPECT_TRUE((*result)->parts[2] == part);
    EXPECT_EQ((*result)->parts[2].capacity(), part.size());
}

TEST(EncodeFramePrefix, IsWhatTheProtocolPageSays) {
    EXPECT_EQ(encode_frame_prefix("{}", {"{}", "abc"}),
              std::string("\x02\0\0\0\x02\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0{}", 26));
}

}  // namespace
}  // namespace cellblock::protocol
