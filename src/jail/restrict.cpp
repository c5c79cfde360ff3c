// From a finished view to pid 1's loop. Async-signal-safe throughout: the native backend runs this between
// clone and exec.
#include "jail/restrict.hpp"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include <algorithm>

#include "jail/child_socket.hpp"
#include "jail/init.hpp"
#include "jail/landlock.hpp"
#include "jail/raw.hpp"
#include "jail/seccomp.hpp"
#include "jail/selftest.hpp"
#include "jail/view.hpp"

namespace cellblock::jail {
namespace {

/// Takes a capability that bubblewrap and gVisor leave nobody: they have emptied all sets before, as the
/// self-test proves.
int drop_for_good(const char*& detail) {
    detail = "secure bits";
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (const long e = raw::call(SYS_prctl, PR_SET_SECUREBITS, bits, 0, 0, 0); e < 0)
        return static_cast<int>(e);
    detail = "bounding set";
    for (unsigned long capability = 0;; ++capability) {
        const long e = raw::call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
        if (e == -EINVAL && capability > CAP_SETPCAP) break;  // One past the kernel's last.
        if (e < 0) return static_cast<int>(e);
    }
    return 0;
}

int drop_capabilities(RestrictPlan& plan, const char*& detail) {
    if (plan.backend == Backend::native)
        if (const int e = drop_for_good(detail); e < 0) return e;
    detail = "ambient set";
    if (const long e = raw::call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); e < 0)
        return static_cast<int>(e);
    detail = "capabilities";
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2] = {};
    return static_cast<int>(raw::call(SYS_capset, &header, none));
}

int forbid_new_privileges(RestrictPlan&, const char*&) {
    // Not dumpable: the worker has our uid and must not read this copy of the kernel process, nor /proc/1/fd.
    if (const long e = raw::call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0); e < 0) return static_cast<int>(e);
    raw::call(SYS_umask, 022);
    return static_cast<int>(raw::call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int load_filter(RestrictPlan& plan, const char*& detail) {
    // gVisor's kernel has no listeners.
    if (plan.backend == Backend::runsc) return load_unwatched_filter(plan.level);
    const int listener = load_system_call_filter(plan.level);
    if (listener < 0) return listener;
    detail = "hand over the listener";
    const int e = send_descriptors(plan.control_fd, &listener, 1);
    // Whoever holds it could wave calls through: no process of the jail may.
    raw::close(listener);
    return e;
}

}  // namespace

int set_resource_limits(const std::vector<policy::ResourceLimit>& limits, const char*& detail) {
    for (const policy::ResourceLimit& row : limits) {
        detail = row.name;
        struct rlimit64 {
            uint64_t soft, hard;
        } old{}, wanted{};
        if (const long e = raw::call(SYS_prlimit64, 0, row.resource, nullptr, &old); e < 0)
            return static_cast<int>(e);
        // Raising takes a privilege that even root may lack; a stricter host stays stricter.
        wanted.hard = row.hard < old.hard ? row.hard : old.hard;
        wanted.soft = row.soft < wanted.hard ? row.soft : wanted.hard;
        if (const long e = raw::call(SYS_prlimit64, 0, row.resource, &wanted, nullptr); e < 0)
            return static_cast<int>(e);
    }
    return 0;
}

int await_limits(RestrictPlan& plan, const char*& detail) {
    detail = "go";
    if (const int e = await_go(plan.control_fd); e < 0) return e;
    // bubblewrap was in our cgroup already when it made the namespace.
    if (plan.backend == Backend::bwrap) return 0;
    // Now that we are in our cgroup, make it the root of what we see: its path names the host's process.
    detail = "cgroup namespace";
    return static_cast<int>(raw::call(SYS_unshare, CLONE_NEWCGROUP));
}

int new_session(RestrictPlan& plan, const char*&) {
    // Everybody in the jail can read /proc/1/cmdline, and the kernel process has paths of the host in it.
    constexpr char kTitle[] = "jail-init";
    std::memset(plan.title, 0, plan.title_size);
    std::memcpy(plan.title, kTitle, std::min(sizeof kTitle - 1, plan.title_size));
    raw::call(SYS_prctl, PR_SET_NAME, kTitle, 0, 0, 0);
    return static_cast<int>(raw::call(SYS_setsid));
}

int become_inside_user(const Identity& identity, const char*& detail) {
    if (identity.root_mode) {
        detail = "drop root's groups";
        if (const long e = raw::call(SYS_setgroups, 0, nullptr); e < 0) return static_cast<int>(e);
    }
    detail = "group";
    const gid_t gid = identity.inside_gid;
    if (const long e = raw::call(SYS_setresgid, gid, gid, gid); e < 0) return static_cast<int>(e);
    detail = "user";
    // Capabilities in the new user namespace survive: they are cleared when leaving its uid 0, which we never
    // were.
    const uid_t uid = identity.inside_uid;
    return static_cast<int>(raw::call(SYS_setresuid, uid, uid, uid));
}

int detach_standard_streams(RestrictPlan&, const char*& detail) {
    detail = "/dev/null";
    const int fd = raw::open("/dev/null", O_RDWR);
    if (fd < 0) return fd;
    for (int stream = 0; stream <= 2; ++stream)
        if (const int e = raw::move_descriptor(fd, stream, 0); e < 0) return e;
    raw::close(fd);
    return 0;
}

// Nothing can be opened through them that the jail could not open anyway.
int hand_over_directories(RestrictPlan& plan, const char*& detail) {
    int descriptors[std::size(kHandedOver)];
    for (size_t i = 0; i < std::size(kHandedOver); ++i) {
        detail = kHandedOver[i];
        descriptors[i] = raw::open(kHandedOver[i], O_PATH | O_DIRECTORY, 0);
        if (descriptors[i] < 0) return descriptors[i];
    }
    const int e = send_descriptors(plan.control_fd, descriptors, std::size(descriptors));
    for (const int fd : descriptors) raw::close(fd);
    return e;
}

void restrict_and_run(RestrictPlan& plan) {
    Setup setup(plan);
    setup.step(Step::resource_limits,
               [](RestrictPlan& p, const char*& detail) { return set_resource_limits(p.limits, detail); });
    // Late: joining a cgroup takes the parent several milliseconds, which overlap with all of the above.
    setup.step(Step::limits_in_force, [](RestrictPlan& p, const char*& detail) {
        // gVisor, and all that it runs, was in our cgroup before it was started.
        return p.backend == Backend::runsc ? 0 : await_limits(p, detail);
    });
    setup.step(Step::drop_capabilities, drop_capabilities);
    setup.step(Step::no_new_privileges, forbid_new_privileges);
    // It forbids mounts, so all of them are made.
    setup.step(Step::landlock, [](RestrictPlan& p, const char*& detail) {
        return p.landlock ? enter_landlock(p.writable_paths, detail) : 0;
    });
    // Last: the filter forbids what the steps above needed.
    setup.step(Step::system_calls, load_filter);
    setup.step(Step::self_test, run_self_test);
    setup.step(Step::ready, [](RestrictPlan&, const char*&) { return 0; });
    setup.report(Step::ready, 0, "");
    raw::close(plan.report_fd);
    // A descriptor can come into gVisor, and none can leave it.
    run_init(plan.control_fd, plan.backend == Backend::runsc ? WorkerHandle::none : WorkerHandle::pidfd);
}

}  // namespace cellblock::jail
