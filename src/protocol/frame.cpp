// Frames: the tables of what may come, and the reader that applies them. Errors name the rule and the frame
// type, but quote nothing that the worker sent.
#include "protocol/frame.hpp"

#include <algorithm>
#include <cctype>
#include <climits>

#include "protocol/json_scan.hpp"

namespace cellblock::protocol {
namespace {

constexpr size_t kPrefixSize = 8;
constexpr size_t kPartSizeSize = 8;
constexpr size_t kMinFrameHeader = 2;
constexpr size_t kMaxHeaderFields = 64;
constexpr size_t kMaxTopic = 256;
constexpr size_t kMaxDigest = 64;

uint64_t little_endian(std::string_view bytes) {
    uint64_t value = 0;
    for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
    return value;
}

void append_little_endian(std::string& out, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i, value >>= 8) out.push_back(static_cast<char>(value & 0xFF));
}

/// The fields of a frame header, each taken with its rule.
class Fields {
  public:
    static Result<Fields> scan(std::string_view header) {
        TRY(check_json_object(header));
        return Fields(TRY(scan_object(header, kMaxHeaderFields)));
    }

    [[nodiscard]] bool has(std::string_view name) const { return find_member(members_, name).has_value(); }

    Result<uint64_t> number(std::string_view name, uint64_t min, uint64_t max) const {
        const auto value = find_member(members_, name);
        const auto number = value ? as_integer(*value) : std::nullopt;
        if (!number || *number < 0 || static_cast<uint64_t>(*number) < min ||
            static_cast<uint64_t>(*number) > max)
            return Error(quoted(name) + " is no integer between " + std::to_string(min) + " and " +
                         std::to_string(max));
        return static_cast<uint64_t>(*number);
    }

    Result<std::string> text(std::string_view name, size_t max_size) const {
        const auto value = find_member(members_, name);
        auto text = value ? as_string(*value) : std::nullopt;
        if (!text || text->size() > max_size)
            return Error(quoted(name) + " is no string of at most " + std::to_string(max_size) + " bytes");
        return *std::move(text);
    }

    Result<bool> flag(std::string_view name) const {
        const auto value = find_member(members_, name);
        const auto flag = value ? as_bool(*value) : std::nullopt;
        if (!flag) return Error(quoted(name) + " is no boolean");
        return *flag;
    }

  private:
    explicit Fields(std::vector<JsonMember> members) : members_(std::move(members)) {}
    static std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

    std::vector<JsonMember> members_;
};

const FrameRule* find_rule(std::string_view name) {
    for (const FrameRule& rule : frame_rules())
        if (rule.name == name) return &rule;
    return nullptr;
}

const FrameRule& rule_of(UpType type) {
    for (const FrameRule& rule : frame_rules())
        if (rule.type == type) return rule;
    UNREACHABLE();
}

Result<void> read_hello(const Fields& fields, UpFrame& frame) {
    frame.protocol = static_cast<int>(TRY(fields.number("protocol", 0, INT_MAX)));
    frame.digest = TRY(fields.text("digest", kMaxDigest));
    const auto allowed = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); };
    if (frame.digest.empty() || !std::all_of(frame.digest.begin(), frame.digest.end(), allowed))
        return Error("\"digest\" has characters other than 0-9 and a-z, or none");
    return {};
}

Result<void> read_publish(const Fields& fields, UpFrame& frame) {
    frame.id = TRY(fields.number("parent", 0, kMaxRequestId));
    frame.msg_type = TRY(fields.text("msg_type", SIZE_MAX));
    const auto& rules = publish_rules();
    const auto allowed = [&](const PublishRule& rule) { return rule.msg_type == frame.msg_type; };
    if (std::none_of(rules.begin(), rules.end(), allowed))
        return Error("a \"msg_type\" that the worker may not publish");
    if (fields.has("topic")) frame.topic = TRY(fields.text("topic", kMaxTopic));
    // Front ends look for <IDS|MSG> in the frames of a message, and the topic is one. An odd one is innocent
    // (a comm's id may be any text), so it is left out, and the kernel's default stands in.
    if (!std::all_of(frame.topic.begin(), frame.topic.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; }))
        frame.topic.clear();
    return {};
}

