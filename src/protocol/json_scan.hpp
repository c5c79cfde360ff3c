// Reading JSON without building it: validation of text that is passed on byte for byte, and the byte ranges
// of an object's members. Key order, big integers and float notation of what front ends and worker exchange
// survive, because nobody re-writes them. Iterative, bounded by depth, allocates nothing but the result. RFC
// 8259 with valid UTF-8 and no trailing bytes; duplicate keys are allowed and the last one counts, as in
// Python and JavaScript.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_text.hpp"
#include "base/result.hpp"

namespace cellblock::protocol {

/// Python's json module recurses: deeper documents would break front ends, not us.
inline constexpr int kMaxJsonDepth = 200;
/// Digits in a row that are taken. Python's json fails at longer integers
/// (sys.int_info.default_max_str_digits), and with it the front end that reads the message.
inline constexpr int kMaxDigits = 4300;

/// What beyond RFC 8259 is let pass.
enum class JsonDialect {
    /// Nothing, and no lone surrogate escapes: for what reaches front ends. JSON.parse throws at NaN, and
    /// Python cannot encode a lone surrogate when it writes the notebook; a message with either would be lost
    /// or break its reader.
    strict,
    /// NaN, Infinity, -Infinity and lone surrogate escapes (\ud800): for requests. Python's json writes the
    /// former, any JavaScript string with half a pair becomes the latter, and the worker's json module reads
    /// both. Dropping such a request would leave the front end waiting for its reply.
    lenient,
};

/// Is `text` exactly one JSON object? The error names the byte offset and what is wrong there. `max_depth`
/// counts the object itself and is at most 1,024.
Result<void> check_json_object(std::string_view text, int max_depth = kMaxJsonDepth,
                               JsonDialect dialect = JsonDialect::strict);

/// One member of an object: `key` with its escapes undone, `value` as the bytes of the text (it points into
/// them).
struct JsonMember {
    std::string key;
    std::string_view value;
};

/// The members of a top-level object, in order, duplicates included. At most `max_members`. Checks the text
/// like check_json_object does, in the lenient dialect: use that one first where strictness matters.
Result<std::vector<JsonMember>> scan_object(std::string_view text, size_t max_members = 256);

/// The values of a list, in order, as scan_object() gives those of an object.
Result<std::vector<std::string_view>> scan_array(std::string_view text, size_t max_values);

/// The value of the last member called `key` (as Python's json decides), or nothing.
std::optional<std::string_view> find_member(const std::vector<JsonMember>& members, std::string_view key);

// Values out of byte ranges that scan_object returned; nothing when the value is of another kind or out of
// range. A lone surrogate escape becomes U+FFFD: it has no UTF-8. 1.0 and 1e3 are no integers.
std::optional<std::string> as_string(std::string_view value);
/// The same of a string in which nothing is escaped, as figures are: a part of `value`, neither copied nor
/// checked again; nothing for others.
std::optional<std::string_view> as_plain_string(std::string_view value);
std::optional<int64_t> as_integer(std::string_view value);
std::optional<bool> as_bool(std::string_view value);

/// The value of the last member called `key`; empty when there is none or it is no text.
std::string text_member(const std::vector<JsonMember>& members, std::string_view key);
/// The same of the text of an object; empty, too, when it is none.
std::string text_member(std::string_view object, std::string_view key);

/// The way back.
using cellblock::json_string;

}  // namespace cellblock::protocol
