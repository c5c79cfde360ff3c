// Table of steps: name, act as a person would say it. Remedies are found by looking at the host, since the
// same EPERM has several causes.
#include "jail/steps.hpp"

#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace cellblock::jail {
namespace {

/// Which backends take a step.
enum class By { all, all_but_gvisor, native, native_view, bwrap, gvisor };

struct Row {
    Step step;
    std::string_view name;
    std::string_view act;
    By by = By::all;
};

bool takes(By by, Backend backend) {
    switch (by) {
        case By::all:
            return true;
        case By::all_but_gvisor:
            return backend != Backend::runsc;
        case By::native:
            return backend == Backend::native;
        case By::native_view:  // gVisor runs in it.
            return backend != Backend::bwrap;
        case By::bwrap:
            return backend == Backend::bwrap;
        case By::gvisor:
            return backend == Backend::runsc;
    }
    UNREACHABLE();
}

constexpr Row kSteps[] = {
    {Step::make_cgroup, "make_cgroup", "create a cgroup for hard limits"},
    {Step::clone, "clone", "create the jail's namespaces"},
    {Step::map_ids, "map_ids", "map the jail's user id"},
    {Step::join_cgroup, "join_cgroup", "put the jail into its cgroup"},
    {Step::bubblewrap, "bubblewrap", "have bubblewrap make the jail's namespaces and view", By::bwrap},
    {Step::close_descriptors, "close_descriptors", "close inherited descriptors"},
    {Step::take_identity, "take_identity", "take the jail's user id"},
    {Step::new_session, "new_session", "start a session of its own"},
    {Step::host_name, "host_name", "set the jail's host name", By::native_view},
    {Step::loopback, "loopback", "bring up the jail's loopback interface", By::native},
    {Step::allowed_names, "allowed_names", "make the sockets of the allowed network names", By::native},
    {Step::private_mounts, "private_mounts", "separate the jail's mounts from the host's", By::native_view},
    {Step::open_host_trees, "open_host_trees", "open what the host lends"},
    {Step::process_view, "process_view", "mount /proc", By::native_view},
    {Step::new_root, "new_root", "enter the new root", By::native_view},
    {Step::base_view, "base_view", "build the base system", By::native_view},
    {Step::environment_mounts, "environment_mounts", "show the environment"},
    {Step::old_root, "old_root", "unmount the host's root", By::native_view},
    {Step::namespace_quota, "namespace_quota", "forbid further namespaces", By::native},
    {Step::process_masks, "process_masks", "mask /proc", By::native},
    {Step::read_only_root, "read_only_root", "make the root read-only", By::native_view},
    {Step::gvisor, "gvisor", "start gVisor in the jail's view", By::gvisor},
    {Step::standard_streams, "standard_streams", "detach from the standard streams"},
    {Step::resource_limits, "resource_limits", "set resource limits"},
    {Step::limits_in_force, "limits_in_force", "wait for the hard limits"},
    {Step::drop_capabilities, "drop_capabilities", "drop all capabilities"},
    {Step::no_new_privileges, "no_new_privileges", "forbid new privileges"},
    {Step::landlock, "landlock", "close the second lock, Landlock", By::all_but_gvisor},
    {Step::system_calls, "system_calls", "load the system call filter"},
    {Step::self_test, "self_test", "prove that forbidden acts fail"},
    {Step::ready, "ready", "report ready"},
};

const Row& row(Step step) {
    const auto index = static_cast<size_t>(step);
    CHECK(index < std::size(kSteps) && kSteps[index].step == step);
    return kSteps[index];
}

bool sysctl_is(const char* path, std::string_view expected) {
    std::ifstream file(path);
    std::string value;
    return static_cast<bool>(file >> value) && value == expected;
}

constexpr std::string_view kAppArmor =
    "This host's AppArmor restricts user namespaces: run 'sudo sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0', or install an AppArmor profile that allows userns for "
    "cellblock.";

bool apparmor_restricts() {
    return sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1");
}

constexpr std::string_view kContainer =
    "The kernel refuses user namespaces to this process. In a container, allow clone and unshare (Docker: "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined).";

/// As the kernel says of itself; containers do not change it.
bool linux_is_at_least(int major, int minor) {
    utsname info{};
    int own_major = 0;
    int own_minor = 0;
    if (::uname(&info) != 0 || std::sscanf(info.release, "%d.%d", &own_major, &own_minor) != 2) return false;
    return std::pair(own_major, own_minor) >= std::pair(major, minor);
}

