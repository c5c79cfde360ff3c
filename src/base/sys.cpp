// Thin wrappers; the only cleverness is in the wording of errors and the EINTR loops.
#include "base/sys.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>

namespace cellblock::sys {
namespace {

template <class Call>
auto retry(Call call) {
    decltype(call()) result;
    do result = call();
    while (result == -1 && errno == EINTR);
    return result;
}

Result<UniqueFd> own(int fd, const std::string& act) {
    if (fd < 0) return errno_error(act);
    return UniqueFd(fd);
}

Result<std::string> read_to_end(int fd, const std::string& name, size_t max_size) {
    std::string text;
    char buffer[8192];
    while (true) {
        const ssize_t n = retry([&] { return ::read(fd, buffer, sizeof buffer); });
        if (n < 0) return errno_error("read " + name);
        if (n == 0) return text;
        if (text.size() + static_cast<size_t>(n) > max_size)
            return Error("read " + name + ": larger than the " + std::to_string(max_size) +
                         " bytes expected");
        text.append(buffer, static_cast<size_t>(n));
    }
}

}  // namespace

Result<UniqueFd> open(const std::string& path, int flags, mode_t mode) {
    return own(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }), "open " + path);
}

Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, mode_t mode) {
    return own(retry([&] { return ::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode); }),
               "open " + path);
}

Result<std::pair<UniqueFd, UniqueFd>> pipe(int extra_flags) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | extra_flags) != 0) return errno_error("create a pipe");
    return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type) {
    int fds[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return errno_error("create a socket pair");
    return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<UniqueFd> event_fd() {
    return own(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "create an eventfd");
}

void signal_event(int event_fd) {
    const uint64_t one = 1;
    // It fails when it is full, and then it is readable.
    [[maybe_unused]] const ssize_t n = ::write(event_fd, &one, sizeof one);
}

Result<UniqueFd> timer_fd() {
    return own(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "create a timer");
}

Result<void> arm_timer(int timer_fd, std::chrono::nanoseconds delay) {
    // A zero it_value would disarm: "now" and "in the past" become the shortest delay there is.
    itimerspec spec{};
    if (delay != std::chrono::nanoseconds::zero()) {
        const auto ns = delay.count() < 1 ? 1 : delay.count();
        spec.it_value.tv_sec = ns / 1'000'000'000;
        spec.it_value.tv_nsec = ns % 1'000'000'000;
    }
    if (::timerfd_settime(timer_fd, 0, &spec, nullptr) != 0) return errno_error("arm a timer");
    return {};
}

Result<UniqueFd> signal_fd(std::span<const int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) sigaddset(&set, signal);
    return own(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "create a signalfd");
}

Result<UniqueFd> pidfd_open(pid_t pid) {
    return own(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)),
               "open a pidfd of process " + std::to_string(pid));
}

Result<void> pidfd_send_signal(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0)
        return errno_error("send signal " + std::to_string(signal));
    return {};
}

Result<void> set_nonblocking(int fd, bool on) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return errno_error("read descriptor flags");
    if (::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) != 0)
        return errno_error("set descriptor flags");
    return {};
}

Result<UniqueFd> duplicate(int fd) {
    return own(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor");
}

Result<std::string> read_file(const std::string& path, size_t max_size) {
    return read_file_at(AT_FDCWD, path, max_size);
}

Result<std::string> read_file_at(int dir_fd, const std::string& path, size_t max_size) {
    const UniqueFd fd = TRY(open_at(dir_fd, path, O_RDONLY));
    return read_to_end(fd.get(), path, max_size);
}

Result<std::string> read_regular_file(const std::string& path, size_t max_size) {
    const UniqueFd fd = TRY(open(path, O_RDONLY | O_NONBLOCK));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return errno_error("look at " + path);
    if (!S_ISREG(status.st_mode)) return Error(path + " is no file");
    return read_to_end(fd.get(), path, max_size);
}

Result<void> write_file(const std::string& path, std::string_view text) {
    return write_file_at(AT_FDCWD, path, text);
}

Result<void> write_file_at(int dir_fd, const std::string& path, std::string_view text) {
    const UniqueFd fd = TRY(open_at(dir_fd, path, O_WRONLY));
    const ssize_t n = retry([&] { return ::write(fd.get(), text.data(), text.size()); });
    if (n < 0) return errno_error("write \"" + std::string(text.substr(0, 80)) + "\" to " + path);
    if (static_cast<size_t>(n) != text.size()) return Error("write to " + path + ": only a part was taken");
    return {};
}

Result<void> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
        if (n < 0) return errno_error("write " + std::to_string(bytes.size()) + " bytes");
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

Result<UniqueFd> in_memory(std::string_view contents) {
    UniqueFd fd =
        TRY(own(::memfd_create("cellblock", MFD_CLOEXEC | MFD_ALLOW_SEALING), "create a file in memory"));
    TRY(write_all(fd.get(), contents));
    if (::lseek(fd.get(), 0, SEEK_SET) != 0 ||
        ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return errno_error("seal a file in memory");
    return fd;
}

Result<uint64_t> start_time_of(pid_t pid) {
    const std::string stat = TRY(read_file("/proc/" + std::to_string(pid) + "/stat", size_t{64} << 10U));
    // Field 22, counted after the command name, which may contain spaces and parentheses.
    size_t at = stat.rfind(')');
    for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
    uint64_t value = 0;
    if (at == std::string::npos ||
        std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), value).ec != std::errc())
        return Error("read the start time of process " + std::to_string(pid));
    return value;
}

Result<TempDir> TempDir::create(const std::string& name_prefix, const std::string& parent) {
    std::string base = parent;
    if (base.empty()) {
        const char* tmp = std::getenv("TMPDIR");
        base = tmp && *tmp == '/' ? tmp : "/tmp";
    }
    std::string path = base + "/" + name_prefix + "XXXXXX";
    if (!::mkdtemp(path.data())) return errno_error("create a temporary directory in " + base);
    return TempDir(std::move(path));
}

TempDir::~TempDir() {
    if (path_.empty()) return;
    std::error_code ignored;  // Nobody is left to tell; the directory is private to us.
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace cellblock::sys
