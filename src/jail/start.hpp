// Jail::start with a fault in it, for tests; see Fault.
#pragma once

#include <memory>

#include "jail/child.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

Result<std::unique_ptr<Jail>> start_jail(const Plan& plan, const Fault& fault);

}  // namespace cellblock::jail
