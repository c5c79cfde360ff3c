// Which maker a backend has: the one that was asked for by name, and no other.
#include "jail/maker.hpp"

#include "base/check.hpp"

namespace cellblock::jail {

Result<std::unique_ptr<Maker>> make_maker(const Plan& plan, const RestrictPlan& restrict,
                                          const Identity& identity) {
    switch (plan.backend) {
        case Backend::native:
            return make_native(plan, restrict, identity);
        case Backend::bwrap:
            return make_bwrap(plan, restrict, identity);
        case Backend::runsc:
            return make_runsc(plan, restrict, identity);
    }
    UNREACHABLE();
}

Result<void> parent_step(Step step, const Fault& fault, Result<void> result) {
    if (result && fault.error != 0 && fault.step == step) return step_error(step, fault.error, "");
    return result;
}

}  // namespace cellblock::jail
