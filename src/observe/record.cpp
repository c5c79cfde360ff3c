// Writing and reading the frame of a record.
#include "observe/record.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/check.hpp"
#include "base/json_text.hpp"
#include "base/printable.hpp"

namespace cellblock::observe {
namespace {

constexpr std::string_view kBegin = "{\"v\":1,\"seq\":";
static_assert(kRecordVersion == 1, "kBegin writes the version");
constexpr std::string_view kPrev = ",\"prev\":\"";
constexpr std::string_view kTime = "\",\"time\":\"";
constexpr std::string_view kType = "\",\"type\":\"";
constexpr std::string_view kHash = ",\"hash\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr size_t kHashDigits = 2 * std::tuple_size_v<Hash>;
constexpr size_t kTimeSize = std::string_view("2026-01-31T12:00:00.123456Z").size();
/// A text is made at most so much longer by escapes: \u001b for one byte.
constexpr size_t kMostExpansion = 6;
/// How many names "cut" may hold; no type of record has so many members.
constexpr size_t kMaxCut = 16;
constexpr size_t kRoomForCut = kMaxCut * 32;

/// Takes `expected` from the front.
bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

}  // namespace

std::string to_text(Time time) {
    const auto since = std::chrono::floor<std::chrono::microseconds>(time).time_since_epoch().count();
    const std::time_t seconds = since / 1'000'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
    const std::string micros = std::to_string(1'000'000 + since % 1'000'000).substr(1);
    return std::string(text.data(), size) + micros + "Z";
}

std::string quoted(std::string_view text) {
    return printable_json(json_string(text));
}

void Members::add(std::string_view key, std::string_view json) {
    if (body_.size() + key.size() + json.size() > kMaxMembers - kRoomForCut) {
        cut_.emplace_back(key);
        return;
    }
    body_ += ",\"";
    body_ += key;
    body_ += "\":";
    body_ += json;
}

Members& Members::text(std::string_view key, std::string_view value, size_t most) {
    std::string_view kept = whole_prefix(value, most);
    std::string json = quoted(kept);
    if (json.size() > most + 2) {
        // Mostly escapes: so much less that it fits, whatever it is made of.
        kept = whole_prefix(value, most / kMostExpansion);
        json = quoted(kept);
    }
    if (kept.size() < value.size()) cut_.emplace_back(key);
    add(key, json);
    return *this;
}

Members& Members::integer(std::string_view key, int64_t value) {
    add(key, std::to_string(value));
    return *this;
}

Members& Members::flag(std::string_view key, bool value) {
    add(key, value ? "true" : "false");
    return *this;
}

Members& Members::list(std::string_view key, const std::vector<Members>& objects) {
    static constexpr size_t kMaxList = 16 * 1024;
    std::string json = "[";
    for (const Members& object : objects) {
        const std::string one = object.object();
        if (json.size() + one.size() > kMaxList) {
            cut_.emplace_back(key);
            break;
        }
        json += (json.size() > 1 ? "," : "") + one;
    }
    add(key, json + "]");
    return *this;
}

Members& Members::append(const Members& others) {
    if (body_.size() + others.body_.size() > kMaxMembers - kRoomForCut)
        cut_.emplace_back("others");
    else
        body_ += others.body_;
    cut_.insert(cut_.end(), others.cut_.begin(), others.cut_.end());
    return *this;
}

std::string Members::object() const {
    std::string members = body();
    if (!members.empty()) members.erase(0, 1);
    return "{" + members + "}";
}

std::string Members::body() const {
    if (cut_.empty()) return body_;
    std::string names;
    for (size_t i = 0; i < std::min(cut_.size(), kMaxCut); ++i)
        names += (i == 0 ? "\"" : ",\"") + cut_[i] + "\"";
    return body_ + ",\"cut\":[" + names + "]";
}

Line format_record(const Position& previous, const Entry& entry) {
    Line line;
    line.position.seq = previous.seq + 1;
    std::string& text = line.text;
    text = kBegin;
    text += std::to_string(line.position.seq);
    text += kPrev;
    text += to_hex(previous.hash);
    text += kTime;
    text += to_text(entry.time);
    text += kType;
    text += entry.type;
    text += '"';
    text += entry.members.body();
    line.position.hash = Sha256::of(text);
    text += kHash;
    text += to_hex(line.position.hash);
    text += kEnd;
    text += '\n';
    CHECK(text.size() <= kMaxRecord);
    return line;
}

std::optional<Record> parse_record(std::string_view line) {
    if (line.size() >= kMaxRecord) return {};
    Record record;
    std::string_view rest = line;
    if (!take(rest, kBegin)) return {};
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), record.seq);
    if (error != std::errc{} || rest.front() == '0') return {};
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    if (!take(rest, kPrev) || !from_hex(rest.substr(0, kHashDigits), record.prev)) return {};
    rest.remove_prefix(kHashDigits);
    if (!take(rest, kTime) || rest.size() < kTimeSize) return {};
    record.time = rest.substr(0, kTimeSize);
    rest.remove_prefix(kTimeSize);
    if (!take(rest, kType)) return {};
    record.type = rest.substr(0, rest.find('"'));
    rest.remove_prefix(record.type.size());

    const size_t tail = kHash.size() + kHashDigits + kEnd.size();
    if (!rest.ends_with(kEnd) || rest.size() < 1 + tail) return {};
    record.hashed = line.substr(0, line.size() - tail);
    std::string_view hash = line.substr(record.hashed.size());
    if (!take(hash, kHash) || !from_hex(hash.substr(0, kHashDigits), record.hash)) return {};
    return record;
}

std::optional<Record> parse_intact(std::string_view line) {
    auto record = parse_record(line);
    if (record && Sha256::of(record->hashed) != record->hash) return {};
    return record;
}

}  // namespace cellblock::observe
