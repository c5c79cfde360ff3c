// Where systemd owns the cgroup tree, a process may ask it for a scope of its own that it may divide further.
#pragma once

#include <string>

#include "base/result.hpp"

namespace cellblock::jail {

/// Moves this process, alone, into a new delegated scope: of the user's systemd, or of the system's for root.
/// The limits of that user's slice go on holding. Blocks until it has happened, at most kScopeTimeout.
Result<void> enter_own_scope(const std::string& name);

}  // namespace cellblock::jail
