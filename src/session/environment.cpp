// The table of variables, and the loop over it.
#include "session/environment.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/printable.hpp"

namespace cellblock::session {
namespace {

constexpr std::string_view kLocale = "LANG";

std::string binaries(const PythonEnvironment& python) {
    return std::filesystem::path(python.interpreter).parent_path().string() + ":/usr/local/bin:/usr/bin:/bin";
}
std::string home(const PythonEnvironment&) {
    return jail::kHome;
}
std::string user(const PythonEnvironment&) {
    return jail::kUserName;
}
std::string prefix(const PythonEnvironment& python) {
    return python.prefix != python.base_prefix ? python.prefix : "";
}

// clang-format off
constexpr std::array kRows{
    VariableRow{"PATH", binaries, "the environment's programs, then the system's", "the host's names directories that do not exist inside"},
    VariableRow{"HOME", home, "/home/cell", "the jail's own, in the scratch space"},
    VariableRow{"USER", user, "cell", "the jail's user"},
    VariableRow{"LOGNAME", user, "cell", "the jail's user, for programs that ask for it under this name"},
    VariableRow{"SHELL", [](const PythonEnvironment&) { return std::string("/bin/bash"); }, "/bin/bash", "for !commands and terminals; the user's own shell may not exist inside"},
    VariableRow{"TMPDIR", [](const PythonEnvironment&) { return std::string("/tmp"); }, "/tmp", "the host's may name a directory that does not exist inside"},
    VariableRow{"VIRTUAL_ENV", prefix, "the environment, where it is a virtual one", "pip, uv and prompts look for it"},
    VariableRow{"LANG", nullptr, "the kernel process's; C.UTF-8 where no locale is set", "how people write: encoding of files and terminals"},
    VariableRow{"LC_ALL", nullptr, "the kernel process's", "part of the locale"},
    VariableRow{"LC_CTYPE", nullptr, "the kernel process's", "part of the locale: encoding"},
    VariableRow{"TZ", nullptr, "the kernel process's", "local time"},
    VariableRow{"JPY_SESSION_NAME", nullptr, "the kernel process's", "path of the notebook, which programs in notebooks ask for as under ipykernel"},
    VariableRow{"IPYKERNEL_CELL_NAME", nullptr, "the kernel process's", "how suites of tests name cells, as under ipykernel"},
};
// clang-format on

const VariableRow* find_row(std::string_view name) {
    const auto* const found = std::ranges::find_if(kRows, [&](const auto& row) { return row.name == name; });
    return found == kRows.end() ? nullptr : &*found;
}

bool is_name(std::string_view text) {
    const auto good = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !text.empty() && (text[0] < '0' || text[0] > '9') && std::ranges::all_of(text, good);
}

Result<void> check(std::string_view name, size_t size) {
    if (!is_name(name)) return Error(in_quotes(name) + " cannot be the name of an environment variable");
    const std::string shown(name.substr(0, 64));
    if (size > kMaxVariableSize)
        return Error("the variable " + shown + " has more than " + to_text(Bytes{kMaxVariableSize}));
    if (const VariableRow* row = find_row(name); row != nullptr && row->value != nullptr)
        return Error("the variable " + shown + " is the jail's own: " + std::string(row->reason));
    return {};
}

/// A later value replaces an earlier one, in its place.
void put(std::vector<std::string>& variables, std::string_view name, std::string_view value) {
    std::string assignment = std::string(name) + "=" + std::string(value);
    const auto same = std::ranges::find_if(
        variables, [&](const std::string& text) { return text.starts_with(std::string(name) + "="); });
    if (same != variables.end())
        *same = std::move(assignment);
    else
        variables.push_back(std::move(assignment));
}

}  // namespace

std::span<const VariableRow> environment_rows() {
    return kRows;
}

std::vector<std::string> worker_environment(const PythonEnvironment& python, const LaunchOptions& options,
                                            const char* (*variable)(const char* name)) {
    std::vector<std::string> variables;
    const auto inherit = [&](const std::string& name) {
        const char* const value = variable(name.c_str());
        if (value != nullptr && std::string_view(value).size() <= kMaxVariableSize)
            put(variables, name, value);
    };
    for (const VariableRow& row : kRows) {
        if (row.value == nullptr)
            inherit(std::string(row.name));
        else if (const std::string value = row.value(python); !value.empty())
            put(variables, row.name, value);
    }
    const bool has_locale = std::ranges::any_of(variables, [](const std::string& text) {
        return text.starts_with("LC_") || text.starts_with("LANG=");
    });
    if (!has_locale) put(variables, kLocale, "C.UTF-8");
    for (const std::string& name : options.passed_variables) inherit(name);
    for (const std::string& assignment : options.set_variables) {
        const size_t equals = assignment.find('=');
        put(variables, assignment.substr(0, equals), assignment.substr(equals + 1));
    }
    return variables;
}

Result<void> check_variable_names(const std::vector<std::string>& names) {
    if (names.size() > kMaxVariables)
        return Error("more than " + std::to_string(kMaxVariables) + " variables");
    for (const std::string& name : names) TRY(check(name, name.size()));
    return {};
}

Result<void> check_variables(const std::vector<std::string>& assignments) {
    if (assignments.size() > kMaxVariables)
        return Error("more than " + std::to_string(kMaxVariables) + " variables");
    for (const std::string& assignment : assignments) {
        const size_t equals = assignment.find('=');
        if (equals == std::string::npos)
            return Error(in_quotes(assignment) + " is not of the form NAME=value");
        if (assignment.find('\0') != std::string::npos) return Error("a variable has a zero byte in it");
        TRY(check(std::string_view(assignment).substr(0, equals), assignment.size()));
    }
    return {};
}

}  // namespace cellblock::session
