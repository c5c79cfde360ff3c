// Programs that are run outside of any jail. PATH is not asked: with an environment activated, what strangers
// have packaged comes first in it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cellblock::jail {

/// The path of `name` in a directory of the system's programs: a regular file of root's that nobody else can
/// write.
Result<std::string> find_system_program(std::string_view name);

}  // namespace cellblock::jail
