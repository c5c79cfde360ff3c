// The keys are those of ipykernel 7.4 and of psutil's virtual_memory() on Linux.
#include "kernel/usage.hpp"

#include <algorithm>
#include <cstdio>

#include "protocol/json_scan.hpp"

namespace cellblock::kernel {
namespace {

std::string decimal(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

// The jail is all the machine that a cell has: its limit is the total. What the counters do not tell apart is
// `active`.
std::string memory_of(int64_t used, int64_t total) {
    const int64_t free = std::max<int64_t>(0, total - used);
    const double percent = total > 0 ? 100.0 * static_cast<double>(used) / static_cast<double>(total) : 0;
    std::string text = "{\"total\": " + std::to_string(total) + ", \"available\": " + std::to_string(free) +
                       ", \"percent\": " + decimal(percent) + ", \"used\": " + std::to_string(used) +
                       ", \"free\": " + std::to_string(free) + ", \"active\": " + std::to_string(used);
    for (const char* unknown : {"inactive", "buffers", "cached", "shared", "slab"})
        text += std::string(", \"") + unknown + "\": 0";
    return text + "}";
}

}  // namespace

std::string UsageMeter::content(const session::Usage& usage, Clock::time_point now) {
    std::string text = "{\"hostname\": " + protocol::json_string(usage.host_name);
    if (usage.pid > 0) text += ", \"pid\": " + std::to_string(usage.pid);
    if (usage.cpu_time_us >= 0) {
        double percent = 0;
        const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now - last_).count();
        // A new jail counts from zero.
        const bool comparable = last_cpu_us_ >= 0 && usage.cpu_time_us >= last_cpu_us_ && passed > 0;
        if (comparable)
            percent =
                100.0 * static_cast<double>(usage.cpu_time_us - last_cpu_us_) / static_cast<double>(passed);
        text += ", \"kernel_cpu\": " + decimal(percent);
        // Left out when there is nothing to say yet, as in ipykernel.
        if (comparable) text += ", \"host_cpu_percent\": " + decimal(std::min(100.0, percent / usage.cpus));
        last_cpu_us_ = usage.cpu_time_us;
        last_ = now;
    }
    if (usage.memory >= 0) text += ", \"kernel_memory\": " + std::to_string(usage.memory);
    text += ", \"cpu_count\": " + std::to_string(std::max(1, static_cast<int>(usage.cpus + 0.999)));
    if (usage.memory >= 0)
        text += ", \"host_virtual_memory\": " + memory_of(usage.memory, usage.memory_limit);
    return text + "}";
}

}  // namespace cellblock::kernel
