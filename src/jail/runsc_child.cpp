// Async-signal-safe throughout: see ChildPlan.
#include "jail/runsc_child.hpp"

#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>

#include "jail/other_program.hpp"
#include "jail/raw.hpp"
#include "jail/runsc_config.hpp"

namespace cellblock::jail {
namespace {

// jail-init (with symbols, 2 MiB), config.json, and what gVisor notes about one container (some 20 KiB were
// seen).
constexpr const char* kPlaceOptions = "size=8m,nr_inodes=64,mode=755";
constexpr size_t kMostOfJailInit = size_t{4} << 20U;
constexpr const char* kBundle = "/run/bundle";
constexpr const char* kConfig = "/run/bundle/config.json";
constexpr const char* kState = "/run/state";

int copy_jail_init(int from, const char*& detail) {
    detail = kJailInit;
    const int to = raw::open(kJailInit, O_CREAT | O_EXCL | O_WRONLY, 0555);
    if (to < 0) return to;
    long n;
    do n = raw::call(SYS_sendfile, to, from, nullptr, kMostOfJailInit);
    while (n > 0);
    raw::close(to);
    return static_cast<int>(n);
}

/// The finished view as it is, without what lies over it from here on, and without /proc: gVisor shows its
/// own.
int attach_root(int view, const char*& detail) {
    detail = kRootForGvisor;
    if (const int e = raw::make_directory(kRootForGvisor, 0755); e < 0) return e;
    const int e = raw::move_mount(view, kRootForGvisor);
    raw::close(view);
    if (e < 0) return e;
    return static_cast<int>(raw::call(SYS_umount2, "/run/root/proc", MNT_DETACH));
}

int make_place(const RunscPlan& plan, const char*& detail) {
    detail = "the view";
    const int view = raw::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (view < 0) return view;
    detail = kGvisorPlace;
    constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV;
    if (const long e = raw::call(SYS_mount, "tmpfs", kGvisorPlace, "tmpfs", kFlags, kPlaceOptions); e < 0)
        return static_cast<int>(e);
    for (const char* directory : {kBundle, kState})
        if (const int e = raw::make_directory(directory, 0700); e < 0) return e;
    if (const int e = attach_root(view, detail); e < 0) return e;
    detail = kShownPlace;
    if (const int e = raw::make_directory(kShownPlace, 0755); e < 0) return e;
    if (const int e = copy_jail_init(plan.jail_init_fd, detail); e < 0) return e;
    detail = kConfig;
    const int fd = raw::open(kConfig, O_CREAT | O_EXCL | O_WRONLY, 0400);
    if (fd < 0) return fd;
    const long n = raw::write(fd, plan.config.data(), plan.config.size());
    raw::close(fd);
    if (n < 0) return static_cast<int>(n);
    return static_cast<size_t>(n) == plan.config.size() ? 0 : -ENOSPC;
}

/// gVisor makes namespaces for itself. Whoever is not root keeps capabilities across an exec as ambient ones
/// only.
int keep_capabilities(const char*& detail) {
    detail = "keep capabilities";
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    if (const long e = raw::call(SYS_capget, &header, data); e < 0) return static_cast<int>(e);
    for (auto& part : data) part.inheritable = part.permitted;
    if (const long e = raw::call(SYS_capset, &header, data); e < 0) return static_cast<int>(e);
    for (unsigned long capability = 0;; ++capability) {
        const long e = raw::call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
        if (e == -EINVAL && capability > CAP_SETPCAP) return 0;  // One past the kernel's last.
        if (e < 0 && e != -EPERM) return static_cast<int>(e);    // One that a host has taken from everybody.
    }
}

/// In the forked process.
int execute(RunscPlan& plan, const char*& detail) {
    detail = "descriptors";
    if (const int e = arrange_streams(plan.said_fd); e < 0) return e;
    std::vector<int>& descriptors = plan.given_fds;
    if (const int e = arrange_descriptors(descriptors); e < 0) return e;
    plan.report_fd = given_fd::kReport;
    const uint64_t no_signals = 0;
    raw::call(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, sizeof no_signals);
    detail = "runsc";
    const auto text = [](const char* word) { return const_cast<char*>(word); };
    // The view is finished, so gVisor is to add nothing: no layer over it, no memory of what files were like.
    char* const arguments[] = {text("runsc"),
                               text("--root=/run/state"),
                               plan.network_option.data(),
                               text("--ignore-cgroups"),
                               text("--overlay2=none"),
                               text("--file-access=shared"),
                               text("--host-uds=none"),
                               text("--host-fifo=none"),
                               text("run"),
                               text("--bundle=/run/bundle"),
                               text("--pass-fd=3:3"),
                               text("--pass-fd=4:4"),
                               text("--pass-fd=5:5"),
                               text("jail"),
                               nullptr};
    static_assert(given_fd::kControl == 3 && given_fd::kReport == 4 && given_fd::kHandOver == 5);
    char* const environment[] = {nullptr};
    // By its descriptor: the view need not show it.
    return static_cast<int>(
        raw::call(SYS_execveat, runsc_fd::kRunsc, "", arguments, environment, AT_EMPTY_PATH));
}

int start_gvisor(RunscPlan& plan, const char*& detail) {
    if (const int e = make_place(plan, detail); e < 0) return e;
    if (const int e = set_resource_limits(plan.host_limits, detail); e < 0) return e;
    if (const int e = keep_capabilities(detail); e < 0) return e;
    detail = "no new privileges";
    if (const long e = raw::call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); e < 0)
        return static_cast<int>(e);
    // This is a copy of the kernel process, and gVisor has our uid.
    if (const long e = raw::call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0); e < 0) return static_cast<int>(e);
    // An injected fault must find nothing executed.
    if (plan.fault.error != 0 && plan.fault.step == Step::gvisor) return 0;
    detail = "fork";
    int pidfd = -1;
    const long pid = raw::call(SYS_clone, SIGCHLD | CLONE_PIDFD, nullptr, &pidfd, nullptr, nullptr);
    if (pid < 0) return static_cast<int>(pid);
    if (pid == 0) return execute(plan, detail);
    plan.gvisor_pidfd = pidfd;
    return 0;
}

/// Until gVisor has ended, or the kernel process.
[[noreturn]] void watch(const RunscPlan& plan) {
    // What gVisor leaves behind is nobody's to wait for.
    const uint64_t ignored[4] = {1 /* SIG_IGN */};
    raw::call(SYS_rt_sigaction, SIGCHLD, ignored, nullptr, sizeof(uint64_t));
    // Only the jail has the report and what it was given now: their ends tell the parent of its end.
    const int kept[] = {std::min(plan.control_fd, plan.gvisor_pidfd),
                        std::max(plan.control_fd, plan.gvisor_pidfd)};
    raw::close_all_but(kept, 2);
    pollfd fds[] = {{plan.control_fd, 0, 0}, {plan.gvisor_pidfd, POLLIN, 0}};
    while (fds[0].revents == 0 && fds[1].revents == 0) raw::call(SYS_ppoll, fds, 2, nullptr, nullptr, 0);
    raw::exit_process(fds[1].revents != 0 ? 1 : 0);
}

}  // namespace

void run_runsc_child(RunscPlan& plan) {
    make_view(plan);
    Setup setup(plan);
    setup.step(Step::read_only_root,
               [](RunscPlan&, const char*& detail) { return make_root_read_only(detail); });
    setup.step(Step::standard_streams, detach_standard_streams);
    setup.step(Step::limits_in_force, await_limits);
    setup.step(Step::gvisor, start_gvisor);
    watch(plan);
}

}  // namespace cellblock::jail
