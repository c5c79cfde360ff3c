// The tables. Allowed calls come in groups that share a reason; everything else has a row of its own.
#include "jail/policy/syscalls.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

namespace cellblock::jail::policy {
namespace {

struct CallGroup {
    const char* reason;
    const char* names;  // separated by one space
};

// clang-format off
constexpr CallGroup kAllowed[] = {
    {"reads and writes descriptors that are already open",
     "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup "
     "dup2 dup3 fcntl ioctl flock fsync fdatasync sync_file_range ftruncate fallocate fadvise64 readahead "
     "sendfile splice tee vmsplice copy_file_range"},
    {"opens and creates files; the mount view decides which",
     "open openat creat truncate mkdir mkdirat mknod mknodat rmdir unlink unlinkat rename renameat "
     "renameat2 link linkat symlink symlinkat readlink readlinkat chdir fchdir getcwd getdents getdents64 "
     "umask sync syncfs"},
    {"file attributes; setuid and setgid bits are refused below",
     "stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 chmod fchmod fchmodat "
     "chown fchown lchown fchownat utime utimes futimesat utimensat getxattr lgetxattr fgetxattr setxattr "
     "lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr"},
    {"waits for descriptors, signals and time",
     "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
     "eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime inotify_init "
     "inotify_init1 inotify_add_watch inotify_rm_watch pipe pipe2"},
    {"memory of the process itself",
     "brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 munlock mlockall munlockall "
     "pkey_alloc pkey_free pkey_mprotect membarrier mbind set_mempolicy get_mempolicy"},
    {"processes and threads in the jail",
     "clone fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill rt_sigqueueinfo "
     "rt_tgsigqueueinfo pidfd_open pidfd_send_signal set_tid_address futex futex_waitv set_robust_list "
     "get_robust_list rseq restart_syscall arch_prctl prctl get_thread_area set_thread_area"},
    {"signal handling",
     "rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigreturn sigaltstack "
     "pause"},
    {"asks about itself; changes of identity fail without capabilities",
     "getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid "
     "setreuid setregid setresuid setresgid setfsuid setfsgid setgroups getpgid getpgrp getsid setpgid "
     "setsid capget capset"},
    {"its own limits, priority and placement; raising them fails without capabilities",
     "getrlimit setrlimit prlimit64 getrusage times getpriority setpriority ioprio_get ioprio_set "
     "sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler "
     "sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_getattr "
     "sched_setattr getcpu sysinfo uname"},
    {"clocks and timers",
     "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer setitimer "
     "timer_create timer_settime timer_gettime timer_getoverrun timer_delete"},
    {"sockets of the jail's own network; families are refused below",
     "socket socketpair bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt "
     "shutdown sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg"},
    {"random numbers",
     "getrandom"},
    {"restricts the caller further, never less",
     "landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
};

constexpr CallRow kSingle[] = {
    {"seccomp", kAllow, "restricts the caller further, never less; listeners are refused below"},
    {"memfd_create", kAllow, "anonymous files: memory that only a memory cgroup accounts for", When::hard_memory_limit},
    {"clone3", refuse(ENOSYS), "its flags lie behind a pointer; glibc falls back to clone"},
    {"openat2", refuse(ENOSYS), "its mode bits lie behind a pointer; programs fall back to openat"},
    {"io_uring_setup", report(ENOSYS), "a ring performs system calls that no filter sees"},
    {"io_uring_enter", report(ENOSYS), "a ring performs system calls that no filter sees"},
    {"io_uring_register", report(ENOSYS), "a ring performs system calls that no filter sees"},
    {"shmget", refuse(ENOSYS), "System V segments outlive their processes, so a restart would not free them; POSIX shared memory works"},
    {"shmat", refuse(ENOSYS), "as shmget"},
    {"shmctl", refuse(ENOSYS), "as shmget"},
    {"shmdt", refuse(ENOSYS), "as shmget"},
    {"semget", refuse(ENOSYS), "System V semaphores outlive their processes"},
    {"semop", refuse(ENOSYS), "as semget"},
    {"semctl", refuse(ENOSYS), "as semget"},
    {"semtimedop", refuse(ENOSYS), "as semget"},
    {"msgget", refuse(ENOSYS), "System V queues outlive their processes and live in kernel memory"},
    {"msgsnd", refuse(ENOSYS), "as msgget"},
    {"msgrcv", refuse(ENOSYS), "as msgget"},
    {"msgctl", refuse(ENOSYS), "as msgget"},
    {"mq_open", refuse(EACCES), "POSIX queues live in kernel memory and outlive their processes"},
    {"mq_unlink", refuse(EACCES), "as mq_open"},
    {"unshare", report(EPERM), "makes namespaces, and with them capabilities"},
    {"setns", report(EPERM), "enters other namespaces"},
    {"mount", report(EPERM), "changes the mount view"},
    {"umount2", report(EPERM), "changes the mount view; below a mount may lie what it hides"},
    {"pivot_root", report(EPERM), "changes the root"},
    {"chroot", report(EPERM), "changes the root; a known way out of roots"},
    {"fsopen", report(EPERM), "mounts by descriptor"},
    {"fsconfig", report(EPERM), "mounts by descriptor"},
    {"fsmount", report(EPERM), "mounts by descriptor"},
    {"fspick", report(EPERM), "mounts by descriptor"},
    {"open_tree", report(EPERM), "mounts by descriptor"},
    {"move_mount", report(EPERM), "mounts by descriptor"},
    {"mount_setattr", report(EPERM), "makes read-only mounts writable"},
    {"name_to_handle_at", report(EPERM), "names files without a path"},
    {"open_by_handle_at", report(EPERM), "opens files without a path, past the mount view"},
    {"ptrace", report(EPERM), "reads and writes the memory of other processes"},
    {"process_vm_readv", report(EPERM), "reads the memory of other processes"},
    {"process_vm_writev", report(EPERM), "writes the memory of other processes"},
    {"process_madvise", report(EPERM), "reclaims the memory of other processes"},
    {"pidfd_getfd", report(EPERM), "takes descriptors from other processes"},
    {"kcmp", report(EPERM), "compares kernel objects of other processes"},
    {"bpf", report(EPERM), "loads programs into the kernel"},
    {"perf_event_open", report(EPERM), "measures the kernel; a large attack surface"},
    {"userfaultfd", report(EPERM), "stops the kernel in the middle of a copy, which makes races winnable"},
    {"add_key", report(EPERM), "keyrings are shared between jails of one user"},
    {"keyctl", report(EPERM), "keyrings are shared between jails of one user"},
    {"request_key", report(EPERM), "keyrings are shared between jails of one user; starts a helper on the host"},
    {"init_module", report(EPERM), "loads code into the kernel"},
    {"finit_module", report(EPERM), "loads code into the kernel"},
    {"delete_module", report(EPERM), "unloads code from the kernel"},
    {"kexec_load", report(EPERM), "replaces the kernel"},
    {"kexec_file_load", report(EPERM), "replaces the kernel"},
    {"reboot", report(EPERM), "stops the host"},
    {"swapon", report(EPERM), "the host's swap"},
    {"swapoff", report(EPERM), "the host's swap"},
    {"acct", report(EPERM), "accounting of the host"},
    {"quotactl", report(EPERM), "quotas of the host"},
    {"quotactl_fd", report(EPERM), "quotas of the host"},
    {"syslog", report(EPERM), "kernel log of the host"},
    {"settimeofday", report(EPERM), "clock of the host"},
    {"clock_settime", report(EPERM), "clock of the host"},
    {"clock_adjtime", report(EPERM), "clock of the host"},
    {"adjtimex", report(EPERM), "clock of the host"},
    {"sethostname", report(EPERM), "the jail's name is fixed"},
    {"setdomainname", report(EPERM), "the jail's name is fixed"},
    {"iopl", report(EPERM), "ports of the hardware"},
    {"ioperm", report(EPERM), "ports of the hardware"},
    {"vhangup", report(EPERM), "terminals"},
    {"fanotify_init", report(EPERM), "watches whole file systems"},
    {"fanotify_mark", report(EPERM), "watches whole file systems"},
    {"migrate_pages", report(EPERM), "moves the memory of other processes"},
    {"move_pages", report(EPERM), "moves the memory of other processes"},
    {"personality", refuse(EPERM), "switches off address space randomisation and execute protection"},
    {"modify_ldt", refuse(ENOSYS), "16-bit segments; a source of kernel bugs"},
    {"memfd_secret", refuse(ENOSYS), "memory that the kernel itself cannot account or dump"},
};

// linux/ioprio.h, which this glibc's headers do not always bring along.
constexpr uint64_t kIoprioWhoUser = 3;

constexpr Condition always{0, Match::equals, 0, 0};
constexpr Condition is(unsigned argument, uint64_t value) { return {argument, Match::equals, 0xffffffff, value}; }
constexpr Condition has(unsigned argument, uint64_t bit) { return {argument, Match::equals, bit, bit}; }
constexpr Condition type_is(uint64_t value) { return {1, Match::equals, 0xf, value}; }
constexpr Condition above(unsigned argument, uint64_t value) { return {argument, Match::greater, 0, value}; }

constexpr const char* kNamespaces = "makes namespaces, and with them capabilities";
constexpr const char* kInit = "starves or kills pid 1 of the jail";
constexpr const char* kSetuid = "setuid and setgid files could outlive the jail in a shared directory";
constexpr const char* kDevice = "a device node could outlive the jail in a shared directory";
constexpr const char* kFamily = "the family is not in a network namespace, or is an attack surface that no notebook needs";
constexpr const char* kType = "a socket type that only rare protocols have";
constexpr const char* kProtocol = "asks the kernel to load the module of a rare protocol";

constexpr ArgumentRow kRefusedArguments[] = {
    // The kernel looks at the low 32 bits of an int argument: masks ignore what an attacker puts above them.
    {"clone", has(0, CLONE_NEWUSER), always, report(EPERM), kNamespaces},
    {"clone", has(0, CLONE_NEWNS), always, report(EPERM), kNamespaces},
    {"clone", has(0, CLONE_NEWPID), always, report(EPERM), kNamespaces},
    {"clone", has(0, CLONE_NEWNET), always, report(EPERM), kNamespaces},
    {"clone", has(0, CLONE_NEWIPC), always, report(EPERM), kNamespaces},
    {"clone", has(0, CLONE_NEWUTS), always, report(EPERM), kNamespaces},
    {"clone", has(0, CLONE_NEWCGROUP), always, report(EPERM), kNamespaces},

    {"ioctl", is(1, TIOCSTI), always, report(EPERM), "types into the terminal of somebody else"},
    {"ioctl", is(1, TIOCSETD), always, report(EPERM), "loads line disciplines, a source of kernel bugs"},
    {"ioctl", is(1, TIOCLINUX), always, report(EPERM), "pastes into the console"},
    {"seccomp", has(1, SECCOMP_FILTER_FLAG_NEW_LISTENER), always, report(EPERM), "a listener could wave through what an older filter asks about"},

    {"fcntl", is(1, F_SETLEASE), always, report(EPERM), "holds up whoever opens a file of the host's that is shown singly"},

    // The worker has the user id of jail-init, which must go on answering.
    {"prlimit64", is(0, 1), always, report(EPERM), kInit},
    {"sched_setaffinity", is(0, 1), always, report(EPERM), kInit},
    {"sched_setscheduler", is(0, 1), always, report(EPERM), kInit},
    {"sched_setparam", is(0, 1), always, report(EPERM), kInit},
    {"sched_setattr", is(0, 1), always, report(EPERM), kInit},
    {"setpriority", is(1, 1), always, report(EPERM), kInit},
    {"setpriority", is(0, PRIO_USER), always, report(EPERM), kInit},
    {"ioprio_set", is(1, 1), always, report(EPERM), kInit},
    {"ioprio_set", is(0, kIoprioWhoUser), always, report(EPERM), "the host user's other processes have the same user id"},
    {"ioprio_get", is(0, kIoprioWhoUser), always, report(EPERM), "tells about the host user's other processes"},

    {"chmod", has(1, S_ISUID), always, report(EPERM), kSetuid},
    {"chmod", has(1, S_ISGID), always, report(EPERM), kSetuid},
    {"fchmod", has(1, S_ISUID), always, report(EPERM), kSetuid},
    {"fchmod", has(1, S_ISGID), always, report(EPERM), kSetuid},
    {"fchmodat", has(2, S_ISUID), always, report(EPERM), kSetuid},
    {"fchmodat", has(2, S_ISGID), always, report(EPERM), kSetuid},
    {"creat", has(1, S_ISUID), always, report(EPERM), kSetuid},
    {"creat", has(1, S_ISGID), always, report(EPERM), kSetuid},
    {"mkdir", has(1, S_ISUID), always, report(EPERM), kSetuid},
    {"mkdir", has(1, S_ISGID), always, report(EPERM), kSetuid},
    {"mkdirat", has(2, S_ISUID), always, report(EPERM), kSetuid},
    {"mkdirat", has(2, S_ISGID), always, report(EPERM), kSetuid},
    {"mknod", has(1, S_ISUID), always, report(EPERM), kSetuid},
    {"mknod", has(1, S_ISGID), always, report(EPERM), kSetuid},
    {"mknodat", has(2, S_ISUID), always, report(EPERM), kSetuid},
    {"mknodat", has(2, S_ISGID), always, report(EPERM), kSetuid},
    // The mode means something only together with a flag that creates; without one it is whatever was in the register.
    {"open", has(1, O_CREAT), has(2, S_ISUID), report(EPERM), kSetuid},
    {"open", has(1, O_CREAT), has(2, S_ISGID), report(EPERM), kSetuid},
    {"open", has(1, O_TMPFILE), has(2, S_ISUID), report(EPERM), kSetuid},
    {"open", has(1, O_TMPFILE), has(2, S_ISGID), report(EPERM), kSetuid},
    {"openat", has(2, O_CREAT), has(3, S_ISUID), report(EPERM), kSetuid},
    {"openat", has(2, O_CREAT), has(3, S_ISGID), report(EPERM), kSetuid},
    {"openat", has(2, O_TMPFILE), has(3, S_ISUID), report(EPERM), kSetuid},
    {"openat", has(2, O_TMPFILE), has(3, S_ISGID), report(EPERM), kSetuid},

    // S_IFBLK contains the bit of S_IFDIR: compare the whole type.
    {"mknod", {1, Match::equals, S_IFMT, S_IFCHR}, always, report(EPERM), kDevice},
    {"mknod", {1, Match::equals, S_IFMT, S_IFBLK}, always, report(EPERM), kDevice},
    {"mknodat", {2, Match::equals, S_IFMT, S_IFCHR}, always, report(EPERM), kDevice},
    {"mknodat", {2, Match::equals, S_IFMT, S_IFBLK}, always, report(EPERM), kDevice},

    // What is left: AF_UNIX 1, AF_INET 2, AF_INET6 10 and AF_NETLINK 16.
    {"socket", is(0, AF_UNSPEC), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_AX25), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_IPX), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_APPLETALK), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_NETROM), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_BRIDGE), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_ATMPVC), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_X25), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_ROSE), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_DECnet), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_NETBEUI), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_SECURITY), always, report(EAFNOSUPPORT), kFamily},
    {"socket", is(0, AF_KEY), always, report(EAFNOSUPPORT), kFamily},
    {"socket", above(0, AF_NETLINK), always, report(EAFNOSUPPORT), "all later families, AF_PACKET, AF_ALG, AF_VSOCK (reaches the hypervisor) and AF_XDP among them"},
    // The type is in the low four bits; SOCK_CLOEXEC and SOCK_NONBLOCK are above. What is left: SOCK_STREAM 1,
    // SOCK_DGRAM 2, SOCK_RAW 3 (fails without capabilities, but netlink's is one) and SOCK_SEQPACKET 5; the
    // kernel knows no 0.
    {"socket", type_is(SOCK_RDM), always, report(EPERM), kType},
    {"socket", type_is(SOCK_DCCP), always, report(EPERM), kType},
    {"socket", type_is(7), always, report(EPERM), kType},
    {"socket", {1, Match::equals, 8, 8}, always, report(EPERM), kType},
    {"socket", type_is(SOCK_SEQPACKET), is(0, AF_INET), report(EPERM), kType},
    {"socket", type_is(SOCK_SEQPACKET), is(0, AF_INET6), report(EPERM), kType},
    // NETLINK_ROUTE only: getifaddrs() and getaddrinfo() ask it. The others speak to the host's subsystems.
    {"socket", is(0, AF_NETLINK), above(2, 0), report(EPROTONOSUPPORT), "kernel subsystems other than NETLINK_ROUTE"},
    {"socket", is(2, IPPROTO_DCCP), always, report(EPROTONOSUPPORT), kProtocol},
    // SCTP, UDP-Lite, L2TP and MPTCP among them; IPPROTO_ICMPV6 is 58.
    {"socket", above(2, IPPROTO_ICMPV6), always, report(EPROTONOSUPPORT), kProtocol},
    {"socketpair", above(0, AF_UNIX), always, report(EAFNOSUPPORT), kFamily},
};

