// posix_spawn, a pipe and poll.
#include "cli/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/sys.hpp"

extern "C" char** environ;

namespace cellblock::cli {
namespace {

constexpr size_t kMaxOutput = 8192;

Result<pid_t> spawn(const std::vector<std::string>& argv, int output_fd) {
    std::vector<char*> pointers;
    pointers.reserve(argv.size() + 1);
    for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return Error("start " + argv[0], error);
    return pid;
}

// Reads until the end, the deadline (false) or an error.
bool read_until(int fd, std::chrono::steady_clock::time_point deadline, std::string& output) {
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd wait{fd, POLLIN, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
        if (ready < 0 && errno != EINTR) return true;
        if (ready <= 0) continue;
        char buffer[4096];
        const ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n <= 0) return true;
        if (output.size() < kMaxOutput) output.append(buffer, static_cast<size_t>(n));
    }
}

// False when the process is still there at the deadline.
bool wait_until(int pidfd, std::chrono::steady_clock::time_point deadline) {
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd wait{pidfd, POLLIN, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) return false;
    }
}

}  // namespace

Result<Finished> run_program(const std::vector<std::string>& argv, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    auto [read_end, write_end] = TRY(sys::pipe());
    const pid_t pid = TRY(spawn(argv, write_end.get()));
    write_end.reset();
    auto pidfd = sys::pidfd_open(pid);

    Finished finished;
    const bool in_time = pidfd.ok() && read_until(read_end.get(), deadline, finished.output) &&
                         wait_until(pidfd->get(), deadline);
    if (!in_time) ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (!pidfd) return std::move(pidfd.error());
    if (!in_time)
        return Error(argv[0] + " did not end within " + std::to_string(timeout.count() / 1000) + " s");
    finished.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return finished;
}

}  // namespace cellblock::cli
