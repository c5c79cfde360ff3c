// The only file that includes toml++: its templates take seconds to compile.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#define TOML_MAX_NESTED_VALUES 8

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "profile/node.hpp"

namespace cellblock::profile {
namespace {

std::string place_of(const std::string& name, const toml::source_position& position) {
    return name + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

// Of what the parser says; it quotes the file.
constexpr size_t kMaxDescription = 200;

struct Mistake {
    std::string_view what;   ///< in the parser's description: what was being read …
    std::string_view found;  ///< … and what was the matter; empty: anything
    std::string_view sentence;
};

// What people write wrong, the first that fits. The parser's own words follow in parentheses: they are exact.
// clang-format off
constexpr std::array kMistakes{
    Mistake{"string",         "control character", "a text ends on the line where it begins; its closing quote is missing"},
    Mistake{"string",         "end-of-file",       "the closing quote of a text is missing"},
    Mistake{"string",         "escape",            "a backslash in quotes begins an escape; write two of them, or use single quotes"},
    Mistake{"",               "cannot redefine",   "this was already said further up"},
    Mistake{"key-value pair", "expected '='",      "after a key come \"=\" and its value"},
    Mistake{"key-value pair", "expected value",    "the value is missing"},
    Mistake{"table header",   "",                  "the name of a section stands in brackets, as in [limits]"},
    Mistake{"array",          "",                  "a list has commas between its values and \"]\" at its end"},
    Mistake{"leading zeroes", "",                  "a number does not begin with 0"},
    Mistake{"integer",        "",                  "this is neither a number nor a text; texts stand in quotes, as in memory = \"2GiB\""},
    Mistake{"floating-point", "",                  "this is neither a number nor a text; texts stand in quotes, as in memory = \"2GiB\""},
    Mistake{"boolean",        "",                  "a text stands in quotes, as in level = \"full\""},
    Mistake{"parsing value",  "",                  "this is no value; texts stand in straight quotes, as in memory = \"2GiB\""},
};
// clang-format on

std::string explained(std::string_view description) {
    constexpr std::string_view kPrefix = "Error while parsing ";
    const auto has = [&](std::string_view part) { return description.find(part) != std::string_view::npos; };
    const auto* mistake = std::ranges::find_if(
        kMistakes, [&](const Mistake& known) { return has(known.what) && has(known.found); });
    if (mistake == kMistakes.end()) return std::string(description.substr(0, kMaxDescription));
    const size_t skipped = description.starts_with(kPrefix) ? kPrefix.size() : 0;
    return std::string(mistake->sentence) + " (" + std::string(description.substr(skipped, kMaxDescription)) +
           ")";
}

/// Dotted keys nest as deep as a line is long, and the parser recurses for each level: so lines are bounded
/// first.
Result<void> check_shape(const std::string& text, const std::string& name) {
    if (text.size() > kMaxProfileSize)
        return Error("read " + name + ": it has more than " + to_text(Bytes{kMaxProfileSize}));
    size_t line = 1;
    for (size_t begin = 0; begin < text.size(); ++line) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        if (end - begin > kMaxLine)
            return Error("read " + name + ":" + std::to_string(line) + ":1: the line has more than " +
                         std::to_string(kMaxLine) + " bytes");
        begin = end + 1;
    }
    return {};
}

std::string real_text(double value) {
    char text[32];
    const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value);
    return error == std::errc{} ? std::string(std::begin(text), end) : "";
}

Node scalar(const toml::node& from) {
    Node node;
    if (const auto* text = from.as_string()) {
        node.kind = Node::Kind::text;
        node.text = text->get();
    } else if (const auto* whole = from.as_integer()) {
        node.kind = Node::Kind::whole;
        node.text = std::to_string(whole->get());
    } else if (const auto* real = from.as_floating_point()) {
        node.kind = Node::Kind::real;
        node.text = real_text(real->get());
    } else {
        node.text = from.is_boolean() ? "true or false" : "a date or time";
    }
    return node;
}

Result<Node> convert(const toml::node& from, const std::string& name, int depth) {
    Node node;
    const std::string place = place_of(name, from.source().begin);
    if (depth > kMaxDepth) return Error("read " + place + ": this is nested too deeply for a profile");
    if (const auto* table = from.as_table()) {
        node.kind = Node::Kind::table;
        if (table->size() > kMaxMembers)
            return Error("read " + place + ": more than " + std::to_string(kMaxMembers) + " keys");
        for (const auto& [key, value] : *table) {
            Node child = TRY(convert(value, name, depth + 1));
            child.key = std::string(key.str());
            child.key_place = place_of(name, key.source().begin);
            node.children.push_back(std::move(child));
        }
    } else if (const auto* array = from.as_array()) {
        node.kind = Node::Kind::list;
        if (array->size() > kMaxMembers)
            return Error("read " + place + ": more than " + std::to_string(kMaxMembers) + " values");
        for (const toml::node& value : *array) node.children.push_back(TRY(convert(value, name, depth + 1)));
    } else {
        node = scalar(from);
    }
    node.place = place;
    return node;
}

}  // namespace

Result<Node> parse_toml(const std::string& text, const std::string& name) {
    TRY(check_shape(text, name));
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed)
        return Error("read " + place_of(name, parsed.error().source().begin) + ": " +
                     explained(parsed.error().description()))
            .with_remedy("Profiles are written in TOML; docs/profiles.md has examples.");
    return convert(parsed.table(), name, 0);
}

}  // namespace cellblock::profile
