// Walks /proc/<pid>/task/*/children. All processes of a jail descend from its pid 1.
#include "jail/process_tree.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/sys.hpp"

namespace cellblock::jail {
namespace {

constexpr size_t kMaxFile = 256 * 1024;
constexpr size_t kMaxProcesses = 16384;
// For walks over pages in one sample; one walk, of a process below the limit, may begin just before its end.
constexpr std::chrono::milliseconds kProportionalBudget{30};

void append_children(pid_t pid, std::vector<pid_t>& processes) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    DIR* dir = ::opendir(tasks.c_str());
    if (!dir) return;
    while (const dirent* entry = ::readdir(dir)) {
        if (entry->d_name[0] == '.') continue;
        const auto children = sys::read_file(tasks + "/" + entry->d_name + "/children", kMaxFile);
        if (!children) continue;
        const char* at = children->c_str();
        char* end = nullptr;
        for (long child; child = std::strtol(at, &end, 10), end != at; at = end)
            processes.push_back(static_cast<pid_t>(child));
    }
    ::closedir(dir);
}

/// In bytes: what a process has mapped and present, shared memory included. Costs no walk over its pages.
int64_t resident_of(pid_t pid) {
    const auto statm = sys::read_file("/proc/" + std::to_string(pid) + "/statm", kMaxFile);
    const size_t space = statm ? statm->find(' ') : std::string::npos;
    return space == std::string::npos
               ? 0
               : std::strtoll(statm->c_str() + space, nullptr, 10) * ::sysconf(_SC_PAGESIZE);
}

/// In bytes: each page divided by the number of its users; 0 where the kernel hides it. Walks all pages.
int64_t proportional_of(pid_t pid) {
    const auto rollup = sys::read_file("/proc/" + std::to_string(pid) + "/smaps_rollup", kMaxFile);
    const size_t at = rollup ? rollup->find("\nPss:") : std::string::npos;
    return at == std::string::npos ? 0 : std::strtoll(rollup->c_str() + at + 5, nullptr, 10) * 1024;
}

/// Resident sizes count what processes share (after a fork: almost everything) once for each. Where their sum
/// is below the limit that settles it. Above it only what is certain counts, so that nobody is killed for
/// pages that were counted twice: the largest process, or the proportional sizes that there was time for.
int64_t memory_of(std::vector<pid_t> processes, int64_t limit) {
    int64_t sum = 0;
    int64_t largest = 0;
    for (const pid_t pid : processes) {
        const int64_t resident = resident_of(pid);
        sum += resident;
        largest = std::max(largest, resident);
    }
    if (sum <= limit) return sum;
    if (largest > limit) return largest;
    // In random order: with time for a part only, nobody can hide behind others that take long.
    std::shuffle(processes.begin(), processes.end(), std::minstd_rand(std::random_device()()));
    const auto deadline = std::chrono::steady_clock::now() + kProportionalBudget;
    int64_t proportional = 0;
    for (const pid_t pid : processes) {
        proportional += proportional_of(pid);
        if (proportional > limit || std::chrono::steady_clock::now() > deadline) break;
    }
    return std::max(proportional, largest);
}

/// Own time and that of children that were waited for, in microseconds.
int64_t cpu_time_of(pid_t pid) {
    const auto stat = sys::read_file("/proc/" + std::to_string(pid) + "/stat", kMaxFile);
    if (!stat) return 0;
    size_t at = stat->rfind(')');
    for (int field = 2; field < 14 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
    if (at == std::string::npos) return 0;
    const char* text = stat->c_str() + at;
    int64_t ticks = 0;
    for (int i = 0; i < 4; ++i) {
        char* end = nullptr;
        ticks += std::strtoll(text, &end, 10);
        text = end;
    }
    return ticks * 1'000'000 / ::sysconf(_SC_CLK_TCK);
}

/// What it was started as, or its name where it hides that; a process chooses both freely.
std::string command_of(pid_t pid) {
    constexpr size_t kMaxCommandLine = size_t{2} << 20U;
    auto text = sys::read_file("/proc/" + std::to_string(pid) + "/cmdline", kMaxCommandLine);
    if (!text || text->empty()) text = sys::read_file("/proc/" + std::to_string(pid) + "/comm", kMaxFile);
    if (!text) return "?";
    return shown_command(*std::move(text));
}

std::vector<pid_t> with_descendants(pid_t root) {
    std::vector<pid_t> processes{root};
    for (size_t i = 0; i < processes.size() && processes.size() < kMaxProcesses; ++i)
        append_children(processes[i], processes);
    return processes;
}

}  // namespace

std::string shown_command(std::string text) {
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
    const bool is_long = text.size() > kMaxCommandText;
    text.resize(std::min(text.size(), kMaxCommandText));
    for (char& c : text) c = c == '\0' ? ' ' : c < ' ' || c > '~' ? '?' : c;
    if (is_long) text.replace(kMaxCommandText - 3, 3, "...");
    return text;
}

// proc_pid_status(5): NSpid lists a process's pids from our namespace to its own.
pid_t pid_inside(pid_t pid) {
    const auto status = sys::read_file("/proc/" + std::to_string(pid) + "/status", kMaxFile);
    if (!status || status->find("\nState:\tZ") != std::string::npos) return 0;
    const size_t line = status->find("\nNSpid:");
    if (line == std::string::npos) return 0;
    const size_t last = status->find_last_of("\t ", status->find('\n', line + 1));
    return last == std::string::npos ? 0 : std::atoi(status->c_str() + last + 1);
}

std::vector<Process> list_processes(pid_t root, pid_t worker, size_t most) {
    std::vector<Process> list;
    for (const pid_t pid : with_descendants(root)) {
        if (pid == root || pid == worker || list.size() == most) continue;
        const pid_t inside = pid_inside(pid);
        const auto start_time = sys::start_time_of(pid);
        if (inside > 0 && start_time)
            list.push_back({inside, command_of(pid), *start_time, resident_of(pid)});
    }
    return list;
}

Result<Counters> sample_process_tree(pid_t root, Bytes memory_limit) {
    if (::access(("/proc/" + std::to_string(root)).c_str(), F_OK) != 0)
        return errno_error("look at process " + std::to_string(root));
    std::vector<pid_t> processes = with_descendants(root);
    Counters counters;
    counters.cpu_time_us = 0;
    for (const pid_t pid : processes) counters.cpu_time_us += cpu_time_of(pid);
    counters.memory_current = memory_of(std::move(processes), static_cast<int64_t>(memory_limit.count));
    return counters;
}

}  // namespace cellblock::jail
