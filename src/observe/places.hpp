// Where a user's audit log and its keys lie when nobody says otherwise (XDG Base Directory Specification).
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/user_directories.hpp"

namespace cellblock::observe {

/// $XDG_STATE_HOME/cellblock/audit, or ~/.local/state/cellblock/audit.
Result<std::string> default_log_directory(const Variables& variable);
/// $XDG_CONFIG_HOME/cellblock/audit, or ~/.config/cellblock/audit.
Result<std::string> default_keys_directory(const Variables& variable);

}  // namespace cellblock::observe
