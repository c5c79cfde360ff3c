// Where this program is installed: bin/cellblock, libexec/cellblock/ and lib/cellblock/ lie below one
// directory.
#pragma once

#include <string>

#include "base/result.hpp"

namespace cellblock {

/// That directory, from the path of the running program (/proc/self/exe), which lies in bin or
/// libexec/cellblock.
Result<std::string> installation_root();

}  // namespace cellblock
