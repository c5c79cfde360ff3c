// Files that the parent puts into a jail's home directory, and reads from it, through the descriptor of that
// directory which the child has handed over. What the jail has made of it is hostile: nothing leads out.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "jail/identity.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// As Jail::place() and Jail::take(). `home_fd` is an O_PATH descriptor.
Result<void> place_in_home(int home_fd, const Identity& identity, const HomeFile& file);
Result<std::vector<HomeFile>> take_from_home(int home_fd, const std::string& path, Bytes most,
                                             size_t max_files);

}  // namespace cellblock::jail
