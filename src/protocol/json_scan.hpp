// Reading JSON without building it: validation of text that is passed on byte for byte, and the byte ranges of an
// object's members. Key order, big integers and float notation of what front ends and worker exchange survive,
// because nobody re-writes them. Iterative, bounded by depth, allocates nothing but the result. RFC 8259, strict:
// valid UTF-8, no lone surrogate escapes, no trailing bytes, no duplicate checks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cellblock::protocol {

/// Python's json module recurses: deeper documents would break front ends, not us.
inline constexpr int kMaxJsonDepth = 200;

/// Is `text` exactly one JSON object? The error names the byte offset and what is wrong there.
Result<void> check_json_object(std::string_view text, int max_depth = kMaxJsonDepth);

/// One member of an object: `key` with its escapes undone, `value` as the bytes of the text.
struct JsonMember {
    std::string key;
    std::string_view value;
};

/// The members of a top-level object, in order, duplicates included. At most `max_members`.
Result<std::vector<JsonMember>> scan_object(std::string_view text, size_t max_members = 256);

/// The value of the last member called `key` (as Python's json decides), or nothing.
std::optional<std::string_view> find_member(const std::vector<JsonMember>& members, std::string_view key);

// Values out of byte ranges that scan_object returned; nothing when the value is of another kind or out of range.
std::optional<std::string> as_string(std::string_view value);
std::optional<int64_t> as_integer(std::string_view value);
std::optional<bool> as_bool(std::string_view value);

/// `text` as a JSON string literal, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace cellblock::protocol
