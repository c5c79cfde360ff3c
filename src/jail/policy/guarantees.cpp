// The table, and what a plan can ask for of it.
#include "jail/policy/guarantees.hpp"

#include <algorithm>
#include <string>

namespace cellblock::jail::policy {
namespace {

// clang-format off
constexpr GuaranteeRow kGuarantees[] = {
    {Guarantee::namespaces, "namespaces", "no process, network, mount, user or host name of the host's within reach",
     true, true, "bubblewrap makes the same namespaces",
     true, "gVisor runs in the namespaces of a native jail, and its kernel knows of nothing outside of it"},
    {Guarantee::hard_limits, "hard limits", "memory, processes and CPU of all that runs are bounded by a cgroup (level full)",
     true, true, "the kernel process makes the cgroup; bubblewrap runs in it from its start, and counts as one process more",
     true, "gVisor runs in the cgroup from its start; what it needs for itself counts as memory, and its threads have room beside the jail's"},
    {Guarantee::sampled_memory, "sampled memory", "without a cgroup (level namespaced), the memory of all that runs is sampled, and too much is the end",
     true, true, "the kernel of Linux tells it of each process",
     false, "gVisor keeps the jail's memory in a file that its processes have mapped little of: their sizes do not show it. Only a cgroup does"},
    {Guarantee::system_call_filter, "system call filter", "allowlist; calls that look like an escape are refused",
     true, true, "loaded by the same code, in jail-init",
     true, "loaded by the same code in gVisor's kernel; what that asks of Linux passes a filter of gVisor's"},
    {Guarantee::recorded_calls, "recorded calls", "refused calls that look like an escape are recorded, and told after the cell",
     true, true, "the filter's listener is the kernel process",
     false, "gVisor's kernel has no listeners of filters: such calls are refused, and nobody hears of them"},
    {Guarantee::asked_memory, "large requests", "a request for memory that would pass the soft limit is refused at once",
     true, true, "the filter's listener is the kernel process",
     false, "gVisor's kernel has no listeners of filters, and does not bound mappings by RLIMIT_DATA: a limit is met when the memory is used"},
    {Guarantee::counted_processes, "counted processes", "a cell is told that it met the limit of processes",
     true, true, "the cgroup counts what it refuses",
     false, "gVisor's kernel refuses, and does not count"},
    {Guarantee::landlock, "Landlock", "the second lock behind the mounts",
     true, true, "entered by the same code, in jail-init",
     false, "gVisor's kernel has none. Behind its mounts are those of Linux, which gVisor itself cannot leave"},
    {Guarantee::capabilities, "no capabilities", "none is held, and none can be gained",
     true, true, "bubblewrap empties all sets; the self-test looks at them",
     true, "gVisor's kernel gives none; the self-test looks at them"},
    {Guarantee::masked_processes, "masked /proc", "what belongs to the host in /proc is hidden or read-only",
     true, true, "bubblewrap is told to mount over it",
     true, "/proc is gVisor's own: it knows nothing of the host"},
    {Guarantee::scratch_size, "scratch size", "/tmp, /var/tmp, the home directory and /dev/shm have a size",
     true, true, "tmpfs with a size",
     true, "the same file systems as with native"},
    {Guarantee::scratch_together, "scratch size together", "/tmp, /var/tmp and the home directory share one size",
     true, false, "bubblewrap makes a tmpfs for each path: each has the size, and only /tmp is looked at for notes and records. The memory limit holds for all",
     true, "the same file system as with native"},
    {Guarantee::scratch_files, "scratch files", "the number of files in the scratch space is bounded",
     true, false, "bubblewrap 0.8 cannot set it. Files cost memory, whose limit holds",
     true, "the same file system as with native"},
    {Guarantee::shown_alone, "host directories by contents", "sockets, FIFOs and locks in a shown directory are not the host's, and nothing mounted below it is shown",
     true, false, "bubblewrap 0.8 knows no overlays: it binds the directory. A socket of the host's in it can be spoken to by whom its permissions allow",
     true, "gVisor's kernel opens no socket or FIFO of the host's, keeps locks to itself, and is shown each directory alone"},
    {Guarantee::namespace_quota, "namespace quotas", "the kernel of Linux itself refuses further namespaces, behind the filter",
     true, true, "with bubblewrap: user namespaces, which all others need",
     true, "namespaces made inside would be gVisor's: Linux hears nothing of them"},
    {Guarantee::inotify_quota, "inotify quotas", "a jail cannot use up the watches that the user's other programs share",
     true, false, "the sysctls take a capability in the jail's user namespace, which bubblewrap leaves nobody",
     true, "watches are gVisor's: Linux hears nothing of them"},
    {Guarantee::own_devices, "only listed devices", "/dev has what the policy lists and nothing else",
     true, false, "bubblewrap's /dev has tty and core besides: a terminal there is none, and /proc/kcore is masked. The times of its devices, which are the host's files, can be changed",
     false, "/dev is gVisor's: it has more (tty, fuse, net/tun), and nothing of the host's"},
    {Guarantee::writable_directory, "writable notebook directory", "--notebook-dir cow and rw",
     true, false, "bubblewrap 0.8 knows no overlays",
     true, "the same overlay as with native; but gVisor holds the directory open, so what the host adds to it meanwhile can be opened, and is in no listing before the next jail"},
    {Guarantee::no_loopback, "no loopback", "--network none: not even a loopback interface",
     true, false, "bubblewrap brings it up in each network namespace that it makes",
     true, "gVisor's network is its own, and has what is up in an empty namespace: nothing"},
    {Guarantee::allowed_names, "allowed network names", "--network allow: names can be reached, each through a socket of the kernel process",
     true, false, "the sockets take a capability in the jail's network namespace, which bubblewrap leaves nobody",
     false, "gVisor's network is its own: the kernel process has no sockets in it"},
    {Guarantee::writable_volumes, "writable volumes", "cellblock run --volume …:rw and --workspace",
     true, false, "bubblewrap cannot map the owner of a directory to the jail's user, which root's jails need",
     true, "the same mounts as with native"},
    {Guarantee::ends_with_kernel, "ends with the kernel", "however the kernel process ends, so does everything inside",
     true, true, "jail-init follows its control socket, and bubblewrap's end, too",
     true, "pid 1 of the namespaces that gVisor runs in ends with the kernel process"},
};
// clang-format on

}  // namespace

std::span<const GuaranteeRow> guarantees() {
    return kGuarantees;
}

bool provides(Backend backend, Guarantee guarantee) {
    const auto* const row = std::ranges::find(kGuarantees, guarantee, &GuaranteeRow::guarantee);
    CHECK(row != std::end(kGuarantees));
    switch (backend) {
        case Backend::native:
            return row->native;
        case Backend::bwrap:
            return row->bwrap;
        case Backend::runsc:
            return row->runsc;
    }
    UNREACHABLE();
}

Result<void> check_provided(const Plan& plan) {
    if (plan.level == Level::namespaced && !provides(plan.backend, Guarantee::sampled_memory))
        return std::move(Error("the isolation backend " + std::string(to_text(plan.backend)) +
                               " does not provide the level 'namespaced': nobody would bound its memory"))
            .with_remedy("Choose --isolation full, or the backend native.");
    const auto writable = std::ranges::find(plan.mounts, Access::copy_on_write,
                                            [](const Mount& mount) { return mount.access; });
    if (writable != plan.mounts.end() && !provides(plan.backend, Guarantee::writable_directory))
        return std::move(Error("let cells change " + writable->source + ": the isolation backend " +
                               std::string(to_text(plan.backend)) +
                               " provides no writable notebook directory"))
            .with_remedy("Choose --notebook-dir ro or none, or the backend native.");
    const bool network_is_provided =
        plan.network == Network::localhost ||
        provides(plan.backend,
                 plan.network == Network::none ? Guarantee::no_loopback : Guarantee::allowed_names);
    if (!network_is_provided)
        return std::move(Error("the isolation backend " + std::string(to_text(plan.backend)) +
                               " does not provide the network '" + std::string(to_text(plan.network)) + "'"))
            .with_remedy("Choose --network localhost, or the backend native.");
    const auto volume =
        std::ranges::find(plan.mounts, Access::read_write, [](const Mount& mount) { return mount.access; });
    if (volume != plan.mounts.end() && !provides(plan.backend, Guarantee::writable_volumes))
        return std::move(Error("let a program write to " + volume->source + ": the isolation backend " +
                               std::string(to_text(plan.backend)) + " provides no writable volumes"))
            .with_remedy("Choose the backend native.");
    return {};
}

}  // namespace cellblock::jail::policy
