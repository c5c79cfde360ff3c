// One pass over the text, no recursion: the kinds of the open containers are bits of a fixed-size stack.
#include "protocol/json_scan.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <cstring>

#include "base/json_text.hpp"

namespace cellblock::protocol {
namespace {

constexpr size_t kStackDepth = 1024;

bool is_high_surrogate(uint32_t unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low_surrogate(uint32_t unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The UTF-16 unit of an escape "\uXXXX" at the start of `text`, if there is one.
std::optional<uint32_t> unicode_escape(std::string_view text) {
    if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
    uint32_t unit = 0;
    const char* const last = text.data() + 6;
    // from_chars takes no sign for unsigned types, so four digits it is.
    const auto [rest, error] = std::from_chars(text.data() + 2, last, unit, 16);
    if (error != std::errc{} || rest != last) return std::nullopt;
    return unit;
}

/// Walks over one text. Every step returns false after recording what is wrong where.
class Scanner {
  public:
    Scanner(std::string_view text, JsonDialect dialect)
        : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), dialect_(dialect) {}

    [[nodiscard]] const char* position() const { return p_; }
    [[nodiscard]] bool at_end() const { return p_ == end_; }
    /// The next byte; NUL, which no rule accepts, at the end.
    [[nodiscard]] char peek() const { return at_end() ? '\0' : *p_; }

    void skip_space() {
        while (!at_end() && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
    }

    bool take(char c) {
        if (peek() != c) return false;
        ++p_;
        return true;
    }

    bool fail(const char* reason) {
        reason_ = reason;
        return false;
    }

    [[nodiscard]] Error error() const {
        return Error("invalid JSON at byte " + std::to_string(p_ - begin_) + ": " + reason_);
    }

    bool string() {
        if (!take('"')) return fail("a string is expected");
        while (true) {
            p_ = skip_plain(p_, end_);
            if (at_end()) return fail("the text ends inside a string");
            if (take('"')) return true;
            if (*p_ == '\\') {
                if (!escape()) return false;
            } else if (static_cast<unsigned char>(*p_) < 0x20) {
                return fail("a control character in a string");
            } else {
                const Utf8Run run = utf8_run(p_, end_);
                if (!run.valid) return fail("bytes that are not UTF-8");
                p_ += run.size;
            }
        }
    }

    /// A member's name and its colon.
    bool name() {
        if (peek() != '"') return fail("a member name is expected");
        if (!string()) return false;
        skip_space();
        return take(':') || fail("a colon is expected");
    }

    /// One value of any kind, with all that is in it.
    bool value(int max_depth) {
        std::bitset<kStackDepth> is_object;
        size_t depth = 0;
        while (true) {
            skip_space();
            if (const char c = peek(); c == '{' || c == '[') {
                if (depth == static_cast<size_t>(max_depth)) return fail("nested too deep");
                is_object[depth++] = c == '{';
                ++p_;
                skip_space();
                if (take(c == '{' ? '}' : ']')) {
                    --depth;
                } else {
                    if (c == '{' && !name()) return false;
                    continue;
                }
            } else if (!scalar()) {
                return false;
            }
            // A value has ended: so do the containers that close behind it, until a comma announces the next
            // value.
            while (true) {
                if (depth == 0) return true;
                skip_space();
                if (take(',')) {
                    skip_space();
                    if (is_object[depth - 1] && !name()) return false;
                    break;
                }
                if (!take(is_object[depth - 1] ? '}' : ']'))
                    return fail("a comma or the closing bracket is expected");
                --depth;
            }
        }
    }

    /// The whole text as one object.
    bool document(int max_depth) {
        skip_space();
        if (peek() != '{') return fail("an object is expected");
        if (!value(max_depth)) return false;
        skip_space();
        return at_end() || fail("bytes after the object");
    }

  private:
    bool scalar() {
        switch (peek()) {
            case '"':
                return string();
            case 't':
                return word("true");
            case 'f':
                return word("false");
            case 'n':
                return word("null");
            case 'N':
                return lenient() ? word("NaN") : fail("NaN is not JSON");
            case 'I':
                return lenient() ? word("Infinity") : fail("Infinity is not JSON");
            default:
                return number();
        }
    }

    [[nodiscard]] bool lenient() const { return dialect_ == JsonDialect::lenient; }

    bool word(std::string_view text) {
        if (static_cast<size_t>(end_ - p_) < text.size() || std::memcmp(p_, text.data(), text.size()) != 0)
            return fail("a value is expected");
        p_ += text.size();
        return true;
    }

    bool digits() {
        if (!is_digit(peek())) return fail("a digit is expected");
        const char* const first = p_;
        while (is_digit(peek())) ++p_;
        return p_ - first <= kMaxDigits || fail("a number has too many digits");
    }

    bool number() {
        const bool negative = take('-');
        if (!is_digit(peek())) {
            if (negative && lenient() && peek() == 'I') return word("Infinity");
            return fail(negative ? "a digit is expected" : "a value is expected");
        }
        // No leading zeros: whatever follows a zero is not part of the number and fails there.
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            return digits();
        }
        return true;
    }

    bool escape() {
        const std::string_view rest(p_, static_cast<size_t>(end_ - p_));
        if (rest.size() < 2) return fail("the text ends inside a string");
        if (rest[1] != 'u') {
            if (std::string_view("\"\\/bfnrt").find(rest[1]) == std::string_view::npos)
                return fail("an unknown escape");
            p_ += 2;
            return true;
        }
        const auto unit = unicode_escape(rest);
        if (!unit) return fail("four hexadecimal digits are expected after \\u");
        size_t size = 6;
        if (!lenient()) {
            if (is_high_surrogate(*unit)) {
                const auto second = unicode_escape(rest.substr(6));
                if (!second || !is_low_surrogate(*second)) return fail("a lone surrogate escape");
                size = 12;
            } else if (is_low_surrogate(*unit)) {
                return fail("a lone surrogate escape");
            }
        }
        p_ += size;
        return true;
    }

    const char* begin_;
    const char* p_;
    const char* end_;
    JsonDialect dialect_;
    const char* reason_ = "";
};

/// The text of a checked string literal without its quotes, escapes undone.
std::string unescape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const size_t run = std::min(text.find('\\'), text.size());
        out.append(text.substr(0, run));
        text.remove_prefix(run);
        if (text.empty()) break;
        if (const auto unit = unicode_escape(text)) {
            text.remove_prefix(6);
            uint32_t code_point = *unit;
            if (is_high_surrogate(*unit)) {
                const auto second = unicode_escape(text);
                if (second && is_low_surrogate(*second)) {
                    text.remove_prefix(6);
                    code_point = 0x10000 + ((*unit - 0xD800) << 10) + (*second - 0xDC00);
                }
            }
            const bool lone = code_point >= 0xD800 && code_point <= 0xDFFF;
            append_utf8(out, lone ? 0xFFFD : code_point);
            continue;
        }
        switch (text[1]) {
            case 'b':
                out.push_back('\b');
                break;
            case 'f':
                out.push_back('\f');
                break;
            case 'n':
                out.push_back('\n');
                break;
            case 'r':
                out.push_back('\r');
                break;
            case 't':
                out.push_back('\t');
                break;
            default:
                out.push_back(text[1]);
        }
        text.remove_prefix(2);
    }
    return out;
}

/// [first, last) without the quotes around it.
std::string_view inside_quotes(const char* first, const char* last) {
    return {first + 1, static_cast<size_t>(last - first - 2)};
}

}  // namespace

