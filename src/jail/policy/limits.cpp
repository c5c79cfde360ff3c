// The table of rlimits.
#include "jail/policy/limits.hpp"

#include <algorithm>
#include <vector>

namespace cellblock::jail::policy {
namespace {

// Every thread's stack is private writable memory and counts against RLIMIT_DATA.
constexpr rlim_t kStack = (8_MiB).count;
constexpr int kInitProcesses = 1;  // pid 1 counts too
// Under a cgroup pids.max has to come first, because it counts its refusals. The rlimit counts forks under
// way as well, of which every process can have one.
constexpr int kForksUnderWay = 2;
// Threads of gVisor's four processes for themselves (about 60 were seen), and for each thread of the jail: a
// stub that runs it, and one of the kernel's that waits in a call of the host's for it.
constexpr int kGvisorTasks = 192;
constexpr int kTasksPerThread = 3;

}  // namespace

std::vector<ResourceLimit> resource_limits(Backend backend, Level level, const Limits& limits) {
    const auto processes = static_cast<rlim_t>(limits.processes + kInitProcesses);
    // gVisor counts exactly, and its threads on the host are not the jail's.
    const bool has_other_limit = level == Level::full && backend != Backend::runsc;
    const rlim_t process_limit = has_other_limit ? processes * kForksUnderWay : processes;
    const rlim_t data = limits.memory.count + processes * kStack;
    // clang-format off
#define ROW(resource) resource, #resource
    std::vector<ResourceLimit> rows = {
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
    // gVisor lets nobody set the others: what they bound is its own, which the limits around it bound.
    constexpr int kGvisors[] = {RLIMIT_NPROC,  RLIMIT_DATA, RLIMIT_STACK,  RLIMIT_FSIZE,
                                RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_MEMLOCK};
    if (backend == Backend::runsc)
        std::erase_if(rows, [&](const ResourceLimit& row) {
            return std::ranges::find(kGvisors, row.resource) == std::end(kGvisors);
        });
    return rows;
}

std::vector<ResourceLimit> gvisor_limits(const Limits& limits) {
    std::vector<ResourceLimit> rows = resource_limits(Backend::native, Level::full, limits);
    std::erase_if(rows, [](const ResourceLimit& row) {
        return row.resource != RLIMIT_NPROC && row.resource != RLIMIT_CORE &&
               row.resource != RLIMIT_MSGQUEUE && row.resource != RLIMIT_RTPRIO &&
               row.resource != RLIMIT_NICE;
    });
    for (ResourceLimit& row : rows)
        if (row.resource == RLIMIT_NPROC) row.soft = row.hard = static_cast<rlim_t>(host_tasks(limits));
    return rows;
}

int host_tasks(const Limits& limits) {
    return kGvisorTasks + kTasksPerThread * limits.processes;
}

}  // namespace cellblock::jail::policy
