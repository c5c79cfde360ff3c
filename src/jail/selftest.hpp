// Forbidden acts that pid 1 tries before it says `ready`: the jail is believed when they fail, not when the
// calls that should forbid them have succeeded.
#pragma once

#include <span>

namespace cellblock::jail {

struct RestrictPlan;

struct ForbiddenAct {
    const char* name;
    bool (*fails)(const RestrictPlan& plan);
};

std::span<const ForbiddenAct> forbidden_acts();

/// 0 when every act failed as it must; -EPERM with the name of the first that did not. Async-signal-safe.
int run_self_test(RestrictPlan& plan, const char*& detail);

}  // namespace cellblock::jail
