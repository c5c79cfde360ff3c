// Walks /proc/<pid>/task/*/children. All processes of a jail descend from its pid 1.
#include "jail/process_tree.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/sys.hpp"

namespace cellblock::jail {
namespace {

constexpr size_t kMaxFile = 256 * 1024;
constexpr size_t kMaxProcesses = 16384;

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

/// Proportional set size, which counts pages shared after a fork once; resident size where the kernel hides
/// it.
int64_t memory_of(pid_t pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    if (const auto rollup = sys::read_file(process + "/smaps_rollup", kMaxFile))
        if (const size_t at = rollup->find("\nPss:"); at != std::string::npos)
            return std::strtoll(rollup->c_str() + at + 5, nullptr, 10) * 1024;
    const auto statm = sys::read_file(process + "/statm", kMaxFile);
    const size_t space = statm ? statm->find(' ') : std::string::npos;
    return space == std::string::npos
               ? 0
               : std::strtoll(statm->c_str() + space, nullptr, 10) * ::sysconf(_SC_PAGESIZE);
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

}  // namespace

Result<Counters> sample_process_tree(pid_t root) {
    if (::access(("/proc/" + std::to_string(root)).c_str(), F_OK) != 0)
        return errno_error("look at process " + std::to_string(root));
    std::vector<pid_t> processes{root};
    for (size_t i = 0; i < processes.size() && processes.size() < kMaxProcesses; ++i)
        append_children(processes[i], processes);
    Counters counters;
    counters.memory_current = 0;
    counters.cpu_time_us = 0;
    for (const pid_t pid : processes) {
        counters.memory_current += memory_of(pid);
        counters.cpu_time_us += cpu_time_of(pid);
    }
    return counters;
}

}  // namespace cellblock::jail
