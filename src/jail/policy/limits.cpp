// The table of rlimits.
#include "jail/policy/limits.hpp"

namespace cellblock::jail::policy {
namespace {

// Every thread's stack is private writable memory and counts against RLIMIT_DATA.
constexpr rlim_t kStack = (8_MiB).count;
constexpr int kInitProcesses = 1;  // pid 1 counts too
// Under a cgroup pids.max has to come first, because it counts its refusals. The rlimit counts forks under
// way as well, of which every process can have one.
constexpr int kForksUnderWay = 2;

}  // namespace

std::vector<ResourceLimit> resource_limits(Level level, const Limits& limits) {
    const auto processes = static_cast<rlim_t>(limits.processes + kInitProcesses);
    const rlim_t process_limit = level == Level::full ? processes * kForksUnderWay : processes;
    const rlim_t data = limits.memory.count + processes * kStack;
    // clang-format off
#define ROW(resource) resource, #resource
    return {
        {ROW(RLIMIT_NPROC), process_limit, process_limit, "processes and threads; counted per user namespace"},
        {ROW(RLIMIT_DATA), data, data, "one absurd allocation is a MemoryError, not the end of the interpreter"},
        {ROW(RLIMIT_STACK), kStack, limits.memory.count, "threads get stacks of this size"},
        {ROW(RLIMIT_FSIZE), limits.file_size.count, limits.file_size.count, "size of one file"},
        {ROW(RLIMIT_NOFILE), static_cast<rlim_t>(limits.open_files), static_cast<rlim_t>(limits.open_files), "open files of a process"},
        {ROW(RLIMIT_CORE), 1, 1, "1 byte, not 0: 0 does not keep a core_pattern pipe from running its helper on the host"},
        {ROW(RLIMIT_MEMLOCK), (8_MiB).count, (8_MiB).count, "memory that cannot be reclaimed"},
        {ROW(RLIMIT_MSGQUEUE), 0, 0, "POSIX message queues live in kernel memory"},
        {ROW(RLIMIT_SIGPENDING), 4096, 4096, "queued signals live in kernel memory"},
        {ROW(RLIMIT_RTPRIO), 0, 0, "real-time threads starve the host"},
        {ROW(RLIMIT_NICE), 0, 0, "no priority above the host's processes"},
    };
#undef ROW
    // clang-format on
}

}  // namespace cellblock::jail::policy
