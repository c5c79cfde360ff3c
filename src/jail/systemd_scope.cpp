// Through busctl, which every systemd brings along: one call in the life of a kernel is not worth a D-Bus
// library in the process that holds the jail.
#include "jail/systemd_scope.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/sys.hpp"
#include "jail/system_program.hpp"

namespace cellblock::jail {
namespace {

constexpr std::chrono::seconds kScopeTimeout{5};
constexpr size_t kMaxText = 64 * 1024;
// Of the PID namespace that Linux starts with (PROC_PID_INIT_INO of linux/proc_ns.h).
constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC;

/// We name ourselves by our number. A systemd that counts in another PID namespace, whose bus a container was
/// shown, would move whoever has that number there.
Result<void> require_systemds_numbers() {
    struct stat info {};
    if (::stat("/proc/self/ns/pid", &info) != 0) return errno_error("look at our PID namespace");
    if (info.st_ino == kFirstPidNamespace) return {};
    // In a container of a whole system it is that system's systemd that answers.
    const auto first = sys::read_file("/proc/1/comm", kMaxText);
    if (first && *first == "systemd\n") return {};
    return Error("in this container processes have other numbers than systemd knows");
}

std::vector<std::string> request(const std::string& busctl, const std::string& unit) {
    std::vector<std::string> words = {busctl, "--timeout=" + std::to_string(kScopeTimeout.count())};
    if (::geteuid() != 0) words.emplace_back("--user");
    // See org.freedesktop.systemd1(5), StartTransientUnit.
    const std::vector<std::string> call = {"call",
                                           "org.freedesktop.systemd1",
                                           "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager",
                                           "StartTransientUnit",
                                           "ssa(sv)a(sa(sv))",
                                           unit,
                                           "fail",
                                           "3",
                                           "PIDs",
                                           "au",
                                           "1",
                                           std::to_string(::getpid()),
                                           "Delegate",
                                           "b",
                                           "true",
                                           "Description",
                                           "s",
                                           "Cellblock kernel",
                                           "0"};
    words.insert(words.end(), call.begin(), call.end());
    return words;
}

/// Runs a command and waits for its end; the error carries what it wrote to stderr.
Result<void> run_command(const std::vector<std::string>& words) {
    auto [reader, writer] = TRY(sys::pipe());
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, writer.get(), 2);
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    // How it finds the user's bus, and nothing that changes what is executed.
    std::vector<std::string> variables;
    for (const char* name : {"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"})
        if (const char* value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
    std::vector<char*> environment;
    for (auto& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    writer.reset();
    if (failed != 0) return Error("run " + words[0], failed);
    std::string complaint;
    char buffer[512];
    ssize_t n;
    while ((n = ::read(reader.get(), buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && complaint.size() < kMaxText) complaint.append(buffer, static_cast<size_t>(n));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    while (!complaint.empty() && complaint.back() == '\n') complaint.pop_back();
    return Error(words[0] + ": " + (complaint.empty() ? "failed" : complaint));
}

}  // namespace

Result<void> enter_own_scope(const std::string& name) {
    if (auto known = require_systemds_numbers(); !known)
        return std::move(known).error().context("ask systemd for a cgroup of its own");
    const std::string unit = name + ".scope";
    const std::string busctl = TRY(find_system_program("busctl"));
    if (auto asked = run_command(request(busctl, unit)); !asked)
        return std::move(asked).error().context("ask systemd for a cgroup of its own");
    // The call only queues a job.
    const auto deadline = std::chrono::steady_clock::now() + kScopeTimeout;
    while (std::chrono::steady_clock::now() < deadline) {
        if (TRY(sys::read_file("/proc/self/cgroup", kMaxText)).find("/" + unit) != std::string::npos)
            return {};
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return Error("ask systemd for a cgroup of its own: it did not come about");
}

}  // namespace cellblock::jail
