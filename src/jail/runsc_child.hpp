// The child side of a jail of the backend runsc: the namespaces and the view are those of the native backend,
// made by the same code, and gVisor runs in them. So what gVisor itself can reach, should it fail, is what a
// native jail shows. This process stays: as pid 1 of those namespaces it is what everything in them ends
// with, and it ends with the kernel process.
#pragma once

#include <string>
#include <vector>

#include "jail/child.hpp"
#include "jail/hand_over.hpp"

namespace cellblock::jail {

/// Descriptors of the process that executes gVisor, beside the first three of given_fd.
namespace runsc_fd {
inline constexpr int kRunsc = given_fd::kHandOver + 1;
}

/// Everything that the child needs, complete before the clone.
struct RunscPlan : ChildPlan {
    int jail_init_fd = -1;
    std::vector<int> given_fds;                      ///< in the order of runsc_fd
    int said_fd = -1;                                ///< gVisor's stdout and stderr
    std::string config;                              ///< runsc_config()
    std::string network_option;                      ///< runsc_network()
    std::vector<policy::ResourceLimit> host_limits;  ///< of gVisor itself
    int gvisor_pidfd = -1;                           ///< child
};

/// Never returns.
[[noreturn]] void run_runsc_child(RunscPlan& plan);

}  // namespace cellblock::jail
