// One pass over the lines.
#include "run/languages/toml_lines.hpp"

#include <algorithm>

namespace cellblock::run {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r";
    const size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// The text within quotation marks at the beginning, unless something is escaped in it.
std::string_view quoted(std::string_view text) {
    if (text.size() < 2 || (text[0] != '"' && text[0] != '\'')) return {};
    const size_t end = text.find(text[0], 1);
    if (end == std::string_view::npos) return {};
    const std::string_view content = text.substr(1, end - 1);
    return content.find('\\') == std::string_view::npos ? content : std::string_view();
}

}  // namespace

std::string toml_string(std::string_view text, std::string_view table, std::string_view key) {
    std::string current;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = trimmed(text.substr(at, end - at));
        at = end + 1;
        if (line.starts_with('[')) {
            const size_t close = line.rfind(']');
            current = close == std::string_view::npos ? "?" : std::string(trimmed(line.substr(1, close - 1)));
            continue;
        }
        const size_t equals = line.find('=');
        if (current != table || equals == std::string_view::npos || trimmed(line.substr(0, equals)) != key)
            continue;
        return std::string(quoted(trimmed(line.substr(equals + 1))));
    }
    return "";
}

}  // namespace cellblock::run
