// The child side of a jail: from clone to pid 1's loop, as one page of named steps.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

#include "jail/identity.hpp"
#include "jail/policy/limits.hpp"
#include "jail/steps.hpp"
#include "jail/view.hpp"

namespace cellblock::jail {

/// Makes one step fail as if the kernel had answered `error`. Tests use it to prove that nothing runs, and
/// nothing is left, whichever step fails.
struct Fault {
    Step step = Step::ready;
    int error = 0;  ///< 0: no fault
};

/// Everything that the child needs. Complete before the clone: the child must not allocate, because another
/// thread of the parent may have held the allocator's lock at the moment of the clone, and in the copy nobody
/// will release it.
struct ChildPlan {
    Level level = Level::full;
    Identity identity{};
    std::string uid_map;
    std::string gid_map;
    std::string name;
    View view;
    std::vector<policy::ResourceLimit> limits;
    bool landlock = true;  ///< false: the host has none, and the plan does without
    dev_t host_root_device = 0;
    ino_t host_root_inode = 0;
    pid_t parent_pid = 0;
    char* title = nullptr;  ///< the memory behind /proc/<pid>/cmdline, the same in the copy
    size_t title_size = 0;
    int control_fd = -1;        ///< the child's end of the control socket
    int report_fd = -1;         ///< where the Report goes
    std::vector<int> kept_fds;  ///< sorted; everything else above 2 is closed first
    Fault fault;
};

/// Never returns: ends as pid 1 of a jail, or by _exit after a Report.
[[noreturn]] void run_child(ChildPlan& plan);

}  // namespace cellblock::jail