Result<void> read_reply(const Fields& fields, UpFrame& frame) {
    frame.id = TRY(fields.number("id", 1, kMaxRequestId));
    const std::string status = TRY(fields.text("status", SIZE_MAX));
    if (status == "ok")
        frame.status = ReplyStatus::ok;
    else if (status == "error")
        frame.status = ReplyStatus::error;
    else if (status == "aborted")
        frame.status = ReplyStatus::aborted;
    else
        return Error("an unknown \"status\"");
    if (fields.has("exit")) frame.exit = TRY(fields.flag("exit"));
    return {};
}

Result<void> read_id(const Fields& fields, UpFrame& frame) {
    frame.id = TRY(fields.number("id", 1, kMaxRequestId));
    return {};
}

Result<void> read_fields(const Fields& fields, UpFrame& frame) {
    switch (frame.type) {
        case UpType::hello:
            return read_hello(fields, frame);
        case UpType::publish:
            return read_publish(fields, frame);
        case UpType::reply:
            return read_reply(fields, frame);
        case UpType::input:
        case UpType::awaits:
            return read_id(fields, frame);
    }
    UNREACHABLE();
}

/// Header text and number of parts → a frame without its parts.
Result<UpFrame> read_header(std::string_view header, size_t part_count) {
    const Fields fields = TRY(Fields::scan(header));
    const FrameRule* const rule = find_rule(TRY(fields.text("type", SIZE_MAX)));
    if (!rule) return Error("an unknown \"type\"");
    if (part_count < rule->min_parts || part_count > rule->max_parts)
        return Error(std::string(rule->name) + ": " + std::to_string(part_count) + " parts, " +
                     std::to_string(rule->min_parts) + " to " + std::to_string(rule->max_parts) +
                     " are allowed");
    UpFrame frame;
    frame.type = rule->type;
    if (auto read = read_fields(fields, frame); !read)
        return std::move(read).error().context(std::string(rule->name));
    return frame;
}

}  // namespace

// clang-format off
const std::vector<FrameRule>& frame_rules() {
    static const std::vector<FrameRule> rules{
        //                        parts: min  max             JSON
        {UpType::hello,   "hello",       1,   1,              1, "names protocol and build, so that skew is a clear error; info for kernel_info_reply"},
        {UpType::publish, "publish",     2,   kMaxFrameParts, 2, "outputs of cells: metadata, content, then binary buffers of widgets"},
        {UpType::reply,   "reply",       2,   kMaxFrameParts, 2, "ends a request: metadata, content, then binary buffers"},
        {UpType::input,   "input",       1,   1,              1, "input() and getpass() ask the front end through the kernel"},
        {UpType::awaits,  "awaits",      1,   1,              1, "comm messages may be handled while the cell waits in the event loop"},
    };
    return rules;
}

const std::vector<PublishRule>& publish_rules() {
    static const std::vector<PublishRule> rules{
        {"stream",              "what cells print"},
        {"display_data",        "rich displays"},
        {"update_display_data", "displays that change, progress bars"},
        {"execute_input",       "the cell's number and code, which only the interpreter knows"},
        {"execute_result",      "the value of a cell's last expression"},
        {"error",               "tracebacks"},
        {"clear_output",        "animations and widgets"},
        {"comm_open",           "widgets"},
        {"comm_msg",            "widgets"},
        {"comm_close",          "widgets"},
        {"debug_event",         "the debugger of front ends"},
    };
    return rules;
}
// clang-format on

Result<void> FrameReader::feed(std::string_view bytes) {
    if (dead_) return Error("a frame before this one was broken");
    // The bytes of a big part go where they will stay.
    if (frame_ && unread().empty()) {
        if (auto filled = fill_parts(bytes); !filled) return die(std::move(filled).error());
    }
    // Moving only when more than half is consumed keeps the cost per byte constant however small the frames
    // are.
    if (consumed_ > buffer_.size() / 2) {
        buffer_.erase(0, consumed_);
        consumed_ = 0;
    }
    buffer_.append(bytes);
    return {};
}

Result<std::optional<UpFrame>> FrameReader::next() {
    if (dead_) return Error("a frame before this one was broken");
    if (!frame_) {
        auto begun = begin_frame();
        if (!begun) return die(std::move(begun).error());
        if (!*begun) return std::optional<UpFrame>();
    }
    std::string_view bytes = unread();
    const size_t before = bytes.size();
    if (auto filled = fill_parts(bytes); !filled) return die(std::move(filled).error());
    consume(before - bytes.size());
    if (part_ < part_sizes_.size()) return std::optional<UpFrame>();
    return std::exchange(frame_, std::nullopt);
}

