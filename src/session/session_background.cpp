// Processes that outlive their cell: ended or kept, and named where they matter. In executors' threads.
#include <algorithm>

#include "session/session.hpp"

namespace cellblock::session {
namespace {

// Beyond it they are counted.
constexpr size_t kMaxNamed = 5;

std::string names_of(const std::vector<jail::Process>& processes) {
    std::string text;
    for (size_t i = 0; i < std::min(processes.size(), kMaxNamed); ++i) {
        const jail::Process& process = processes[i];
        text += (i == 0 ? "" : ", ") + process.command + " (pid " + std::to_string(process.pid) + ", " +
                to_text(Bytes{static_cast<uint64_t>(std::max<int64_t>(process.memory, 0))}) + ")";
    }
    if (processes.size() > kMaxNamed)
        text += " and " + std::to_string(processes.size() - kMaxNamed) + " more";
    return text;
}

}  // namespace

std::vector<jail::Process> Session::list_background() {
    const std::lock_guard lock(jail_mutex_);
    return jail_ ? jail_->background() : std::vector<jail::Process>{};
}

// Nobody knows which of several cells has started them, so they end with the last one.
void Session::end_background(uint64_t id) {
    {
        const std::lock_guard lock(mutex_);
        if (std::any_of(pending_.begin(), pending_.end(),
                        [](const auto& entry) { return entry.second.in_a_shell() && entry.second.runs(); }))
            return;
    }
    const std::vector<jail::Process> processes = list_background();
    if (processes.empty()) return;
    {
        const std::lock_guard lock(jail_mutex_);
        // When it fails pid 1 is gone, and everything with it.
        if (jail_) [[maybe_unused]]
            const auto killed = jail_->kill_background();
    }
    note(id, "ended with the cell, as --background kill says: " + names_of(processes));
}

void Session::tell_of_earlier_processes(uint64_t id, uint64_t began) {
    std::vector<jail::Process> processes = list_background();
    std::erase_if(processes, [began](const auto& process) { return process.start_time >= began; });
    if (processes.empty()) return;
    std::ranges::sort(processes, [](const auto& a, const auto& b) { return a.memory > b.memory; });
    note(id, "processes that earlier cells have left behind run and count, too: " + names_of(processes));
}

}  // namespace cellblock::session
