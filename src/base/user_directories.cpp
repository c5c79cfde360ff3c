// Only variables are read; whether the directories exist is the caller's business.
#include "base/user_directories.hpp"

#include <array>
#include <cstdlib>

namespace cellblock {
namespace {

struct Row {
    UserDirectory which;
    const char* variable;
    const char* in_home;
};
// clang-format off
constexpr std::array kRows{
    Row{UserDirectory::cache,  "XDG_CACHE_HOME",  "/.cache"},
    Row{UserDirectory::config, "XDG_CONFIG_HOME", "/.config"},
    Row{UserDirectory::data,   "XDG_DATA_HOME",   "/.local/share"},
    Row{UserDirectory::state,  "XDG_STATE_HOME",  "/.local/state"},
};
// clang-format on

}  // namespace

std::string environment_variable(const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return value != nullptr ? value : "";
}

Result<std::string> user_directory(UserDirectory which, const Variables& variable) {
    for (const Row& row : kRows) {
        if (row.which != which) continue;
        if (std::string named = variable(row.variable); named.starts_with('/')) return named;
        if (const std::string home = variable("HOME"); home.starts_with('/')) return home + row.in_home;
        return Error(std::string("neither ") + row.variable + " nor HOME is an absolute path");
    }
    UNREACHABLE();
}

}  // namespace cellblock
