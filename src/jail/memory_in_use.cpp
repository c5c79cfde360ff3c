// From the cgroup where there is one, else from the processes.
#include "jail/memory_in_use.hpp"

#include "jail/process_tree.hpp"

namespace cellblock::jail {

int64_t read_memory_in_use(const Cgroup* cgroup, pid_t init, Bytes enough) {
    if (cgroup) return cgroup->memory_in_use(enough);
    const auto counters = sample_process_tree(init, enough);
    return counters ? counters->memory_current : -1;
}

DenialWatch::MemoryQuestion memory_question(Bytes soft_limit, const Cgroup* cgroup, pid_t init) {
    return [=](uint64_t bytes) {
        if (soft_limit.count == 0) return true;
        if (bytes > soft_limit.count) return false;
        const Bytes left{soft_limit.count - bytes};
        const int64_t used = read_memory_in_use(cgroup, init, left);
        return used < 0 || static_cast<uint64_t>(used) <= left.count;
    };
}

}  // namespace cellblock::jail
