// One record a process; what it says of itself is cut, and for the reader to distrust.
#include "jail/init_list.hpp"

#include <algorithm>
#include <ctime>

#include "jail/control.hpp"

namespace cellblock::jail {
namespace {

constexpr long kTicksPerSecond = 100;  // of every Linux that programs see, and of gVisor
constexpr size_t kMaxStat = 1024;

/// /proc/<pid>/<file> into `buffer`: how much of it, or -errno.
long read_of(pid_t pid, const char* file, char* buffer, size_t size) {
    char path[64] = "/proc/";
    char digits[24];
    const char* const number = raw::to_decimal(static_cast<uint64_t>(pid), digits, sizeof digits);
    const size_t length = std::strlen(number);
    std::memcpy(path + 6, number, length);
    path[6 + length] = '/';
    std::memcpy(path + 7 + length, file, std::strlen(file) + 1);
    const int fd = raw::open(path, O_RDONLY);
    if (fd < 0) return fd;
    const long n = raw::read(fd, buffer, size);
    raw::close(fd);
    return n;
}

/// Field `wanted` of proc_pid_stat(5), all of which behind the name are numbers; 0 where there is none.
uint64_t field_of(const char* stat, size_t size, int wanted) {
    const char* const end = stat + size;
    const char* at = end;
    while (at != stat && at[-1] != ')') --at;
    for (int field = 2; field < wanted && at != end; ++field) {
        at = std::find(at, end, ' ');
        if (at != end) ++at;
    }
    uint64_t number = 0;
    for (; at != end && *at >= '0' && *at <= '9'; ++at)
        number = number * 10 + static_cast<uint64_t>(*at - '0');
    return number;
}

bool is_dead(const char* stat, size_t size) {
    const char* const end = stat + size;
    const char* at = end;
    while (at != stat && at[-1] != ')') --at;
    return end - at < 2 || at[1] == 'Z' || at[1] == 'X';
}

}  // namespace

int list_background(pid_t worker, int file) {
    const int processes = raw::open("/proc", O_RDONLY | O_DIRECTORY);
    if (processes < 0) return processes;
    timespec now{};
    raw::call(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    const auto ticks =
        static_cast<uint64_t>(now.tv_sec * kTicksPerSecond + now.tv_nsec / (1'000'000'000 / kTicksPerSecond));
    size_t left = kMaxListed;
    long written = 0;
    const int e = for_each_process(processes, worker, [&](pid_t pid) {
        char stat[kMaxStat];
        const long size = read_of(pid, "stat", stat, sizeof stat);
        if (left == 0 || written < 0 || size <= 0 || is_dead(stat, static_cast<size_t>(size))) return;
        --left;
        ListedProcess process;
        process.pid = pid;
        const uint64_t start = field_of(stat, static_cast<size_t>(size), 22);
        process.age = ticks > start ? ticks - start : 0;
        process.resident = field_of(stat, static_cast<size_t>(size), 24);
        long n = read_of(pid, "cmdline", process.command, sizeof process.command);
        if (n <= 0) n = read_of(pid, "comm", process.command, sizeof process.command);
        process.command_size = static_cast<uint32_t>(std::max(n, 0L));
        written = raw::write(file, &process, sizeof process);
    });
    raw::close(processes);
    return e < 0 ? e : static_cast<int>(std::min(written, 0L));
}

}  // namespace cellblock::jail
