// The child side of a jail of the native backend: from clone to pid 1's loop, as one page of named steps. The
// backend runsc takes the first half of them, too.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "jail/identity.hpp"
#include "jail/network.hpp"
#include "jail/restrict.hpp"
#include "jail/view.hpp"

namespace cellblock::jail {

/// Everything that the child needs. Complete before the clone: the child must not allocate, because another
/// thread of the parent may have held the allocator's lock at the moment of the clone, and in the copy nobody
/// will release it.
struct ChildPlan : RestrictPlan {
    Identity identity{};
    std::string uid_map;
    std::string gid_map;
    std::string name;
    NetworkPlan network;
    View view;
    std::vector<int> kept_fds;  ///< sorted; everything else above 2 is closed first
};

/// The namespaces and the view, up to where nothing of the host is in sight that is not shown. Ends the
/// process, after a Report, where a step fails.
void make_view(ChildPlan& plan);

/// Never returns: ends as pid 1 of a jail, or by _exit after a Report.
[[noreturn]] void run_child(ChildPlan& plan);

}  // namespace cellblock::jail
