// What a backend provides, one row a guarantee, each with its reason. Level and limits say how much is asked
// for; this table says who can give it.
#pragma once

#include <span>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail::policy {

enum class Guarantee {
    namespaces,
    hard_limits,
    sampled_memory,
    system_call_filter,
    recorded_calls,
    asked_memory,
    counted_processes,
    landlock,
    capabilities,
    masked_processes,
    scratch_size,
    scratch_together,
    scratch_files,
    shown_alone,
    namespace_quota,
    inotify_quota,
    own_devices,
    writable_directory,
    no_loopback,
    allowed_names,
    writable_volumes,
    ends_with_kernel,
};

struct GuaranteeRow {
    Guarantee guarantee;
    const char* name;
    const char* meaning;
    bool native;
    bool bwrap;
    const char* by_bwrap;  ///< why bubblewrap's jails do not have it, or how they do
    bool runsc;
    const char* by_runsc;  ///< the same for gVisor's
};

std::span<const GuaranteeRow> guarantees();

bool provides(Backend backend, Guarantee guarantee);

/// The error names what the plan asks for and its backend does not provide.
Result<void> check_provided(const Plan& plan);

}  // namespace cellblock::jail::policy
