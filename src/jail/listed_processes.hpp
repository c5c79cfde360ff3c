// What pid 1 lists of a jail whose processes are none of Linux's, read outside.
#pragma once

#include <vector>

#include "jail/jail.hpp"

namespace cellblock::jail {

/// The ListedProcess records in `file`, at most kMaxListed. What does not fit their form is passed over.
std::vector<Process> read_listed(int file);

}  // namespace cellblock::jail
