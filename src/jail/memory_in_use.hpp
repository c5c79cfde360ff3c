// How much memory a jail uses, and whether a request for more stays below its soft limit. Any thread.
#pragma once

#include "jail/cgroup.hpp"
#include "jail/denials.hpp"

namespace cellblock::jail {

/// As Jail::memory_in_use(). `cgroup` is null at level `namespaced`; `init` is the jail's pid 1.
int64_t read_memory_in_use(const Cgroup* cgroup, pid_t init, Bytes enough);

/// For the denial watch, which must end before the cgroup and pid 1 do. No soft limit: every answer is yes;
/// also where the use is not known, because the hard limit holds all the same.
DenialWatch::MemoryQuestion memory_question(Bytes soft_limit, const Cgroup* cgroup, pid_t init);

}  // namespace cellblock::jail
