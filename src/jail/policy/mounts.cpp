// The tables. Reasons are shown by `cellblock explain`, so they are written for whoever audits the policy.
#include "jail/policy/mounts.hpp"

namespace cellblock::jail::policy {
namespace {

// clang-format off
constexpr ViewRow kBaseView[] = {
    {View::host_tree, "/usr", "", "programs and libraries of the system"},
    {View::host_symlink, "/bin", "", "programs by their traditional name"},
    {View::host_symlink, "/sbin", "", "programs by their traditional name"},
    {View::host_symlink, "/lib", "", "the dynamic loader and libraries by their traditional name"},
    {View::host_symlink, "/lib32", "", "libraries by their traditional name"},
    {View::host_symlink, "/lib64", "", "the dynamic loader is found here by every program"},
    {View::host_symlink, "/libx32", "", "libraries by their traditional name"},

    {View::directory, "/etc", "0755", "synthetic: the host's is full of secrets and of facts about the host"},
    {View::text, "/etc/passwd", "passwd", "the jail's user, root and nobody; the host's users are not named"},
    {View::text, "/etc/group", "group", "the jail's group, root and nogroup"},
    {View::text, "/etc/hosts", "hosts", "localhost and the jail's own name"},
    {View::text, "/etc/hostname", "hostname", "the jail's own name"},
    {View::text, "/etc/resolv.conf", "resolv.conf", "no name server, but with the network 'allow': the kernel process, which knows the allowed names only"},
    {View::text, "/etc/nsswitch.conf", "nsswitch.conf", "names come from files, those of hosts also from the name server; no daemon of the host is asked"},
    {View::text, "/etc/host.conf", "host.conf", "glibc warns about its absence in some resolvers"},
    {View::text, "/etc/machine-id", "machine-id", "all zero: the host's identifies it, and D-Bus libraries want one"},
    {View::text, "/etc/shells", "shells", "programs that check a login shell"},
    {View::symlink, "/etc/mtab", "/proc/self/mounts", "the jail's own mounts for programs that read it"},
    {View::host_symlink, "/etc/localtime", "", "the host's time zone, as a notebook outside would see it"},
    {View::host_tree, "/etc/timezone", "", "its name"},
    {View::host_symlink, "/etc/os-release", "", "platform.freedesktop_os_release()"},
    {View::host_tree, "/etc/debian_version", "", "the same for older libraries"},
    {View::host_tree, "/etc/ld.so.cache", "", "where the dynamic loader finds libraries"},
    {View::host_tree, "/etc/ld.so.conf", "", "source of the cache; read by ctypes.util and build tools"},
    {View::host_tree, "/etc/ld.so.conf.d", "", "source of the cache; read by ctypes.util and build tools"},
    {View::host_tree, "/etc/alternatives", "", "symlinks of /usr point into it (editors, BLAS, java, cc)"},
    {View::host_tree, "/etc/fonts", "", "fontconfig for plots"},
    {View::host_tree, "/etc/ssl/certs", "", "public certificates; private keys lie beside this directory, not in it"},
    {View::host_tree, "/etc/ssl/openssl.cnf", "", "OpenSSL reads it at start"},
    {View::host_tree, "/etc/pki/tls/certs", "", "public certificates where Red Hat's systems keep them"},
    {View::host_tree, "/etc/pki/ca-trust/extracted", "", "public certificates where Red Hat's systems keep them"},
    {View::host_tree, "/etc/mime.types", "", "mimetypes.guess_type()"},
    {View::host_tree, "/etc/services", "", "socket.getservbyname()"},
    {View::host_tree, "/etc/protocols", "", "socket.getprotobyname()"},
    {View::host_tree, "/etc/matplotlibrc", "", "a site's plotting defaults"},

    {View::directory, "/dev", "0755", "only what follows: no disk, no memory, no console, no kvm, no vsock, no tty"},
    {View::host_device, "/dev/null", "", "used by every program"},
    {View::host_device, "/dev/zero", "", "mmap of zeroes in older programs"},
    {View::host_device, "/dev/full", "", "tests of error handling"},
    {View::host_device, "/dev/random", "", "randomness"},
    {View::host_device, "/dev/urandom", "", "randomness"},
    {View::symlink, "/dev/fd", "/proc/self/fd", "process substitution of shells"},
    {View::symlink, "/dev/stdin", "/proc/self/fd/0", "by the name that programs use"},
    {View::symlink, "/dev/stdout", "/proc/self/fd/1", "by the name that programs use"},
    {View::symlink, "/dev/stderr", "/proc/self/fd/2", "by the name that programs use"},
    {View::shared_memory, "/dev/shm", "", "multiprocessing: shared memory and semaphores"},
    {View::terminals, "/dev/pts", "", "pseudo terminals of its own: pexpect, %system, !commands"},
    {View::symlink, "/dev/ptmx", "pts/ptmx", "opens a pseudo terminal of the jail's own devpts"},

    {View::processes, "/proc", "", "full, not subset=pid: psutil needs meminfo, stat and cpuinfo"},

    {View::directory, "/sys", "0755", "empty but for the topology: sysfs describes the host and its devices"},
    {View::host_tree, "/sys/devices/system/cpu", "", "CPU topology for OpenBLAS, joblib and psutil; the same as /proc/cpuinfo"},
    {View::host_tree, "/sys/devices/system/node", "", "NUMA topology for numerical libraries"},

    {View::directory, "/sys/class", "0755", "empty but for what libraries list"},
    {View::directory, "/sys/class/power_supply", "0755", "empty: psutil.sensors_battery() lists it"},

    {View::directory, "/run", "0755", "empty: sockets of the host's daemons live in the host's"},
    {View::directory, "/var", "0755", "empty but for var/tmp"},
    {View::directory, "/home", "0755", "holds the jail's own home; the host's homes are absent"},
    {View::scratch, "/tmp", "1777", "temporary files"},
    {View::scratch, "/var/tmp", "1777", "temporary files"},
    {View::scratch, "/home/cell", "0700", "HOME: caches and configuration that live as long as the jail"},
};

constexpr MaskRow kProcessMasks[] = {
    {Mask::read_only, "/proc/sys", "sysctls: those without a namespace are the host's"},
    {Mask::read_only, "/proc/bus", "configuration space of the host's devices"},
    {Mask::read_only, "/proc/fs", "knobs of the host's file systems"},
    {Mask::read_only, "/proc/irq", "interrupt routing of the host"},
    {Mask::read_only, "/proc/mtrr", "memory type registers of the host"},
    {Mask::read_only, "/proc/pressure", "anybody may set triggers there that wake threads of the host's kernel"},
    {Mask::hidden_directory, "/proc/acpi", "power control of the host"},
    {Mask::hidden_directory, "/proc/asound", "sound devices of the host; a known covert channel"},
    {Mask::hidden_file, "/proc/buddyinfo", "free memory of the host by place: of use to attackers only"},
    {Mask::hidden_file, "/proc/cmdline", "boot parameters of the host; some carry secrets"},
    {Mask::hidden_file, "/proc/config.gz", "build configuration of the kernel, of use to attackers only"},
    {Mask::hidden_file, "/proc/diskstats", "activity of the host's disks"},
    {Mask::hidden_directory, "/proc/driver", "devices of the host"},
    {Mask::hidden_directory, "/proc/dynamic_debug", "debugging knobs of the host's kernel"},
    {Mask::hidden_file, "/proc/interrupts", "devices of the host, and how busy each is"},
    {Mask::hidden_file, "/proc/iomem", "physical memory map of the host"},
    {Mask::hidden_file, "/proc/ioports", "ports of the host's devices"},
    {Mask::hidden_file, "/proc/kallsyms", "kernel addresses"},
    {Mask::hidden_file, "/proc/kcore", "memory of the host"},
    {Mask::hidden_file, "/proc/key-users", "keyrings are not all in a namespace"},
    {Mask::hidden_file, "/proc/keys", "keyrings are not all in a namespace"},
    {Mask::hidden_file, "/proc/kmsg", "kernel log of the host"},
    {Mask::hidden_file, "/proc/kpagecgroup", "physical memory of the host"},
    {Mask::hidden_file, "/proc/kpagecount", "physical memory of the host"},
    {Mask::hidden_file, "/proc/kpageflags", "physical memory of the host"},
    {Mask::hidden_file, "/proc/latency_stats", "timing of other processes"},
    {Mask::hidden_file, "/proc/locks", "files that other processes lock"},
    {Mask::hidden_file, "/proc/mdstat", "disks of the host"},
    {Mask::hidden_file, "/proc/modules", "modules of the host's kernel"},
    {Mask::hidden_file, "/proc/partitions", "disks of the host"},
    {Mask::hidden_file, "/proc/sched_debug", "names of the host's processes"},
    {Mask::hidden_directory, "/proc/scsi", "devices of the host"},
    {Mask::hidden_file, "/proc/slabinfo", "kernel memory of the host"},
    {Mask::hidden_file, "/proc/softirqs", "how busy the host's devices are"},
    {Mask::hidden_file, "/proc/sysrq-trigger", "reboots the host"},
    {Mask::hidden_file, "/proc/timer_list", "timers and names of the host's processes"},
    {Mask::hidden_file, "/proc/timer_stats", "timers and names of the host's processes"},
    {Mask::hidden_file, "/proc/vmallocinfo", "kernel addresses"},
    {Mask::hidden_file, "/proc/zoneinfo", "free memory of the host by place: of use to attackers only"},
};

constexpr QuotaRow kNamespaceQuotas[] = {
    {"/proc/sys/user/max_user_namespaces", "0", "a user namespace gives capabilities and opens most kernel bugs"},
    {"/proc/sys/user/max_mnt_namespaces", "0", "no new mount view"},
    {"/proc/sys/user/max_pid_namespaces", "0", "no processes that kill_all() cannot see"},
    {"/proc/sys/user/max_net_namespaces", "0", "no new network stack"},
    {"/proc/sys/user/max_ipc_namespaces", "0", "no new System V objects"},
    {"/proc/sys/user/max_uts_namespaces", "0", "no change of the host name"},
    {"/proc/sys/user/max_cgroup_namespaces", "1", "the jail's own, made when it is in its cgroup; no other"},
    {"/proc/sys/user/max_time_namespaces", "0", "no change of clocks"},
    {"/proc/sys/user/max_inotify_instances", "32", "the user's other programs share the host's number of these"},
    {"/proc/sys/user/max_inotify_watches", "8192", "the user's other programs share the host's number of these"},
    {"/proc/sys/user/max_fanotify_groups", "0", "fanotify is not needed"},
};
// clang-format on

}  // namespace

std::span<const ViewRow> base_view() {
    return kBaseView;
}

std::span<const MaskRow> process_masks() {
    return kProcessMasks;
}

std::span<const QuotaRow> namespace_quotas() {
    return kNamespaceQuotas;
}

}  // namespace cellblock::jail::policy
