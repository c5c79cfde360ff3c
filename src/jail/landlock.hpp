// Landlock, the second lock: applies policy/landlock to the calling process and all that it will start.
#pragma once

#include <vector>

#include "jail/policy/landlock.hpp"

namespace cellblock::jail {

/// The version of the kernel's interface, 0 where Landlock is not built in or not enabled at boot.
/// Async-signal-safe.
int landlock_abi();

/// Restricts the calling thread for good. 0, or -errno with `detail` naming the row; -EOPNOTSUPP where there
/// is no Landlock. Needs no_new_privs. Async-signal-safe. `writable` are directories that may be written
/// beside those of the rows.
int enter_landlock(const std::vector<policy::WritablePath>& writable, const char*& detail);

}  // namespace cellblock::jail
