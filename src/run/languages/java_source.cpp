// A scanner for tokens, and a walk over them that counts braces.
#include "run/languages/java_source.hpp"

#include <algorithm>
#include <array>

#include "run/program.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;

constexpr std::array kTypes{"class"sv, "interface"sv, "enum"sv, "record"sv};

bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || static_cast<unsigned char>(c) >= 0x80U;
}

/// The position after a literal that begins at `at` with a quotation mark.
size_t after_literal(std::string_view code, size_t at) {
    const bool is_block = code.substr(at).starts_with(R"(""")");
    const std::string_view end = is_block ? std::string_view(R"(""")") : code.substr(at, 1);
    size_t i = at + end.size();
    while (i < code.size() && !code.substr(i).starts_with(end)) {
        if (code[i] == '\n' && !is_block) return i;  // not terminated: the compiler will say so
        i += code[i] == '\\' ? 2U : 1U;
    }
    return std::min(i + end.size(), code.size());
}

/// Names and single characters; annotations' "@" stays a token of its own.
std::vector<std::string_view> tokens_of(std::string_view code) {
    std::vector<std::string_view> tokens;
    for (size_t at = 0; at < code.size();) {
        const std::string_view rest = code.substr(at);
        const char c = code[at];
        if (rest.starts_with("//")) {
            at = std::min(code.find('\n', at), code.size());
        } else if (rest.starts_with("/*")) {
            const size_t end = code.find("*/", at + 2);
            at = end == std::string_view::npos ? code.size() : end + 2;
        } else if (c == '"' || c == '\'') {
            at = after_literal(code, at);
        } else if (is_name(c)) {
            size_t end = at;
            while (end < code.size() && is_name(code[end])) ++end;
            tokens.push_back(code.substr(at, end - at));
            at = end;
        } else {
            if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f')
                tokens.push_back(code.substr(at, 1));
            ++at;
        }
    }
    return tokens;
}

}  // namespace

JavaSource read_java_source(std::string_view code) {
    const std::vector<std::string_view> tokens = tokens_of(code.substr(0, kMaxUnderstood.count));
    const auto at = [&](size_t i) { return i < tokens.size() ? tokens[i] : std::string_view(); };
    JavaSource source;
    size_t depth = 0;
    size_t parentheses = 0;
    bool is_public = false;
    bool is_static = false;
    std::string type;
    for (size_t i = 0; i < tokens.size(); ++i) {
        const std::string_view token = tokens[i];
        if (token == "(") ++parentheses;
        if (token == ")" && parentheses > 0) --parentheses;
        if (parentheses > 0) continue;
        if (depth == 0 && token == "package" && source.package.empty())
            while (i + 1 < tokens.size() && at(i + 1) != ";") source.package += tokens[++i];
        if (depth == 0 && std::ranges::find(kTypes, token) != kTypes.end() && !at(i + 1).empty() &&
            is_name(at(i + 1)[0])) {
            type = at(i + 1);
            if (is_public && source.public_type.empty()) source.public_type = type;
        }
        const bool is_main = token == "void" && at(i + 1) == "main" && at(i + 2) == "(" && is_static;
        auto& types = source.types_with_main;
        // Once, however often: a long name would be as many copies.
        if (depth == 1 && is_main && (types.empty() || types.back() != type)) types.push_back(type);
        if (token == "{") ++depth;
        if (token == "}" && depth > 0) --depth;
        if (token == "public") is_public = true;
        if (token == "static") is_static = true;
        if (token == ";" || token == "{" || token == "}") is_public = is_static = false;
    }
    return source;
}

}  // namespace cellblock::run
