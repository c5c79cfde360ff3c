// One function a probe, one list of them.
#include "jail/probes.hpp"

#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/sys.hpp"
#include "jail/cgroup.hpp"
#include "jail/jail.hpp"
#include "jail/landlock.hpp"
#include "jail/raw.hpp"
#include "jail/steps.hpp"

namespace cellblock::jail {
namespace {

constexpr size_t kMaxFile = 64 * 1024;
// In the name of the cgroup that is made to see whether one can be: no jail of one process comes that far.
constexpr unsigned kProbeNumber = 999'999;

Probe failed(const char* name, const Error& error) {
    return {name, Probe::Status::missing, error.what(), error.remedy()};
}

Probe probe_kernel() {
    utsname info{};
    ::uname(&info);
    return {"kernel", Probe::Status::ok, std::string("Linux ") + info.release + " on " + info.machine, ""};
}

Probe probe_user_namespaces() {
    constexpr const char* kName = "user namespaces";
    clone_args args{};
    args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    args.exit_signal = SIGCHLD;
    const pid_t pid = raw::clone3(args);
    if (pid == 0) raw::exit_process(0);
    if (pid < 0) return failed(kName, step_error(Step::clone, -pid, ""));
    while (::waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    return {kName, Probe::Status::ok, "user, mount, pid, net, ipc and uts namespaces can be made", ""};
}

Probe probe_cgroups() {
    constexpr const char* kName = "cgroups";
    Limits limits;
    limits.cpus = 1;
    const auto host = look_at_cgroups();
    if (!host) return failed(kName, host.error());
    auto cgroup = Cgroup::create(*host, limits, kProbeNumber);
    if (!cgroup) return failed(kName, cgroup.error());
    const bool v2 = (*cgroup)->clone_fd() >= 0;
    return {kName, Probe::Status::ok,
            std::string("version ") + (v2 ? "2" : "1") + ": limits for memory, processes and CPU can be set",
            ""};
}

Probe probe_filter() {
    constexpr const char* kName = "system call filter";
    const auto available = [](uint32_t action) {
        return raw::call(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    };
    if (!available(SECCOMP_RET_ERRNO) || !available(SECCOMP_RET_KILL_PROCESS) ||
        !available(SECCOMP_RET_USER_NOTIF))
        return {kName, Probe::Status::missing, "the kernel has no seccomp filters with notification",
                "Use another kernel: Linux 5.12 or later, built with seccomp filters."};
    return {kName, Probe::Status::ok, "seccomp filters with notification", ""};
}

Probe probe_landlock() {
    const int abi = landlock_abi();
    if (abi == 0) return failed(kLandlockProbe, step_error(Step::landlock, EOPNOTSUPP, ""));
    return {kLandlockProbe, Probe::Status::ok, "ABI " + std::to_string(abi), ""};
}

Probe probe_core_dumps() {
    constexpr const char* kName = "core dumps";
    const auto pattern = sys::read_file("/proc/sys/kernel/core_pattern", kMaxFile);
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    const bool piped = pattern && pattern->starts_with("|");
    // A hard limit of 0 cannot be raised to the 1 that the kernel takes for "not even through the pipe".
    if (piped && limit.rlim_max == 0)
        return {kName, Probe::Status::degraded,
                "kernel.core_pattern runs a program on the host when a jailed process crashes, and the hard "
                "limit "
                "RLIMIT_CORE 0 does not stop it",
                "Raise the hard limit of core dumps to at least 1 byte (ulimit -Hc)."};
    return {kName, Probe::Status::ok,
            piped ? "the host's crash handler is kept out" : "no crash handler on the host", ""};
}

Probe probe_jail(const char* name, Level level, Access access = Access::read_only,
                 Backend backend = Backend::native) {
    Plan plan;
    plan.backend = backend;
    plan.level = level;
    plan.landlock = LandlockUse::optional;  // has a probe of its own
    plan.name = "doctor";
    // Every kernel shows directories, and not every host can: docs/adr/0007.
    auto directory = sys::TempDir::create("cellblock-doctor-");
    if (!directory) return failed(name, directory.error());
    plan.mounts = {{directory->path(), "/opt/doctor", access}};
    const auto begin = std::chrono::steady_clock::now();
    auto jail = Jail::start(plan);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    if (!jail) return failed(name, jail.error());
    char finding[80];
    std::snprintf(finding, sizeof finding, "made in %.1f ms; every forbidden act failed in it", took.count());
    return {name, Probe::Status::ok, finding, ""};
}

Probe probe_bwrap_jail(const char* name, Level level) {
    return probe_jail(name, level, Access::read_only, Backend::bwrap);
}

// Another sandbox of the host's is of no use to Cellblock's jails, and does no harm: said because people ask.
Probe probe_program(const char* name, const char* program) {
    const char* path = std::getenv("PATH");
    std::istringstream directories(path ? path : "");
    for (std::string directory; std::getline(directories, directory, ':');) {
        const std::string candidate = directory + "/" + program;
        if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0)
            return {name, Probe::Status::ok, candidate + " (not used: the jail is Cellblock's own)", ""};
    }
    return {name, Probe::Status::ok, "not installed (not needed: the jail is Cellblock's own)", ""};
}

}  // namespace

std::string_view to_text(Probe::Status status) {
    switch (status) {
        case Probe::Status::ok:
            return "ok";
        case Probe::Status::degraded:
            return "degraded";
        case Probe::Status::missing:
            return "missing";
    }
    return "unknown";
}

std::vector<Probe> probe_host() {
    return {probe_kernel(),
            probe_user_namespaces(),
            probe_cgroups(),
            probe_filter(),
            probe_landlock(),
            probe_core_dumps(),
            probe_program("gVisor", "runsc"),
            probe_jail(kWritableDirectoryProbe, Level::namespaced, Access::copy_on_write),
            probe_jail(kNamespacedJailProbe, Level::namespaced),
            probe_jail(kFullJailProbe, Level::full),
            probe_bwrap_jail(kNamespacedBwrapProbe, Level::namespaced),
            probe_bwrap_jail(kFullBwrapProbe, Level::full)};
}

}  // namespace cellblock::jail
