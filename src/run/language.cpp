// The table, and the ways to find a row of it.
#include "run/language.hpp"

#include <algorithm>
#include <array>

#include "base/printable.hpp"
#include "base/spelling.hpp"
#include "run/languages/rows.hpp"

namespace cellblock::run {
namespace {

/// Other words for languages that people type.
struct Alias {
    std::string_view word;
    std::string_view name;
};
constexpr std::array kAliases{
    Alias{"py", "python"},       Alias{"python3", "python"},    Alias{"js", "javascript"},
    Alias{"node", "javascript"}, Alias{"nodejs", "javascript"}, Alias{"golang", "go"},
    Alias{"rs", "rust"},
};

std::string all_names() {
    std::string names;
    for (const Language& language : languages())
        names += (names.empty() ? "" : ", ") + std::string(language.name);
    return names;
}

/// "#!/usr/bin/env -S node --x": node.
std::string_view program_of_first_line(std::string_view content) {
    if (!content.starts_with("#!")) return {};
    std::string_view line = content.substr(2, std::min(content.find('\n'), content.size()) - 2);
    while (!line.empty()) {
        line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
        std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
        line.remove_prefix(word.size());
        word.remove_prefix(word.rfind('/') == std::string_view::npos ? 0 : word.rfind('/') + 1);
        const bool is_of_env =
            word == "env" || word.starts_with('-') || word.find('=') != std::string_view::npos;
        if (!is_of_env) return word;
    }
    return {};
}

/// "python3.11" is python3.
bool is_program_of(const Language& language, std::string_view program) {
    return std::ranges::any_of(language.programs, [&](std::string_view name) {
        return program == name || (program.starts_with(name) && program.substr(name.size()).starts_with('.'));
    });
}

}  // namespace

std::span<const Language> languages() {
    // In order of preference where a directory fits several.
    static const std::array kLanguages{kPython, kJavaScript, kGo, kRust, kJava};
    return kLanguages;
}

Result<const Language*> language_named(std::string_view name) {
    const auto alias = std::ranges::find(kAliases, name, &Alias::word);
    const std::string_view wanted = alias == kAliases.end() ? name : alias->name;
    for (const Language& language : languages())
        if (language.name == wanted) return &language;
    Error error("there is no language " + in_quotes(name));
    for (const Language& language : languages())
        if (is_misspelt(name, language.name))
            return std::move(error).with_remedy("Did you mean " + std::string(language.name) + "?");
    return std::move(error).with_remedy("Languages: " + all_names() + ".");
}

Result<const Language*> guess_language(std::string_view file_name, std::string_view content) {
    for (const Language& language : languages())
        for (const std::string_view suffix : language.suffixes)
            if (file_name.size() > suffix.size() && file_name.ends_with(suffix)) return &language;
    const std::string_view program = program_of_first_line(content);
    for (const Language& language : languages())
        if (is_program_of(language, program)) return &language;
    const std::string what = file_name.empty() ? "the code" : in_quotes(file_name);
    return Error("cannot tell the language of " + what +
                 (program.empty() ? ": no suffix and no first line \"#!\" says it"
                                  : ": its first line is for " + in_quotes(program)))
        .with_remedy("Name it with --lang: " + all_names() + ".");
}

}  // namespace cellblock::run