Result<void> check_json_object(std::string_view text, int max_depth, JsonDialect dialect) {
    CHECK(max_depth >= 0 && static_cast<size_t>(max_depth) <= kStackDepth);
    Scanner scanner(text, dialect);
    if (!scanner.document(max_depth)) return scanner.error();
    return {};
}

namespace {

/// `open` entry, entry … `close` and nothing else: calls `take_entry` at the start of each entry.
template <class TakeEntry>
bool scan_list(Scanner& scanner, char open, char close, const char* expected, const TakeEntry& take_entry) {
    scanner.skip_space();
    if (!scanner.take(open)) return scanner.fail(expected);
    scanner.skip_space();
    bool closed = scanner.take(close);
    while (!closed) {
        scanner.skip_space();
        if (!take_entry()) return false;
        scanner.skip_space();
        closed = scanner.take(close);
        if (!closed && !scanner.take(',')) return scanner.fail("a comma or the closing bracket is expected");
    }
    scanner.skip_space();
    return scanner.at_end() || scanner.fail("bytes after the closing bracket");
}

bool scan_value(Scanner& scanner, std::string_view& value) {
    const char* const begin = scanner.position();
    if (!scanner.value(kMaxJsonDepth - 1)) return false;
    value = {begin, static_cast<size_t>(scanner.position() - begin)};
    return true;
}

}  // namespace

