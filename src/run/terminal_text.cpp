#include "run/terminal_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hex.hpp"
#include "base/json_text.hpp"
#include "base/printable.hpp"

namespace cellblock::run {
namespace {

/// "ESC [ digits and ; m" is at most so long.
constexpr size_t kMaxColour = 64;
constexpr char kEscape = '\x1b';
constexpr std::string_view kNoColour = "\x1b[0m";

struct Numbers {
    int first;
    int last;
    std::string_view what;
};
// clang-format off
/// Parameters that stand alone. Not among them: 8, which conceals, and fonts (10 to 20), some of which make
/// the terminal show other characters.
constexpr std::array kPlainParameters{
    Numbers{0, 7, "none, weights, underline, blink, reverse"},
    Numbers{9, 9, "crossed out"},
    Numbers{21, 25, "their ends"},
    Numbers{27, 37, "their ends; colours"},
    Numbers{39, 47, "no colour; colours of the background"},
    Numbers{49, 49, "none"},
    Numbers{53, 53, "overline"},
    Numbers{55, 55, "its end"},
    Numbers{59, 59, "no colour of underlines"},
    Numbers{90, 97, "bright colours"},
    Numbers{100, 107, "bright backgrounds"},
};
// clang-format on

/// -1: no number of a parameter.
int number_of(std::string_view text) {
    if (text.empty()) return 0;
    int value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

std::string_view next_of(std::string_view& list, char separator) {
    const std::string_view first = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(first.size() + 1, list.size()));
    return first;
}

/// Text, background, underline: a colour of a palette or of three parts follows.
bool takes_colour(int parameter) {
    return parameter == 38 || parameter == 48 || parameter == 58;
}

/// "38:2::255:0:0", "4:3".
bool is_plain_group(std::string_view group) {
    const int parameter = number_of(next_of(group, ':'));
    const int kind = number_of(next_of(group, ':'));
    return takes_colour(parameter) ? kind == 2 || kind == 5 : parameter == 4;
}

/// Whether the parameters of an SGR sequence change nothing but colours and weights.
bool are_plain(std::string_view parameters) {
    do {
        const std::string_view group = next_of(parameters, ';');
        if (group.find(':') != std::string_view::npos) {
            if (!is_plain_group(group)) return false;
            continue;
        }
        const int parameter = number_of(group);
        if (takes_colour(parameter)) {
            const int kind = number_of(next_of(parameters, ';'));
            if (kind != 2 && kind != 5) return false;
            for (int left = kind == 2 ? 3 : 1; left > 0; --left)
                if (number_of(next_of(parameters, ';')) < 0) return false;
        } else if (std::ranges::none_of(kPlainParameters, [&](const Numbers& row) {
                       return parameter >= row.first && parameter <= row.last;
                   })) {
            return false;
        }
    } while (!parameters.empty());
    return true;
}

enum class Kind { not_one, unfinished, whole };

/// Whether a sequence that sets colours begins here, and its size.
std::pair<Kind, size_t> colour_at(std::string_view text) {
    size_t at = 1;
    if (at < text.size() && text[at] != '[') return {Kind::not_one, 0};
    for (++at; at < std::min(text.size(), kMaxColour); ++at) {
        if (text[at] == 'm')
            return are_plain(text.substr(2, at - 2)) ? std::pair{Kind::whole, at + 1}
                                                     : std::pair{Kind::not_one, size_t{0}};
        if ((text[at] < '0' || text[at] > '9') && text[at] != ';' && text[at] != ':')
            return {Kind::not_one, 0};
    }
    return {text.size() < kMaxColour ? Kind::unfinished : Kind::not_one, 0};
}

/// Controls of C1 as UTF-8: C2 80 … C2 9F.
bool is_c1(std::string_view character) {
    return character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

std::string TerminalText::finish() {
    std::string out = next("", true);
    if (is_coloured_) out += kNoColour;
    return out;
}

std::string TerminalText::next(std::string_view bytes, bool is_last) {
    const std::string all = unfinished_ + std::string(bytes);
    std::string_view text = all;
    unfinished_.clear();
    std::string out;
    while (!text.empty()) {
        const size_t size = step(text, is_last, out);
        if (size == 0) {
            unfinished_ = text;
            break;
        }
        text.remove_prefix(size);
    }
    return out;
}

size_t TerminalText::step(std::string_view text, bool is_last, std::string& out) {
    if (text[0] == kEscape) {
        const auto [kind, size] = colour_at(text);
        if (kind == Kind::unfinished && !is_last) return 0;
        if (kind == Kind::whole) {
            is_coloured_ = true;
            out += text.substr(0, size);
            return size;
        }
    }
    if (text[0] == '\r') return step_return(text, is_last, out);
    if (text[0] == '\n') {
        line_ = {};
        out += '\n';
        return 1;
    }
    return step_character(text, is_last, out);
}

size_t TerminalText::step_return(std::string_view text, bool is_last, std::string& out) {
    if (line_.is_own) {
        out += '\r';
        return 1;
    }
    if (text.size() == 1 && !is_last) return 0;
    line_ = {};
    out += text.starts_with("\r\n") ? "\r\n" : "\n";
    return text.starts_with("\r\n") ? 2 : 1;
}

size_t TerminalText::step_character(std::string_view text, bool is_last, std::string& out) {
    const auto byte = static_cast<unsigned char>(text[0]);
    size_t size = 1;
    bool passes = (byte >= 0x20 || byte == '\t') && byte != 0x7f;
    if (byte >= 0x80) {
        const Utf8Run run = utf8_run(text.data(), text.data() + text.size());
        const bool has_begun =
            !run.valid && text.size() < kMaxCharacter && whole_characters(text) < text.size();
        if (has_begun && !is_last) return 0;
        size = run.size;
        const std::string_view character = text.substr(0, size);
        passes = run.valid && !is_c1(character) && !turns_writing(character);
    }
    line_.is_empty = false;
    for (const char c : text.substr(0, size))
        if (passes)
            out += c;
        else
            append_hex(out += "\\x", static_cast<unsigned char>(c));
    return size;
}

}  // namespace cellblock::run
