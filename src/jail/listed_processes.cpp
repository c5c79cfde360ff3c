// Ages become start times of the host, so that they compare with others.
#include "jail/listed_processes.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "jail/control.hpp"
#include "jail/process_tree.hpp"

namespace cellblock::jail {

std::vector<Process> read_listed(int file) {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
    const uint64_t ticks = static_cast<uint64_t>(now.tv_sec) * per_second +
                           static_cast<uint64_t>(now.tv_nsec) * per_second / 1'000'000'000;
    std::vector<Process> list;
    ListedProcess listed;
    for (size_t i = 0; i < kMaxListed; ++i) {
        const auto at = static_cast<off_t>(i * sizeof listed);
        if (::pread(file, &listed, sizeof listed, at) != static_cast<ssize_t>(sizeof listed)) break;
        if (listed.pid <= 1) continue;
        const size_t size = std::min<size_t>(listed.command_size, sizeof listed.command);
        list.push_back(
            {listed.pid, shown_command({listed.command, size}), ticks - std::min(listed.age, ticks),
             static_cast<int64_t>(listed.resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)))});
    }
    return list;
}

}  // namespace cellblock::jail
