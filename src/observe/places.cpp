// Relative paths in the variables are to be ignored, says the specification.
#include "observe/places.hpp"

namespace cellblock::observe {
namespace {

Result<std::string> place(const Variables& variable, const std::string& name, const std::string& below_home) {
    if (const std::string base = variable(name); base.starts_with('/')) return base + "/cellblock/audit";
    if (const std::string home = variable("HOME"); home.starts_with('/'))
        return home + below_home + "/cellblock/audit";
    return Error("find the place of the audit log: HOME is not set")
        .with_remedy("Set HOME, or name the directory with audit.path.");
}

}  // namespace

Result<std::string> default_log_directory(const Variables& variable) {
    return place(variable, "XDG_STATE_HOME", "/.local/state");
}

Result<std::string> default_keys_directory(const Variables& variable) {
    return place(variable, "XDG_CONFIG_HOME", "/.config");
}

}  // namespace cellblock::observe
