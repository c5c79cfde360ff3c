// Whether a plan can be meant as it stands.
#pragma once

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// The error names what is wrong: a limit that means nothing, a name or path of another shape than is safe.
Result<void> check_plan(const Plan& plan);

}  // namespace cellblock::jail
