// Worker frames: whatever a worker sends, the reader answers with frames that keep the rules or with an
// error, and the same however the bytes are cut. The first byte is the size of the pieces, and tells how to
// read the rest: even, the bytes of the stream; odd, lines of a header and its parts, a blank line after each
// frame, from which the stream is made (so that mutations reach behind the sizes).
#include <algorithm>

#include "input.hpp"
#include "protocol/frame.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::protocol {
namespace {

struct Outcome {
    std::vector<UpFrame> frames;
    bool failed = false;
};

void check_frame(const UpFrame& frame) {
    const auto& rules = frame_rules();
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const FrameRule& row) { return row.type == frame.type; });
    CHECK(rule != rules.end());
    CHECK(frame.parts.size() >= rule->min_parts && frame.parts.size() <= rule->max_parts);
    for (size_t i = 0; i < rule->json_parts; ++i) CHECK(check_json_object(frame.parts[i]).ok());
    CHECK(frame.id <= kMaxRequestId);
    CHECK(frame.id > 0 || frame.type == UpType::hello || frame.type == UpType::publish);
    CHECK(frame.topic.size() <= 256 && frame.digest.size() <= 64);
    const auto& types = publish_rules();
    const auto allowed = [&](const PublishRule& row) { return row.msg_type == frame.msg_type; };
    CHECK(std::any_of(types.begin(), types.end(), allowed) == (frame.type == UpType::publish));
}

Outcome read(std::string_view stream, size_t piece) {
    Outcome outcome;
    FrameReader reader;
    size_t fed = 0;
    while (fed < stream.size() && !outcome.failed) {
        const std::string_view bytes = stream.substr(fed, piece);
        fed += bytes.size();
        outcome.failed = !reader.feed(bytes).ok();
        while (!outcome.failed) {
            auto next = reader.next();
            outcome.failed = !next.ok();
            if (outcome.failed || !*next) break;
            check_frame(**next);
            outcome.frames.push_back(**std::move(next));
        }
        CHECK(reader.buffered() <= fed);
        CHECK(reader.wanted() <= kMaxFrameBody.count);
    }
    if (outcome.failed) {
        CHECK(!reader.next().ok() && !reader.feed("x").ok());
        CHECK(reader.buffered() == 0);
    }
    return outcome;
}

std::string stream_of(std::string_view text) {
    std::string stream;
    std::vector<std::string_view> frame;
    for (const std::string_view line : fuzz::lines_of(text)) {
        if (!line.empty()) {
            frame.push_back(line);
            continue;
        }
        if (frame.empty() || frame[0].size() < 2 || frame.size() - 1 > kMaxFrameParts) return stream;
        const std::vector<std::string_view> parts(frame.begin() + 1, frame.end());
        stream += encode_frame_prefix(frame[0], parts);
        for (const std::string_view part : parts) stream += part;
        frame.clear();
    }
    return stream;
}

}  // namespace
}  // namespace cellblock::protocol

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace cellblock::protocol;
    if (size == 0) return 0;
    const std::string_view rest = cellblock::fuzz::as_text(data + 1, size - 1);
    const std::string stream = data[0] % 2 == 0 ? std::string(rest) : stream_of(rest);
    const Outcome whole = read(stream, stream.size());
    const Outcome pieces = read(stream, data[0] / 2 + size_t{1});
    CHECK(whole.failed == pieces.failed);
    CHECK(whole.frames.size() == pieces.frames.size());
    for (size_t i = 0; i < whole.frames.size(); ++i) {
        CHECK(whole.frames[i].parts == pieces.frames[i].parts);
        CHECK(whole.frames[i].id == pieces.frames[i].id);
    }
    return 0;
}
