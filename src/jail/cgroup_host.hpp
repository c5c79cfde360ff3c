// Where this process stands in the host's cgroups, read from /proc/self/cgroup and /proc/self/mountinfo. Pure
// parsing over the two texts, so that tests can show it any host.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace cellblock::jail {

struct CgroupHost {
    /// Version 1: controller → directory of our own cgroup. Controllers mounted together share a directory.
    std::map<std::string, std::string, std::less<>> v1;
    /// Version 1: controller → where the hierarchy is mounted.
    std::map<std::string, std::string, std::less<>> v1_mounts;
    /// Version 2: directory of our own cgroup, and the mount.
    std::optional<std::string> v2;
    std::optional<std::string> v2_mount;
};

CgroupHost parse_cgroup_host(std::string_view self_cgroup, std::string_view mountinfo);

}  // namespace cellblock::jail
