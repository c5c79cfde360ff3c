// The table of forbidden acts.
#include "jail/selftest.hpp"

#include <linux/capability.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "jail/raw.hpp"
#include "jail/restrict.hpp"

namespace cellblock::jail {
namespace {

bool refused(long result) {
    return result < 0;
}

bool cannot_open(const char* path, int flags) {
    const int fd = raw::open(path, flags, 0600);
    if (fd < 0) return true;
    raw::close(fd);
    return false;
}

bool has_no_socket(int family, int type) {
    const long fd = raw::call(SYS_socket, family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    raw::close(static_cast<int>(fd));
    return false;
}

bool has_no_capability(const RestrictPlan&) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    if (raw::call(SYS_capget, &header, data) < 0) return false;
    for (const auto& part : data)
        if ((part.effective | part.permitted | part.inheritable) != 0) return false;
    long in_bounding_set = 0;
    for (unsigned long capability = 0; in_bounding_set == 0; ++capability)
        in_bounding_set = raw::call(SYS_prctl, PR_CAPBSET_READ, capability, 0, 0, 0);
    return in_bounding_set == -EINVAL;  // one past the kernel's last
}

bool has_no_route_out(const RestrictPlan&) {
    const long fd = raw::call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(0x01010101);
    const long e = raw::call(SYS_connect, fd, &address, sizeof address);
    raw::close(static_cast<int>(fd));
    return e == -ENETUNREACH;
}

/// Of a descriptor's name; -1 for "." and "..".
int number_of(const char* name) {
    int number = 0;
    for (; *name; ++name) {
        if (*name < '0' || *name > '9') return -1;
        number = number * 10 + (*name - '0');
    }
    return number;
}

bool has_no_stray_descriptor(const RestrictPlan& plan) {
    const int directory = raw::open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (directory < 0) return false;
    bool only_known = true;
    alignas(8) char entries[2048];
    long size;
    while ((size = raw::call(SYS_getdents64, directory, entries, sizeof entries)) > 0) {
        for (long at = 0; at < size;) {
            // struct linux_dirent64, see getdents(2): the record's length at 16, the name at 19.
            uint16_t length = 0;
            std::memcpy(&length, entries + at + 16, sizeof length);
            const int fd = number_of(entries + at + 19);
            only_known &= fd <= 2 || fd == plan.control_fd || fd == plan.report_fd || fd == directory;
            at += length;
        }
    }
    raw::close(directory);
    return only_known && size == 0;
}

bool is_not_host_root(const RestrictPlan& plan) {
    struct stat info {};
    if (raw::call(SYS_newfstatat, AT_FDCWD, "/", &info, 0) < 0) return false;
    return info.st_dev != plan.host_root_device || info.st_ino != plan.host_root_inode;
}

// clang-format off
constexpr ForbiddenAct kActs[] = {
    {"see the host's root", is_not_host_root},
    {"read /etc/shadow", [](const RestrictPlan&) { return cannot_open("/etc/shadow", O_RDONLY); }},
    {"write to /", [](const RestrictPlan&) { return cannot_open("/cellblock-self-test", O_CREAT | O_WRONLY); }},
    {"write to /usr", [](const RestrictPlan&) { return cannot_open("/usr/cellblock-self-test", O_CREAT | O_WRONLY); }},
    {"write to /etc", [](const RestrictPlan&) { return cannot_open("/etc/cellblock-self-test", O_CREAT | O_WRONLY); }},
    {"change a sysctl", [](const RestrictPlan&) { return cannot_open("/proc/sys/kernel/core_pattern", O_WRONLY); }},
    {"have a process other than pid 1 in sight", [](const RestrictPlan& plan) {
        return raw::call(SYS_getpid) == 1 && raw::call(SYS_kill, plan.parent_pid, 0) == (plan.parent_pid == 1 ? 0 : -ESRCH); }},
    {"hold a capability", has_no_capability},
    {"become root", [](const RestrictPlan&) { return refused(raw::call(SYS_setresuid, 0, 0, 0)); }},
    {"gain privileges by exec", [](const RestrictPlan&) { return raw::call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1; }},
    {"run without the filter", [](const RestrictPlan&) { return raw::call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 2; }},
    {"do what Landlock alone forbids", [](const RestrictPlan& plan) {
        return !plan.landlock || raw::open("/dev/urandom", O_WRONLY) == -EACCES; }},
    {"mount", [](const RestrictPlan&) { return refused(raw::call(SYS_mount, nullptr, "/tmp", "tmpfs", 0, nullptr)); }},
    {"unmount", [](const RestrictPlan&) { return refused(raw::call(SYS_umount2, "/proc/sys", MNT_DETACH)); }},
    {"make a user namespace", [](const RestrictPlan&) { return refused(raw::call(SYS_unshare, CLONE_NEWUSER)); }},
    {"trace", [](const RestrictPlan&) { return refused(raw::call(SYS_ptrace, PTRACE_TRACEME, 0, nullptr, nullptr)); }},
    {"make a setuid file", [](const RestrictPlan&) { return refused(raw::call(SYS_chmod, "/tmp", 04755)); }},
    {"reach the network", has_no_route_out},
    {"reach the hypervisor", [](const RestrictPlan&) { return has_no_socket(AF_VSOCK, SOCK_STREAM); }},
    {"open a raw socket", [](const RestrictPlan&) { return has_no_socket(AF_PACKET, SOCK_RAW); }},
    {"use a ring for system calls", [](const RestrictPlan&) { return raw::call(425 /* io_uring_setup */, 0, nullptr) == -ENOSYS; }},
    {"keep a descriptor of the kernel process", has_no_stray_descriptor},
};
// clang-format on

}  // namespace

std::span<const ForbiddenAct> forbidden_acts() {
    return kActs;
}

int run_self_test(RestrictPlan& plan, const char*& detail) {
    for (const ForbiddenAct& act : kActs) {
        detail = act.name;
        if (!act.fails(plan)) return -EPERM;
    }
    detail = "";
    return 0;
}

}  // namespace cellblock::jail
