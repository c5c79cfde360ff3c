// Cgroup: hard limits and honest counters for everything in one jail. Works with version 1 and version 2,
// whichever of them has the memory and pids controllers on this host, always below a cgroup that already
// bounds us or that an administrator has handed to us, so that no limit of the host is evaded.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/cgroup_counters.hpp"
#include "jail/cgroup_host.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

class Cgroup {
  public:
    /// Creates `cellblock-<pid>-<start time>-<number>` with these limits, every one read back; removes those
    /// that dead kernel processes have left. The error names what is missing and how to get it.
    static Result<std::unique_ptr<Cgroup>> create(const CgroupHost& host, const Limits& limits,
                                                  unsigned number);

    /// Removes the cgroup; everything in it must have ended.
    virtual ~Cgroup() = default;

    /// Version 2: a descriptor for CLONE_INTO_CGROUP. -1 with version 1.
    [[nodiscard]] virtual int clone_fd() const = 0;
    /// Version 1: kMaxEntrances descriptors at most, by which a process of one thread puts itself into the
    /// cgroup: it writes "0" to each. Moving another process would wait for every fork, exec and exit on the
    /// host, often for some 10 ms (docs/adr/0018). Empty with version 2.
    [[nodiscard]] virtual Result<std::vector<UniqueFd>> entrances() const { return std::vector<UniqueFd>(); }
    /// An error unless the process is in it, in every hierarchy.
    [[nodiscard]] virtual Result<void> check_holds(pid_t pid) const = 0;
    Counters counters() { return counters_->read(); }
    /// As Jail::restart_memory_peak().
    bool restart_memory_peak() { return counters_->restart_memory_peak(); }
    /// As Jail::memory_in_use(). Any thread.
    [[nodiscard]] virtual int64_t memory_in_use(Bytes enough) const = 0;

  protected:
    Cgroup() = default;
    std::unique_ptr<CgroupCounters> counters_;  ///< set by create()
};

/// The name of a jail's cgroup, which tells whether its owner still lives.
std::string cgroup_name(pid_t owner, uint64_t owner_start_time, unsigned number);
/// Is this the name of a cgroup whose owner is gone?
bool is_stale_cgroup(const std::string& name);

/// For an administrator: gives `uid` cgroups of its own to make jails in, on hosts without systemd's
/// delegation.
Result<void> delegate_cgroups(uid_t uid, gid_t gid);

}  // namespace cellblock::jail
