// Processes as pid 1 sees them in /proc. Async-signal-safe.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include "jail/raw.hpp"

namespace cellblock::jail {

/// 0 for what is no process.
inline pid_t pid_of_name(const char* name) {
    pid_t pid = 0;
    for (; *name >= '0' && *name <= '9'; ++name) pid = pid * 10 + (*name - '0');
    return *name == '\0' ? pid : 0;
}

/// Calls act(pid) for each but pid 1 and `worker`; `processes` is /proc. 0 or -errno.
template <class Act>
int for_each_process(int processes, pid_t worker, Act act) {
    alignas(dirent64) char entries[4096];
    long size;
    while ((size = raw::call(SYS_getdents64, processes, entries, sizeof entries)) > 0) {
        for (long at = 0; at < size;) {
            const auto* const entry = reinterpret_cast<const dirent64*>(entries + at);
            at += entry->d_reclen;
            const pid_t pid = pid_of_name(entry->d_name);
            if (pid > 1 && pid != worker) act(pid);
        }
    }
    return static_cast<int>(size);
}

/// Writes a ListedProcess for each, for who cannot see them: a gVisor's processes are none of Linux's. 0 or
/// -errno.
int list_background(pid_t worker, int file);

}  // namespace cellblock::jail