size_t FrameReader::buffered() const {
    return unread().size() + (frame_ ? body_held_ : 0);
}

size_t FrameReader::wanted() const {
    if (!frame_) return 0;
    const size_t missing = body_size_ - body_held_;
    return missing - std::min(missing, unread().size());
}

/// Prefix and header. False while they are incomplete.
Result<bool> FrameReader::begin_frame() {
    const std::string_view bytes = unread();
    if (bytes.size() < kPrefixSize) return false;
    const size_t header_size = little_endian(bytes.substr(0, 4));
    const size_t part_count = little_endian(bytes.substr(4, 4));
    if (header_size < kMinFrameHeader || header_size > kMaxFrameHeader)
        return Error("a header of " + std::to_string(header_size) + " bytes, 2 to " +
                     std::to_string(kMaxFrameHeader) + " are allowed");
    if (part_count > kMaxFrameParts)
        return Error(std::to_string(part_count) + " parts, at most " + std::to_string(kMaxFrameParts) +
                     " are allowed");

    const size_t header_at = kPrefixSize + part_count * kPartSizeSize;
    if (bytes.size() < header_at) return false;
    std::vector<size_t> sizes;
    sizes.reserve(part_count);
    size_t body_size = 0;
    for (size_t at = kPrefixSize; at < header_at; at += kPartSizeSize) {
        sizes.push_back(little_endian(bytes.substr(at, kPartSizeSize)));
        // Subtracted, not added: the sum of two sizes could wrap around.
        if (sizes.back() > kMaxFrameBody.count - body_size)
            return Error("parts of together more than the " + to_text(kMaxFrameBody) + " allowed");
        body_size += sizes.back();
    }

    if (bytes.size() < header_at + header_size) return false;
    frame_ = TRY(read_header(bytes.substr(header_at, header_size), part_count));
    frame_->parts.resize(part_count);
    consume(header_at + header_size);
    json_parts_ = rule_of(frame_->type).json_parts;
    part_sizes_ = std::move(sizes);
    part_ = 0;
    body_size_ = body_size;
    body_held_ = 0;
    return true;
}

/// Moves bytes from the front of `bytes` into the parts of the frame under way, as many as belong to them.
Result<void> FrameReader::fill_parts(std::string_view& bytes) {
    for (; part_ < part_sizes_.size(); ++part_) {
        std::string& part = frame_->parts[part_];
        const size_t size = part_sizes_[part_];
        const std::string_view taken = bytes.substr(0, size - part.size());
        // Growing by doubling would copy a big part about twice. Once a quarter is there, the announced size
        // is believed: it cannot cost more than four times what the worker really sent.
        if (part.capacity() < size && part.size() + taken.size() >= size / 4) part.reserve(size);
        part.append(taken);
        bytes.remove_prefix(taken.size());
        body_held_ += taken.size();
        if (part.size() < size) return {};
        if (part_ >= json_parts_) continue;
        if (auto checked = check_json_object(part); !checked)
            return std::move(checked).error().context(std::string(rule_of(frame_->type).name) + ", part " +
                                                      std::to_string(part_ + 1));
    }
    return {};
}

Error FrameReader::die(Error error) {
    dead_ = true;
    frame_.reset();
    buffer_ = {};
    consumed_ = 0;
    return std::move(error).context("read a frame of the worker");
}

void FrameReader::consume(size_t count) {
    consumed_ += count;
    if (consumed_ == buffer_.size()) {
        buffer_.clear();
        consumed_ = 0;
    }
}

std::string encode_frame_prefix(std::string_view header, const std::vector<std::string_view>& parts) {
    CHECK(header.size() >= kMinFrameHeader && header.size() <= kMaxFrameHeader);
    CHECK(parts.size() <= kMaxFrameParts);
    std::string out;
    out.reserve(kPrefixSize + parts.size() * kPartSizeSize + header.size());
    append_little_endian(out, header.size(), 4);
    append_little_endian(out, parts.size(), 4);
    size_t body_size = 0;
    for (const std::string_view part : parts) {
        append_little_endian(out, part.size(), 8);
        body_size += part.size();
    }
    CHECK(body_size <= kMaxFrameBody.count);
    out += header;
    return out;
}

}  // namespace cellblock::protocol
