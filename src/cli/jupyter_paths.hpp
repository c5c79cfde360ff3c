// Where Jupyter looks for kernelspecs (jupyter_core.paths, on Linux).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/user_directories.hpp"

namespace cellblock::cli {

/// The user's own: $JUPYTER_DATA_DIR, $XDG_DATA_HOME/jupyter or ~/.local/share/jupyter, and "kernels" in it.
Result<std::string> user_kernels_directory(const Variables& variable);
/// PREFIX/share/jupyter/kernels.
std::string kernels_directory_of(const std::string& prefix);
/// Every directory that front ends search, most important first: $JUPYTER_PATH, the user's, the active
/// environment's, the system's.
std::vector<std::string> searched_kernels_directories(const Variables& variable);

}  // namespace cellblock::cli