// Whoever says MAP_NORESERVE wants addresses and uses little of them: allocators do that.
constexpr Condition is_anonymous{3, Match::equals, MAP_ANONYMOUS | MAP_NORESERVE, MAP_ANONYMOUS};
constexpr ArgumentRow kMemoryRequests[] = {
    {"mmap", above(1, kAskedMemory - 1), is_anonymous, report(ENOMEM), "one array that is too large is a MemoryError, not the end of the interpreter"},
    {"mremap", above(2, kAskedMemory - 1), always, report(ENOMEM), "the same for one that grows"},
};
// clang-format on

std::vector<CallRow> all_calls() {
    std::vector<CallRow> rows;
    for (const CallGroup& group : kAllowed) {
        for (std::string_view rest = group.names; !rest.empty();) {
            const std::string_view name = rest.substr(0, rest.find(' '));
            rows.push_back({name, kAllow, group.reason});
            rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        }
    }
    rows.insert(rows.end(), std::begin(kSingle), std::end(kSingle));
    return rows;
}

}  // namespace

std::span<const CallRow> calls() {
    static const std::vector<CallRow> rows = all_calls();
    return rows;
}

std::span<const ArgumentRow> refused_arguments() {
    return kRefusedArguments;
}

std::span<const ArgumentRow> memory_requests() {
    return kMemoryRequests;
}

uint64_t requested_memory(const seccomp_data& call) {
    // Of a process, on x86-64 and arm64: the kernel of Linux refuses more by itself, whatever our limit is.
    constexpr uint64_t kAddressSpace = 1ULL << 48U;
    const bool maps = call.nr == SYS_mmap;
    const uint64_t size = maps ? call.args[1] : call.args[2];
    if (size >= kAddressSpace) return 0;
    if (maps) return (call.args[2] & PROT_WRITE) != 0 ? size : 0;
    // From an old size to a new one.
    return size > call.args[1] ? size - call.args[1] : 0;
}

bool holds(const ArgumentRow& row, const seccomp_data& call) {
    const auto is_met = [&](const Condition& condition) {
        const uint64_t argument = call.args[condition.argument];
        return condition.match == Match::greater ? argument > condition.value
                                                 : (argument & condition.mask) == condition.value;
    };
    return is_met(row.first) && is_met(row.second);
}

}  // namespace cellblock::jail::policy
