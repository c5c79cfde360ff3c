// Two of the user's directories.
#include "observe/places.hpp"

namespace cellblock::observe {
namespace {

Result<std::string> place(UserDirectory which, const Variables& variable) {
    auto base = user_directory(which, variable);
    if (!base)
        return std::move(base)
            .error()
            .context("find the place of the audit log")
            .with_remedy("Set HOME, or name the directory with audit.path.");
    return *base + "/cellblock/audit";
}

}  // namespace

Result<std::string> default_log_directory(const Variables& variable) {
    return place(UserDirectory::state, variable);
}

Result<std::string> default_keys_directory(const Variables& variable) {
    return place(UserDirectory::config, variable);
}

}  // namespace cellblock::observe