std::string_view clone_remedy(int error) {
    if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        return "This host forbids user namespaces to ordinary users: run 'sudo sysctl "
               "kernel.unprivileged_userns_clone=1' (and put it into /etc/sysctl.d to keep it).";
    if (sysctl_is("/proc/sys/user/max_user_namespaces", "0"))
        return "This host allows no user namespaces: run 'sudo sysctl user.max_user_namespaces=10000' (and "
               "put it into "
               "/etc/sysctl.d to keep it).";
    switch (error) {
        case EPERM:
            return apparmor_restricts() ? kAppArmor : kContainer;
        case ENOSPC:
            return "One of the sysctls user.max_*_namespaces is used up: raise it.";
        case EAGAIN:
        case ENOMEM:
            return "The host is short of processes or memory: stop something and try again.";
        case EINVAL:
        case ENOSYS:
            // Docker's filter of system calls answers so, for the C library to try clone(2) instead.
            if (error == ENOSYS && linux_is_at_least(5, 12)) return kContainer;
            return "The kernel lacks a namespace: Linux 5.12 or later with user, mount, pid, net, ipc, uts "
                   "and cgroup "
                   "namespaces is needed.";
        default:
            return "";
    }
}

std::string_view remedy(Step step, int error) {
    const bool refused = error == EPERM || error == EACCES;
    switch (step) {
        case Step::clone:
            return clone_remedy(error);
        case Step::map_ids:
        case Step::take_identity:
        case Step::host_name:
        case Step::loopback:
        case Step::allowed_names:
        case Step::private_mounts:
            if (refused && apparmor_restricts()) return kAppArmor;
            if (refused)
                return "A security module or container denies capabilities inside user namespaces; allow "
                       "them for "
                       "cellblock.";
            return "";
        case Step::process_view:
            if (refused)
                return "Parts of the host's /proc are hidden, as in a container, and then the kernel refuses "
                       "a new one. "
                       "Show it (Docker: --security-opt systempaths=unconfined; Podman: --security-opt "
                       "unmask=ALL).";
            return "";
        case Step::open_host_trees:
        case Step::environment_mounts:
            if (error == ENOENT)
                return "It does not exist (any more): install the kernel again for this environment.";
            if (error == EACCES) return "Your user may not read it.";
            if (error == EINVAL)
                return "It cannot be shown through an overlay, which keeps the host's sockets and locks out "
                       "of "
                       "reach: a file system is mounted below it, or its own cannot be a layer (vfat, for "
                       "example). Use a directory without mounts below it, on an ordinary file system.";
            if (error == ENODEV || error == EPERM || error == ENOSYS)
                return "The kernel offers no overlays inside user namespaces: Linux 5.11 or later with the "
                       "module 'overlay' is needed.";
            if (error == ESTALE) return "It was replaced while the jail was being made; start again.";
            if (error == EROFS)
                return "It lies inside a directory that is shown read-only and is missing there; create it "
                       "on the host.";
            return "";
        case Step::landlock:
            if (error == EOPNOTSUPP || error == ENOSYS)
                return "Landlock is not enabled in this kernel: Linux 5.13 or later is needed, with "
                       "'landlock' in the "
                       "list of the boot parameter lsm= (see /sys/kernel/security/lsm).";
            return "";
        case Step::system_calls:
            if (error == EBUSY)
                return "Something that already supervises system calls of this process, such as a container "
                       "manager, "
                       "leaves no room for another supervisor: run Cellblock outside of it.";
            if (error == EINVAL || error == ENOSYS)
                return "The kernel was built without seccomp filters, or is older than Linux 5.0.";
            return "";
        case Step::self_test:
            return "The jail would not hold on this host, so nothing was run in it. Please report this with "
                   "the output "
                   "of 'cellblock doctor'.";
        default:
            break;
    }
    if (error == ENOSYS) return "The kernel is too old: Linux 5.12 or later is needed.";
    return "";
}

}  // namespace

std::string_view to_text(Step step) {
    return row(step).name;
}

bool belongs_to(Step step, Backend backend) {
    return takes(row(step).by, backend);
}

Error step_error(Step step, int error_number, std::string_view detail) {
    std::string act(row(step).act);
    if (!detail.empty()) act += " (" + std::string(detail) + ")";
    Error error = error_number == 0 ? Error(std::move(act)) : Error(std::move(act), error_number);
    return std::move(error).with_remedy(std::string(remedy(step, error_number)));
}

}  // namespace cellblock::jail
