// The page to read first about the jail. Steps are in the order that the kernel's rules force; each comment
// says why here and not elsewhere. Async-signal-safe throughout: see ChildPlan.
#include "jail/child.hpp"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "jail/init.hpp"
#include "jail/landlock.hpp"
#include "jail/raw.hpp"
#include "jail/seccomp.hpp"
#include "jail/selftest.hpp"

namespace cellblock::jail {
namespace {

class Setup {
  public:
    explicit Setup(ChildPlan& plan) : plan_(plan) {}

    /// Runs one step. On failure reports it and ends the process, and with it, as pid 1, the jail.
    template <class Act>
    void step(Step step, Act act) {
        const char* detail = "";
        int error = act(plan_, detail);
        if (plan_.fault.error != 0 && plan_.fault.step == step) error = -plan_.fault.error;
        if (error >= 0) return;
        report(step, -error, detail);
        raw::exit_process(1);
    }

    void report(Step step, int error, const char* detail) {
        Report message{step, error, {}};
        for (size_t i = 0; i + 1 < sizeof message.detail && detail[i]; ++i) message.detail[i] = detail[i];
        // A parent that is gone cannot be told; reading the control socket will end us then.
        raw::write(plan_.report_fd, &message, sizeof message);
    }

  private:
    ChildPlan& plan_;
};

int close_descriptors(ChildPlan& plan, const char*&) {
    // First: a copy of the parent's end of a control socket, of this jail or another, would keep it from ever
    // reporting the parent's death.
    unsigned from = 3;
    for (const int fd : plan.kept_fds) {
        const auto kept = static_cast<unsigned>(fd);
        if (kept > from)
            if (const int e = raw::close_range(from, kept - 1); e < 0) return e;
        from = kept + 1;
    }
    return raw::close_range(from, ~0U);
}

int take_identity(ChildPlan& plan, const char*& detail) {
    // The files of a process that cannot be dumped belong to root, who does not exist in here.
    raw::call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (plan.identity.root_mode) {
        detail = "wait for the id map";
        if (const int e = await_go(plan.control_fd); e < 0) return e;
        detail = "drop root's groups";
        if (const long e = raw::call(SYS_setgroups, 0, nullptr); e < 0) return static_cast<int>(e);
    } else {
        detail = "setgroups";
        if (const int e = raw::write_text("/proc/self/setgroups", "deny", 4); e < 0) return e;
        detail = "gid_map";
        if (const int e = raw::write_text("/proc/self/gid_map", plan.gid_map.data(), plan.gid_map.size());
            e < 0)
            return e;
        detail = "uid_map";
        if (const int e = raw::write_text("/proc/self/uid_map", plan.uid_map.data(), plan.uid_map.size());
            e < 0)
            return e;
    }
    detail = "group";
    const gid_t gid = plan.identity.inside_gid;
    if (const long e = raw::call(SYS_setresgid, gid, gid, gid); e < 0) return static_cast<int>(e);
    detail = "user";
    // Capabilities in the new user namespace survive: they are cleared when leaving its uid 0, which we never
    // were.
    const uid_t uid = plan.identity.inside_uid;
    if (const long e = raw::call(SYS_setresuid, uid, uid, uid); e < 0) return static_cast<int>(e);
    // No PR_SET_PDEATHSIG: it follows the thread that cloned us, and the kernel process may end that one at
    // any time. The control socket follows the process: its end ends us (init.cpp).
    raw::call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0,
              0);  // Changing the uid cleared it; /proc/self is still needed.
    raw::call(SYS_umask, 0);
    return 0;
}

int new_session(ChildPlan& plan, const char*&) {
    // Everybody in the jail can read /proc/1/cmdline, and the kernel process has paths of the host in it.
    constexpr char kTitle[] = "jail-init";
    std::memset(plan.title, 0, plan.title_size);
    std::memcpy(plan.title, kTitle, std::min(sizeof kTitle - 1, plan.title_size));
    raw::call(SYS_prctl, PR_SET_NAME, kTitle, 0, 0, 0);
    return static_cast<int>(raw::call(SYS_setsid));
}

int set_host_name(ChildPlan& plan, const char*&) {
    return static_cast<int>(raw::call(SYS_sethostname, plan.name.c_str(), plan.name.size()));
}

int bring_up_loopback(ChildPlan&, const char*&) {
    const int fd = static_cast<int>(raw::call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd < 0) return fd;
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", 3);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const long e = raw::call(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
    raw::close(fd);
    return static_cast<int>(e);
}

int make_mounts_private(ChildPlan&, const char*&) {
    return static_cast<int>(raw::call(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

int detach_standard_streams(ChildPlan&, const char*& detail) {
    detail = "/dev/null";
    const int fd = raw::open("/dev/null", O_RDWR);
    if (fd < 0) return fd;
    for (int stream = 0; stream <= 2; ++stream)
        if (const int e = raw::move_descriptor(fd, stream, 0); e < 0) return e;
    raw::close(fd);
    return 0;
}

// For the parent to look at how full they are; nothing can be opened through them that it could not open
// anyway.
int hand_over_spaces(ChildPlan& plan, const char*& detail) {
    int descriptors[std::size(kSpaces)];
    for (size_t i = 0; i < std::size(kSpaces); ++i) {
        detail = kSpaces[i];
        descriptors[i] = raw::open(kSpaces[i], O_PATH | O_DIRECTORY, 0);
        if (descriptors[i] < 0) return descriptors[i];
    }
    const int e = send_descriptors(plan.control_fd, descriptors, std::size(descriptors));
    for (const int fd : descriptors) raw::close(fd);
    return e;
}

int show_directories(ChildPlan& plan, const char*& detail) {
    if (const int e = show_environment(plan.view, detail); e < 0) return e;
    detail = "hand over";
    if (const int e =
            send_descriptors(plan.control_fd, plan.view.context_fds.data(), plan.view.context_fds.size());
        e < 0)
        return e;
    for (const int fd : plan.view.context_fds) raw::close(fd);
    if (!plan.view.changed_path.empty()) {
        const int e = send_descriptors(plan.control_fd, &plan.view.changes_fd, 1);
        raw::close(plan.view.changes_fd);
        if (e < 0) return e;
    }
    return hand_over_spaces(plan, detail);
}

int set_resource_limits(ChildPlan& plan, const char*& detail) {
    for (const policy::ResourceLimit& row : plan.limits) {
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

int await_limits(ChildPlan& plan, const char*& detail) {
    detail = "go";
    if (const int e = await_go(plan.control_fd); e < 0) return e;
    // Now that we are in our cgroup, make it the root of what we see: its path names the host's process.
    detail = "cgroup namespace";
    return static_cast<int>(raw::call(SYS_unshare, CLONE_NEWCGROUP));
}

int drop_capabilities(ChildPlan&, const char*& detail) {
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
    detail = "ambient set";
    if (const long e = raw::call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); e < 0)
        return static_cast<int>(e);
    detail = "capabilities";
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2] = {};
    return static_cast<int>(raw::call(SYS_capset, &header, none));
}

int forbid_new_privileges(ChildPlan&, const char*&) {
    // Not dumpable: the worker has our uid and must not read this copy of the kernel process, nor /proc/1/fd.
    if (const long e = raw::call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0); e < 0) return static_cast<int>(e);
    raw::call(SYS_umask, 022);
    return static_cast<int>(raw::call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int load_filter(ChildPlan& plan, const char*& detail) {
    const int listener = load_system_call_filter(plan.level);
    if (listener < 0) return listener;
    detail = "hand over the listener";
    const int e = send_descriptors(plan.control_fd, &listener, 1);
    // Whoever holds it could wave calls through: no process of the jail may.
    raw::close(listener);
    return e;
}

}  // namespace

void run_child(ChildPlan& plan) {
    Setup setup(plan);
    setup.step(Step::close_descriptors, close_descriptors);
    setup.step(Step::take_identity, take_identity);
    setup.step(Step::new_session, new_session);
    setup.step(Step::host_name, set_host_name);
    setup.step(Step::loopback, bring_up_loopback);
    setup.step(Step::private_mounts, make_mounts_private);
    setup.step(Step::open_host_trees,
               [](ChildPlan& p, const char*& detail) { return open_host_trees(p.view, detail); });
    setup.step(Step::process_view,
               [](ChildPlan& p, const char*& detail) { return open_process_view(p.view, detail); });
    setup.step(Step::new_root, [](ChildPlan&, const char*& detail) { return enter_new_root(detail); });
    setup.step(Step::base_view, [](ChildPlan& p, const char*& detail) { return build_base(p.view, detail); });
    setup.step(Step::environment_mounts, show_directories);
    // Before /proc/sys becomes read-only, and while we still have capabilities.
    setup.step(Step::namespace_quota,
               [](ChildPlan&, const char*& detail) { return forbid_namespaces(detail); });
    setup.step(Step::process_masks, [](ChildPlan&, const char*& detail) { return mask_processes(detail); });
    setup.step(Step::read_only_root,
               [](ChildPlan&, const char*& detail) { return make_root_read_only(detail); });
    // From the jail's own /dev: a descriptor of the host's would be a way to look at the host's mount.
    setup.step(Step::standard_streams, detach_standard_streams);
    setup.step(Step::resource_limits, set_resource_limits);
    // Late: joining a cgroup takes the parent several milliseconds, which overlap with all of the above.
    setup.step(Step::limits_in_force, await_limits);
    setup.step(Step::drop_capabilities, drop_capabilities);
    setup.step(Step::no_new_privileges, forbid_new_privileges);
    // It forbids mounts, so all of them are made.
    setup.step(Step::landlock, [](ChildPlan& p, const char*& detail) {
        return p.landlock ? enter_landlock(p.view.changed_path.c_str(), detail) : 0;
    });
    // Last: the filter forbids what the steps above needed.
    setup.step(Step::system_calls, load_filter);
    setup.step(Step::self_test, run_self_test);
    setup.step(Step::ready, [](ChildPlan&, const char*&) { return 0; });
    setup.report(Step::ready, 0, "");
    raw::close(plan.report_fd);
    run_init(plan.control_fd);
}

}  // namespace cellblock::jail
