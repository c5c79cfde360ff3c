// One table of ranges: what is drawn as nothing, or moves what is drawn.
#include "base/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/hex.hpp"
#include "base/json_text.hpp"

namespace cellblock {
namespace {

/// The code point at the front of `text` and its length; length 0 for what is no UTF-8 (RFC 3629).
std::pair<uint32_t, size_t> first_code_point(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const size_t length = first < 0x80                    ? 1
                          : first >= 0xc2 && first < 0xe0 ? 2
                          : first >= 0xe0 && first < 0xf0 ? 3
                          : first >= 0xf0 && first < 0xf5 ? 4
                                                          : 0;
    if (length == 0 || length > text.size()) return {0, 0};
    if (length == 1) return {first, 1};
    uint32_t value = first & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return {0, 0};
        value = value << 6U | (byte(i) & 0x3fU);
    }
    constexpr std::array<uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    if (value < kLeast[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {0, 0};
    return {value, length};
}

struct Range {
    uint32_t first;
    uint32_t last;
    std::string_view what;
};
// clang-format off
constexpr std::array kSteering{
    Range{0x00, 0x1f, "control characters"},
    Range{0x7f, 0x9f, "control characters, CSI and OSC in one byte among them"},
    Range{0xad, 0xad, "soft hyphen: not drawn"},
    Range{0x34f, 0x34f, "grapheme joiner: not drawn"},
    Range{0x61c, 0x61c, "Arabic letter mark: direction of writing"},
    Range{0x115f, 0x1160, "Hangul fillers: drawn as nothing"},
    Range{0x17b4, 0x17b5, "Khmer inherent vowels: not drawn"},
    Range{0x180b, 0x180f, "Mongolian selectors: not drawn"},
    Range{0x200b, 0x200f, "zero width, direction of writing"},
    Range{0x2028, 0x202e, "line separators, direction of writing"},
    Range{0x2060, 0x206f, "not drawn, direction of writing"},
    Range{0x3164, 0x3164, "Hangul filler: drawn as nothing"},
    Range{0xfe00, 0xfe0f, "variation selectors: not drawn"},
    Range{0xfeff, 0xfeff, "byte order mark: not drawn"},
    Range{0xffa0, 0xffa0, "Hangul filler: drawn as nothing"},
    Range{0xfff9, 0xfffb, "annotations: hide text"},
    Range{0x1bca0, 0x1bca3, "shorthand controls: not drawn"},
    Range{0x1d173, 0x1d17a, "musical controls: not drawn"},
    Range{0xe0000, 0x10ffff, "tags and private use: not drawn, or unknown"},
};
// clang-format on

/// Of those above. Marks of one direction are not among them: honest texts of two scripts need them.
constexpr std::array kTurning{
    Range{0x202a, 0x202e, "embeddings, overrides and their end"},
    Range{0x2066, 0x2069, "isolates and their end"},
};

bool is_in(std::span<const Range> ranges, uint32_t c) {
    return std::ranges::any_of(ranges,
                               [c](const Range& range) { return c >= range.first && c <= range.last; });
}

bool steers(uint32_t c) {
    return is_in(kSteering, c);
}

enum class Style { name, line, sentence };

std::string escaped(std::string_view text, Style style) {
    std::string out;
    while (!text.empty()) {
        const auto [code_point, length] = first_code_point(text);
        const std::string_view shown = text.substr(0, length == 0 ? 1 : length);
        if (style == Style::sentence && code_point == '\n')
            out += "\n    ";
        else if (length == 0 || steers(code_point) || (style == Style::name && code_point == '\\'))
            for (const char c : shown) append_hex(out += "\\x", static_cast<unsigned char>(c));
        else
            out += shown;
        text.remove_prefix(shown.size());
    }
    return out;
}

bool is_plain_ascii(char c) {
    return c >= 0x20 && c < 0x7f;
}

// One UTF-16 unit, as JSON escapes it.
void append_unit(std::string& out, uint32_t unit) {
    append_hex(out += "\\u", static_cast<unsigned char>(unit >> 8U));
    append_hex(out, static_cast<unsigned char>(unit & 0xffU));
}

}  // namespace

bool turns_writing(std::string_view character) {
    return !character.empty() && is_in(kTurning, first_code_point(character).first);
}

std::string printable(std::string_view name) {
    return escaped(name, Style::name);
}

std::string in_quotes(std::string_view text) {
    constexpr size_t kMaxQuoted = 64;
    return "\"" + printable(text.substr(0, kMaxQuoted)) + "\"";
}

std::string printable_line(std::string_view text) {
    return escaped(text, Style::line);
}

std::string printable_sentence(std::string_view text) {
    return escaped(text, Style::sentence);
}

std::string printable_json(std::string_view json) {
    // Most of it is plain.
    const auto* const first = std::ranges::find_if_not(json, is_plain_ascii);
    std::string out(json.begin(), first);
    json.remove_prefix(static_cast<size_t>(first - json.begin()));
    while (!json.empty()) {
        const auto [code_point, length] = first_code_point(json);
        const std::string_view shown = json.substr(0, length == 0 ? 1 : length);
        if (length == 0)
            out += kReplacement;
        else if (code_point < 0x20)
            out += code_point == '\n' ? '\n' : ' ';
        else if (!steers(code_point))
            out += shown;
        else if (code_point < 0x10000)
            append_unit(out, code_point);
        else {
            append_unit(out, 0xd800 + ((code_point - 0x10000) >> 10U));
            append_unit(out, 0xdc00 + (code_point & 0x3ffU));
        }
        json.remove_prefix(shown.size());
    }
    return out;
}

}  // namespace cellblock
