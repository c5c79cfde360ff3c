// Where this process stands in the host's cgroups, read from /proc/self/cgroup and /proc/self/mountinfo. The
// parsing is pure, so that tests can show it any host.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cellblock::jail {

struct CgroupHost {
    /// Version 1: controller → directory of our own cgroup. Controllers mounted together share a directory.
    std::map<std::string, std::string, std::less<>> v1;
    /// Version 1: controller → where the hierarchy is mounted.
    std::map<std::string, std::string, std::less<>> v1_mounts;
    /// Version 2: directory of our own cgroup, and the mount.
    std::optional<std::string> v2;
    std::optional<std::string> v2_mount;

    /// Version 1 limits memory here. Processes join such a cgroup after they were made; with version 2 they
    /// are made in it (CLONE_INTO_CGROUP, clone(2)).
    [[nodiscard]] bool joins_late() const { return v1.contains("memory"); }
};

Result<CgroupHost> look_at_cgroups();
/// CgroupHost::joins_late() of a host that shows its hierarchies, without a look at its mounts, which takes
/// ten times as long.
Result<bool> cgroups_are_joined_late();
bool parse_joins_late(std::string_view self_cgroup);
/// An error unless version 2 has these controllers here at all: what the kernel does not offer at the top, no
/// systemd hands on.
Result<void> require_controllers(const CgroupHost& host, const std::vector<std::string>& controllers);
CgroupHost parse_cgroup_host(std::string_view self_cgroup, std::string_view mountinfo);

}  // namespace cellblock::jail