Result<std::vector<JsonMember>> scan_object(std::string_view text, size_t max_members) {
    std::vector<JsonMember> members;
    Scanner scanner(text, JsonDialect::lenient);
    const auto take_member = [&] {
        if (members.size() == max_members) return scanner.fail("too many members");
        const char* const name = scanner.position();
        if (!scanner.string()) return false;
        JsonMember member{unescape(inside_quotes(name, scanner.position())), {}};
        scanner.skip_space();
        if (!scanner.take(':')) return scanner.fail("a colon is expected");
        scanner.skip_space();
        if (!scan_value(scanner, member.value)) return false;
        members.push_back(std::move(member));
        return true;
    };
    if (!scan_list(scanner, '{', '}', "an object is expected", take_member)) return scanner.error();
    return members;
}

Result<std::vector<std::string_view>> scan_array(std::string_view text, size_t max_values) {
    std::vector<std::string_view> values;
    Scanner scanner(text, JsonDialect::lenient);
    const auto take_value = [&] {
        if (values.size() == max_values) return scanner.fail("too many values");
        return scan_value(scanner, values.emplace_back());
    };
    if (!scan_list(scanner, '[', ']', "a list is expected", take_value)) return scanner.error();
    return values;
}

std::optional<std::string_view> find_member(const std::vector<JsonMember>& members, std::string_view key) {
    for (auto member = members.rbegin(); member != members.rend(); ++member)
        if (member->key == key) return member->value;
    return std::nullopt;
}

std::optional<std::string> as_string(std::string_view value) {
    Scanner scanner(value, JsonDialect::lenient);
    if (!scanner.string() || !scanner.at_end()) return std::nullopt;
    return unescape(inside_quotes(value.data(), scanner.position()));
}

std::optional<std::string_view> as_plain_string(std::string_view value) {
    if (value.size() < 2 || value.front() != '"') return std::nullopt;
    const std::string_view text = inside_quotes(value.data(), value.data() + value.size());
    return text.find('\\') == std::string_view::npos ? std::optional(text) : std::nullopt;
}

std::string text_member(const std::vector<JsonMember>& members, std::string_view key) {
    const auto value = find_member(members, key);
    return value ? as_string(*value).value_or("") : "";
}

std::string text_member(std::string_view object, std::string_view key) {
    const auto members = scan_object(object);
    return members ? text_member(*members, key) : "";
}

std::optional<int64_t> as_integer(std::string_view value) {
    int64_t number = 0;
    const char* const end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc{} || rest != end) return std::nullopt;
    return number;
}

std::optional<bool> as_bool(std::string_view value) {
    if (value == "true") return true;
    if (value == "false") return false;
    return std::nullopt;
}

}  // namespace cellblock::protocol
