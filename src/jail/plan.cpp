// Bounds of limits and shapes of names and paths, before anything is made.
#include "jail/plan.hpp"

#include <algorithm>
#include <string>

#include "jail/control.hpp"

namespace cellblock::jail {
namespace {

constexpr size_t kMaxNameLength = 32;
// Python with its libraries needs this much to say hello.
constexpr Bytes kLeastMemory = 32_MiB;

Result<void> check_path(const std::string& path, const char* what) {
    const bool sound = path.size() > 1 && path[0] == '/' && path.find('\0') == std::string::npos &&
                       (path + "/").find("/../") == std::string::npos &&
                       (path + "/").find("/./") == std::string::npos && path.find("//") == std::string::npos;
    if (!sound) return Error(std::string(what) + " '" + path + "' is not a plain absolute path");
    return {};
}

}  // namespace

Result<void> check_plan(const Plan& plan) {
    const Limits& limits = plan.limits;
    const bool name_is_sound = !plan.name.empty() && plan.name.size() <= kMaxNameLength &&
                               std::all_of(plan.name.begin(), plan.name.end(), [](char c) {
                                   return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                               });
    if (!name_is_sound)
        return Error("the jail's name '" + plan.name + "' has other characters than a-z, 0-9 and -");
    if (limits.memory < kLeastMemory)
        return Error("a memory limit of " + to_text(limits.memory) + " is below the least, " +
                     to_text(kLeastMemory));
    if (!(limits.soft_memory < limits.memory))
        return Error("a soft memory limit of " + to_text(limits.soft_memory) + " is not below the limit, " +
                     to_text(limits.memory));
    if (limits.processes < 1 || limits.open_files < 16 || limits.scratch.count == 0 ||
        limits.scratch_inodes == 0 || limits.shared_memory.count == 0 || limits.file_size.count == 0 ||
        !(limits.cpus >= 0))
        return Error("a limit is zero or negative, which never means unlimited");
    if (plan.network != Network::allow && !plan.allowed.empty())
        return Error("network names are allowed, but the network is '" + std::string(to_text(plan.network)) +
                     "'");
    TRY(check_endpoints(plan.allowed));
    if (plan.mounts.size() > kMaxMounts) return Error("more than " + std::to_string(kMaxMounts) + " mounts");
    for (const Mount& mount : plan.mounts) {
        TRY(check_path(mount.source, "the mount source"));
        TRY(check_path(mount.target, "the mount target"));
        for (const char* own : {"/proc", "/dev", "/sys"})
            if ((mount.target + "/").starts_with(std::string(own) + "/") ||
                (mount.source + "/").starts_with(std::string(own) + "/"))
                return Error("nothing of " + std::string(own) + " can be mounted: '" + mount.source + "'");
    }
    return {};
}

}  // namespace cellblock::jail
