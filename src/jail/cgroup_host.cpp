// See cgroups(7) for /proc/self/cgroup and proc(5) for mountinfo.
#include "jail/cgroup_host.hpp"

#include <algorithm>
#include <vector>

#include "base/sys.hpp"

namespace cellblock::jail {
namespace {

constexpr size_t kMaxOwnCgroups = 64 * 1024;
constexpr size_t kMaxMountInfo = size_t{16} << 20;
constexpr std::string_view kMemory = "memory";

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            result +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

struct CgroupMount {
    bool v2;
    std::string root;  // the cgroup that is shown at the mount point: not "/" in containers
    std::string point;
    std::vector<std::string> options;
};

std::vector<CgroupMount> cgroup_mounts(std::string_view mountinfo) {
    std::vector<CgroupMount> mounts;
    for (const auto line : split(mountinfo, '\n')) {
        const size_t dash = line.find(" - ");
        if (dash == std::string_view::npos) continue;
        const auto front = split(line.substr(0, dash), ' ');
        const auto back = split(line.substr(dash + 3), ' ');
        if (front.size() < 5 || back.size() < 3 || (back[0] != "cgroup" && back[0] != "cgroup2")) continue;
        CgroupMount mount{back[0] == "cgroup2", unescape(front[3]), unescape(front[4]), {}};
        for (const auto option : split(back[2], ',')) mount.options.emplace_back(option);
        mounts.push_back(std::move(mount));
    }
    return mounts;
}

/// A line of /proc/self/cgroup: the number of a hierarchy, its controllers (none: version 2), our cgroup
/// there.
struct Membership {
    std::string_view controllers;
    std::string_view path;
};

std::optional<Membership> membership(std::string_view line) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
    return Membership{line.substr(first + 1, second - first - 1), line.substr(second + 1)};
}

// The directory of cgroup `path` under a mount that shows `root` at `point`; nothing when it lies outside.
std::optional<std::string> directory(const CgroupMount& mount, std::string_view path) {
    if (mount.root == "/") return path == "/" ? mount.point : mount.point + std::string(path);
    if (path == mount.root) return mount.point;
    if (path.starts_with(mount.root + "/")) return mount.point + std::string(path.substr(mount.root.size()));
    return std::nullopt;
}

}  // namespace

CgroupHost parse_cgroup_host(std::string_view self_cgroup, std::string_view mountinfo) {
    CgroupHost host;
    const auto mounts = cgroup_mounts(mountinfo);
    for (const auto line : split(self_cgroup, '\n')) {
        const auto member = membership(line);
        if (!member) continue;
        for (const CgroupMount& mount : mounts) {
            const auto own = directory(mount, member->path);
            if (!own) continue;
            if (member->controllers.empty() && mount.v2) {
                host.v2 = own;
                host.v2_mount = mount.point;
            }
            if (member->controllers.empty() || mount.v2) continue;
            for (const auto controller : split(member->controllers, ',')) {
                for (const auto& option : mount.options) {
                    if (option != controller) continue;
                    host.v1[std::string(controller)] = *own;
                    host.v1_mounts[std::string(controller)] = mount.point;
                }
            }
        }
    }
    return host;
}

bool parse_joins_late(std::string_view self_cgroup) {
    return std::ranges::any_of(split(self_cgroup, '\n'), [](std::string_view line) {
        const auto member = membership(line);
        return member && std::ranges::count(split(member->controllers, ','), kMemory) != 0;
    });
}

Result<bool> cgroups_are_joined_late() {
    return parse_joins_late(TRY(sys::read_file("/proc/self/cgroup", kMaxOwnCgroups)));
}

Result<CgroupHost> look_at_cgroups() {
    const std::string own = TRY(sys::read_file("/proc/self/cgroup", kMaxOwnCgroups));
    const std::string mounts = TRY(sys::read_file("/proc/self/mountinfo", kMaxMountInfo));
    return parse_cgroup_host(own, mounts);
}

Result<void> require_controllers(const CgroupHost& host, const std::vector<std::string>& controllers) {
    if (!host.v2_mount) return Error("this host shows no cgroups of version 2");
    std::string offered = TRY(sys::read_file(*host.v2_mount + "/cgroup.controllers", kMaxOwnCgroups));
    if (offered.ends_with('\n')) offered.pop_back();
    const auto words = split(offered, ' ');
    for (const std::string& controller : controllers) {
        if (std::find(words.begin(), words.end(), controller) != words.end()) continue;
        return Error("this host has no cgroup controller '" + controller + "'")
            .with_remedy("Boot the kernel without cgroup_disable=" + controller +
                         " (on some boards with cgroup_enable=" + controller +
                         "), in a container have it handed on; or choose the isolation level 'namespaced', "
                         "where memory is sampled and not enforced by the kernel.");
    }
    return {};
}

}  // namespace cellblock::jail
