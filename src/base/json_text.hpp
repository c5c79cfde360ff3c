// JSON strings: plain bytes, UTF-8 and its replacement. Shared by all who write JSON and by the scanner of
// messages. Strings are where the bytes are (a 50 MB figure is one base64 string), so plain bytes are
// skipped sixteen at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cellblock {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Inside a string: ASCII that needs no look, that is no quote, no backslash, no control character.
bool is_plain(char c);
/// The first byte from `p` on that is not plain, or `end`.
const char* skip_plain(const char* p, const char* end);

/// A UTF-8 sequence, or the longest start of one (at least one byte) that no valid sequence continues.
struct Utf8Run {
    size_t size;
    bool valid;
};

/// At a byte from 0x80 on. The ranges of the second byte keep overlong forms, surrogates and everything
/// beyond U+10FFFF out (Unicode, table 3-7).
Utf8Run utf8_run(const char* p, const char* end);

/// The beginning of `text`, at most `most` bytes, that ends between two characters.
std::string_view whole_prefix(std::string_view text, size_t most);

/// A character has at most so many bytes.
inline constexpr size_t kMaxCharacter = 4;
/// The size of `bytes` without a character at its end that has only begun.
size_t whole_characters(std::string_view bytes);

/// Appends a code point that is no surrogate, at most U+10FFFF.
void append_utf8(std::string& out, uint32_t code_point);

/// `text` as a JSON string literal, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace cellblock
