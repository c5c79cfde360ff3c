// Acts tried out are rows of a table, other probes a function each; one list of them.
#include "jail/probes.hpp"

#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "base/sys.hpp"
#include "jail/cgroup.hpp"
#include "jail/jail.hpp"
#include "jail/landlock.hpp"
#include "jail/layer_marks.hpp"
#include "jail/policy/landlock.hpp"
#include "jail/steps.hpp"
#include "jail/trial.hpp"

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

int do_nothing() {
    return 0;
}

struct Attempt {
    const char* name;
    uint64_t namespaces;
    int (*act)();
    Step step;  ///< of which it is the essence, and whose remedies help
    const char* detail;
    const char* finding;  ///< when it works
};

// clang-format off
constexpr Attempt kAttempts[] = {
    {"user namespaces", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
     do_nothing, Step::clone, "",
     "user, mount, pid, net, ipc and uts namespaces can be made"},
    // AppArmor lets ordinary users make user namespaces on some hosts (Ubuntu 24.04), and nothing in them.
    {"privileges in user namespaces", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS,
     use_privileges, Step::private_mounts, "",
     "host name and mounts can be set there"},
    // The kernel refuses a new one to who sees only parts of the old one, as in containers.
    {"process view", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID,
     make_process_view, Step::process_view, "",
     "a new /proc can be mounted"},
    {"overlay", CLONE_NEWUSER | CLONE_NEWNS,
     make_overlay, Step::environment_mounts, "overlay",
     "overlays can be made in user namespaces"},
    // Refused where somebody supervises system calls already, whatever the kernel can do.
    {"system call filter", 0,
     load_watched_filter, Step::system_calls, "",
     "seccomp filters with notification"},
};
// clang-format on

Probe probe_attempt(const Attempt& attempt) {
    const Trial trial = try_in_child(attempt.namespaces, attempt.act);
    if (trial.clone_error != 0) return failed(attempt.name, step_error(Step::clone, trial.clone_error, ""));
    if (trial.act_error != 0)
        return failed(attempt.name, step_error(attempt.step, trial.act_error, attempt.detail));
    return {attempt.name, Probe::Status::ok, attempt.finding, ""};
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

Probe probe_landlock() {
    const int abi = landlock_abi();
    if (abi == 0) return failed(kLandlockProbe, step_error(Step::landlock, EOPNOTSUPP, ""));
    const std::string finding = "ABI " + std::to_string(abi);
    std::string missing;
    std::string since;
    for (const policy::LandlockAbiRow& row : policy::landlock_abis()) {
        if (abi >= row.abi) continue;
        missing += (missing.empty() ? "" : ", ") + std::string(row.without);
        since = row.since;
    }
    if (missing.empty()) return {kLandlockProbe, Probe::Status::ok, finding, ""};
    return {kLandlockProbe, Probe::Status::degraded, finding + "; without " + missing,
            "The jail's other locks hold these, too. For the second one use Linux " + since + " or later."};
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

Plan doctors_plan(Level level) {
    Plan plan;
    plan.level = level;
    plan.landlock = LandlockUse::optional;  // has a probe of its own
    plan.name = "doctor";
    return plan;
}

Probe probe_jail(const char* name, Level level, Backend backend = Backend::native) {
    Plan plan = doctors_plan(level);
    plan.backend = backend;
    // Every kernel shows directories, and not every host can: docs/adr/0007.
    auto directory = sys::TempDir::create("cellblock-doctor-");
    if (!directory) return failed(name, directory.error());
    plan.mounts = {{directory->path(), "/opt/doctor"}};
    const auto begin = std::chrono::steady_clock::now();
    auto jail = Jail::start(plan);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    if (!jail) return failed(name, jail.error());
    char finding[80];
    std::snprintf(finding, sizeof finding, "made in %.1f ms; every forbidden act failed in it", took.count());
    return {name, Probe::Status::ok, finding, ""};
}

Probe probe_writable_directory() {
    Plan plan = doctors_plan(Level::namespaced);
    auto directory = sys::TempDir::create("cellblock-doctor-");
    if (!directory) return failed(kWritableDirectoryProbe, directory.error());
    plan.mounts = {{directory->path(), "/opt/doctor", Access::copy_on_write}};
    auto jail = Jail::start(plan);
    if (!jail) return failed(kWritableDirectoryProbe, jail.error());
    if (!keeps_marks((*jail)->changes_fd()))
        return {kWritableDirectoryProbe, Probe::Status::degraded,
                "cells can write files, but neither remove a directory of the host's that has something in "
                "it nor make one in its place",
                "This kernel's tmpfs has no extended attributes: use Linux 6.6 or later (Debian 12: from "
                "backports)."};
    return {kWritableDirectoryProbe, Probe::Status::ok, "files and directories can be written and removed",
            ""};
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
    std::vector<Probe> probes = {probe_kernel()};
    for (const Attempt& attempt : kAttempts) probes.push_back(probe_attempt(attempt));
    for (const Probe& probe :
         {probe_landlock(), probe_cgroups(), probe_core_dumps(), probe_writable_directory(),
          probe_jail(kNamespacedJailProbe, Level::namespaced), probe_jail(kFullJailProbe, Level::full),
          probe_jail(kNamespacedBwrapProbe, Level::namespaced, Backend::bwrap),
          probe_jail(kFullBwrapProbe, Level::full, Backend::bwrap),
          probe_jail(kFullGvisorProbe, Level::full, Backend::runsc)})
        probes.push_back(probe);
    return probes;
}

}  // namespace cellblock::jail
