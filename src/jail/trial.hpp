// An act tried out in a process of its own, which is the only way to know whether this host allows it: files
// below /proc/sys say what was configured, not what a security module or a container makes of it.
#pragma once

#include <cstdint>

namespace cellblock::jail {

struct Trial {
    int clone_error = 0;  ///< errno; the act was not tried
    int act_error = 0;    ///< errno
};

/// Runs `act` in a child in new namespaces (CLONE_NEW…; 0: none). `act` makes system calls alone (raw.hpp)
/// and returns a value ≥ 0 or -errno. What it has made ends with the child.
Trial try_in_child(uint64_t namespaces, int (*act)());

/// Acts. Each is the first of its kind that the making of a jail needs.
int use_privileges();       ///< CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNS: as root of those namespaces
int make_process_view();    ///< CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS: a /proc of its own
int make_overlay();         ///< CLONE_NEWUSER | CLONE_NEWNS
int load_watched_filter();  ///< no namespaces: a filter whose refusals this process would be told of

}  // namespace cellblock::jail
