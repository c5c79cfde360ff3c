// Whose user id the jailed processes have, inside and on the host.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"

namespace cellblock::jail {

/// For kernels that run as root: first host user id of jails. Above the ranges that distributions, systemd
/// and /etc/subuid hand out (systemd's list of ranges calls 0x70000000 … 0x7fffffff unused).
inline constexpr uid_t kFirstJailUid = 0x70000000;
/// The user inside such a jail. Not 0: a jail mapped to root has no RLIMIT_NPROC, and programs refuse to run
/// as root.
inline constexpr uid_t kInsideUid = 1000;

struct Identity {
    bool root_mode;  ///< the kernel process is root; the jail gets a host id that nobody else has
    uid_t inside_uid;
    gid_t inside_gid;
    uid_t host_uid;
    gid_t host_gid;
};

/// Ordinary users keep their own ids inside and outside. Root gets an id of its own for every living jail:
/// two jails share no file, no signal and no process count.
Identity choose_identity(unsigned jail_number);

/// Writes /proc/<pid>/{setgroups,uid_map,gid_map}. For root mode; ordinary users' jails write their own.
Result<void> write_id_maps(pid_t pid, const Identity& identity);

/// The single line of a uid_map or gid_map.
std::string id_map_line(unsigned inside, unsigned host);

}  // namespace cellblock::jail
