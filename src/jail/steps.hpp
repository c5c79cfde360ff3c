// The steps of making a jail, by name. The child reports a step with an errno and, where one step does many
// things, which of them; this file turns that into the sentence that a person reads.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// In the order in which they happen. Steps of the parent first: they run while the child waits or works.
enum class Step : uint32_t {
    make_cgroup,
    clone,
    map_ids,
    join_cgroup,
    bubblewrap,
    close_descriptors,
    take_identity,
    new_session,
    host_name,
    loopback,
    allowed_names,
    private_mounts,
    open_host_trees,
    process_view,
    new_root,
    base_view,
    environment_mounts,
    old_root,
    namespace_quota,
    process_masks,
    read_only_root,
    gvisor,
    standard_streams,
    resource_limits,
    limits_in_force,
    drop_capabilities,
    no_new_privileges,
    landlock,
    system_calls,
    self_test,
    ready,
};

/// What the child writes to the set-up pipe, once: at the failed step, or at `ready`.
struct Report {
    Step step;
    int32_t error;     ///< errno, 0 with `ready`
    char detail[120];  ///< which mount, which act; NUL-terminated
};

/// Whether a jail of this backend is made by way of this step.
bool belongs_to(Step step, Backend backend);

/// "drop_capabilities"
std::string_view to_text(Step step);

/// The error of a failed step: what we were doing, the kernel's answer, the remedy.
Error step_error(Step step, int error_number, std::string_view detail);

}  // namespace cellblock::jail
