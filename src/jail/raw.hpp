// System calls for code that runs between clone and exec, where the memory is a copy of a process that had
// other threads: no malloc, no locks, no errno. Every function returns a value ≥ 0, or -errno.
//
// They go to the kernel directly also where glibc has a wrapper, because sanitizers replace wrappers by
// functions that lock, and because a process that shares its memory with another shares errno, too.
#pragma once

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cellblock::jail::raw {

/// As syscall(2) says of each architecture. What the kernel answers is -errno already.
inline long call_words(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
#if defined(__x86_64__)
    long result;
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long which __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    register long sixth __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
#else
#error "system calls are made for x86-64 and aarch64"
#endif
}

template <class T>
inline long to_word(T value) {
    if constexpr (std::is_null_pointer_v<T>)
        return 0;
    else if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<long>(value);
    else
        return static_cast<long>(value);
}

template <class... Args>
inline long call(long number, Args... args) {
    return call_words(number, to_word(args)...);
}

inline int open(const char* path, int flags, mode_t mode = 0) {
    return static_cast<int>(call(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode));
}
inline void close(int fd) {
    call(SYS_close, fd);
}
inline long read(int fd, void* buffer, size_t size) {
    long n;
    do n = call(SYS_read, fd, buffer, size);
    while (n == -EINTR);
    return n;
}
inline long write(int fd, const void* buffer, size_t size) {
    long n;
    do n = call(SYS_write, fd, buffer, size);
    while (n == -EINTR);
    return n;
}
/// One write of the whole text; a short write is EIO.
inline int write_text(const char* path, const char* text, size_t size) {
    const int fd = open(path, O_WRONLY);
    if (fd < 0) return fd;
    const long n = write(fd, text, size);
    close(fd);
    if (n < 0) return static_cast<int>(n);
    return static_cast<size_t>(n) == size ? 0 : -EIO;
}
inline int make_directory(const char* path, mode_t mode) {
    return static_cast<int>(call(SYS_mkdirat, AT_FDCWD, path, mode));
}
inline int change_directory(const char* path) {
    return static_cast<int>(call(SYS_chdir, path));
}
inline int close_range(unsigned first, unsigned last) {
    return static_cast<int>(call(SYS_close_range, first, last, 0));
}

/// Closes everything above 2 but `kept`, which is sorted. The first thing that a process of a jail does: a
/// copy of the parent's end of a control socket, of this jail or another, would keep it from ever hearing of
/// the parent's death.
inline int close_all_but(const int* kept, size_t count) {
    unsigned from = 3;
    for (size_t i = 0; i < count; ++i) {
        const auto fd = static_cast<unsigned>(kept[i]);
        if (fd > from)
            if (const int e = close_range(from, fd - 1); e < 0) return e;
        from = fd + 1;
    }
    return close_range(from, ~0U);
}
inline int move_descriptor(int from, int to, int flags) {
    return static_cast<int>(call(SYS_dup3, from, to, flags));
}
[[noreturn]] inline void exit_process(int status) {
    while (true) call(SYS_exit_group, status);
}
inline pid_t clone3(clone_args& args) {
    return static_cast<pid_t>(call(SYS_clone3, &args, sizeof args));
}

/// clone(2) of a process that begins in `function`, which does not return, on a stack of its own that ends at
/// `stack_end` (aligned to 16 bytes): for CLONE_VM. `pidfd` is for CLONE_PIDFD. The child's pid, or -errno.
inline pid_t clone_into(void (*function)(void*), void* argument, char* stack_end, unsigned long flags,
                        int* pidfd) {
#if defined(__x86_64__)
    long result;
    register long fourth __asm__("r10") = 0;
    register long fifth __asm__("r8") = 0;
    __asm__ volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xor %%ebp, %%ebp\n\t"
        "mov %[argument], %%rdi\n\t"
        "call *%[function]\n\t"
        "ud2\n"
        "1:"
        : "=a"(result)
        : "a"(SYS_clone), "D"(flags), "S"(stack_end), "d"(pidfd), "r"(fourth),
          "r"(fifth), [function] "r"(function), [argument] "r"(argument)
        : "rcx", "r11", "cc", "memory");
    return static_cast<pid_t>(result);
#elif defined(__aarch64__)
    // Before the registers are filled, which calls would use.
    const long stack_word = to_word(stack_end);
    const long pidfd_word = to_word(pidfd);
    register long which __asm__("x8") = SYS_clone;
    register long first __asm__("x0") = static_cast<long>(flags);
    register long second __asm__("x1") = stack_word;
    register long third __asm__("x2") = pidfd_word;
    register long fourth __asm__("x3") = 0;
    register long fifth __asm__("x4") = 0;
    __asm__ volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, #0\n\t"
        "mov x0, %[argument]\n\t"
        "blr %[function]\n\t"
        "brk #1\n"
        "1:"
        : "+r"(first)
        : "r"(which), "r"(second), "r"(third), "r"(fourth),
          "r"(fifth), [function] "r"(function), [argument] "r"(argument)
        : "cc", "memory");
    return static_cast<pid_t>(first);
#endif
}

// Mounts as descriptors, fsopen(2) and its family.
inline int open_tree(int dir_fd, const char* path, unsigned flags) {
    return static_cast<int>(call(SYS_open_tree, dir_fd, path, flags));
}
inline int move_mount(int from_fd, const char* to_path) {
    return static_cast<int>(call(SYS_move_mount, from_fd, "", AT_FDCWD, to_path, MOVE_MOUNT_F_EMPTY_PATH));
}
inline int set_mount_attributes(int dir_fd, const char* path, unsigned flags, uint64_t set,
                                uint64_t clear = 0) {
    mount_attr attributes{};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    return static_cast<int>(call(SYS_mount_setattr, dir_fd, path, flags, &attributes, sizeof attributes));
}
inline int open_filesystem(const char* type) {
    return static_cast<int>(call(SYS_fsopen, type, FSOPEN_CLOEXEC));
}
inline int set_option(int filesystem_fd, const char* key, const char* value) {
    return static_cast<int>(call(SYS_fsconfig, filesystem_fd, FSCONFIG_SET_STRING, key, value, 0));
}
inline int set_flag(int filesystem_fd, const char* key) {
    return static_cast<int>(call(SYS_fsconfig, filesystem_fd, FSCONFIG_SET_FLAG, key, nullptr, 0));
}
/// Creates the file system and returns a descriptor of its detached mount.
inline int create_filesystem(int filesystem_fd, unsigned mount_attributes) {
    const long created = call(SYS_fsconfig, filesystem_fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
    if (created < 0) return static_cast<int>(created);
    return static_cast<int>(call(SYS_fsmount, filesystem_fd, FSMOUNT_CLOEXEC, mount_attributes));
}

/// Makes a file system forget the names that it has looked up and nobody uses now: a reconfiguration that
/// changes nothing. `filesystem_fd` has created it already.
inline int drop_cached_names(int filesystem_fd, bool read_only) {
    // An overlay without an upper layer refuses to be anything but read-only.
    if (const int e = set_flag(filesystem_fd, read_only ? "ro" : "rw"); e < 0) return e;
    return static_cast<int>(call(SYS_fsconfig, filesystem_fd, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0));
}

/// Decimal text of `value` in `buffer` (at least 21 bytes); returns its start. snprintf may lock and
/// allocate.
inline char* to_decimal(uint64_t value, char* buffer, size_t size) {
    char* at = buffer + size;
    *--at = '\0';
    do *--at = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    return at;
}

}  // namespace cellblock::jail::raw
