// One record of the audit log: a line of JSON whose frame is always the same, so that it can be checked
// without reading JSON, and reproduced with head(1) and sha256sum(1). docs/audit-log.md is the contract.
//
//     {"v":1,"seq":7,"prev":"<64 hex>","time":"2026-01-31T12:00:00.123456Z","type":"cell_end", … ,"hash":"<64
//     hex>"}
//
// `hash` is the SHA-256 of the line's bytes before `,"hash":`; `prev` is the hash of the record before, and
// is among those bytes, so that each hash stands for all that came before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "observe/hash.hpp"

namespace cellblock::observe {

inline constexpr int kRecordVersion = 1;
/// A line with its line feed. Longer lines are no records.
inline constexpr size_t kMaxRecord = 64 * 1024;
/// What one text takes, escaped; what is longer is cut, and the record says so in "cut".
inline constexpr size_t kMaxText = 1024;
/// The code of a cell, where it is recorded.
inline constexpr size_t kMaxCode = 32 * 1024;
/// All members of a record beside its frame.
inline constexpr size_t kMaxMembers = kMaxRecord - 1024;

using Time = std::chrono::system_clock::time_point;

/// "2026-01-31T12:00:00.123456Z".
std::string to_text(Time time);

/// `text` as a JSON string in which nothing is hidden: printable_json() of it, C0 controls escaped too; bytes
/// that are not UTF-8 become U+FFFD.
std::string quoted(std::string_view text);

/// The members that a type of record adds to the frame, in the order of the calls.
class Members {
  public:
    /// `most`: bytes that the text may take, escaped.
    Members& text(std::string_view key, std::string_view value, size_t most = kMaxText);
    Members& integer(std::string_view key, int64_t value);
    Members& flag(std::string_view key, bool value);
    Members& hash(std::string_view key, const Hash& value) { return text(key, to_hex(value)); }
    /// A list of objects, of which the members are kept; as many of the first ones as find room.
    Members& list(std::string_view key, const std::vector<Members>& objects);

    /// All of `others` after these.
    Members& append(const Members& others);
    /// `{"key":value …}`: these members by themselves.
    [[nodiscard]] std::string object() const;
    /// `,"key":value …`, with "cut" at the end where something was cut or left out.
    [[nodiscard]] std::string body() const;
    [[nodiscard]] bool empty() const { return body_.empty() && cut_.empty(); }

  private:
    void add(std::string_view key, std::string_view json);

    std::string body_;
    std::vector<std::string> cut_;
};

/// What is to be recorded.
struct Entry {
    std::string_view type;  ///< of lower-case letters and "_"; a literal
    Members members;
    Time time = std::chrono::system_clock::now();
};

/// A record's place in the chain. Before the first record: 0 and zeros.
struct Position {
    uint64_t seq = 0;
    Hash hash{};
    bool operator==(const Position&) const = default;
};

/// The record that follows `previous`, with its line feed.
struct Line {
    std::string text;
    Position position;
};
Line format_record(const Position& previous, const Entry& entry);

/// The parts of a line; the views point into it.
struct Record {
    uint64_t seq = 0;
    Hash prev{};
    std::string_view time;
    std::string_view type;
    std::string_view hashed;  ///< the bytes that `hash` is about
    Hash hash{};

    [[nodiscard]] Position position() const { return {seq, hash}; }
};
/// Nothing when the line, without its line feed, does not have the frame of a record.
std::optional<Record> parse_record(std::string_view line);
/// parse_record(), and nothing either when the record's hash is not that of its bytes.
std::optional<Record> parse_intact(std::string_view line);

}  // namespace cellblock::observe
