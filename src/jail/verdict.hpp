// Verdict: in one word, how a cell (or program) ended, decided from evidence by a pure function. The words
// are part of Cellblock's interface: replies, audit records, metrics and docs/verdicts.md use the same ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

enum class Verdict {
    ok,                 ///< ended by itself without an exception
    error,              ///< ended by itself with an exception of its own
    limit_memory,       ///< "limit.memory": the kernel killed it for our memory limit
    limit_soft_memory,  ///< "limit.soft_memory": ended with the MemoryError that we caused
    limit_wall_time,    ///< "limit.wall_time": ran longer than allowed
    limit_cpu_time,     ///< "limit.cpu_time": used more CPU time than allowed
    host_oom,           ///< "host.oom": killed for a memory shortage that was not our limit
    worker_exited,      ///< "worker.exited": the interpreter ended or was replaced (os._exit, exec)
    worker_killed,   ///< "worker.killed": SIGKILL or SIGTERM … that was not ours: by itself or from outside
    worker_crashed,  ///< "worker.crashed": a fatal signal such as SIGSEGV
    user_interrupts,     ///< "user.interrupts": the user insisted on an interrupt that had no effect
    protocol_violation,  ///< "protocol.violation": broke the rules of the worker protocol
    jail_lost,           ///< "jail.lost": pid 1 of the jail is gone
};

std::string_view to_text(Verdict verdict);

/// Why we ourselves killed the worker; recorded before the signal is sent.
enum class KillReason {
    wall_time,
    cpu_time,
    interrupts,  ///< the user interrupted again and again, and the cell went on
    memory,      ///< sampled above the limit, where no cgroup enforces it
    protocol_violation,
    link_closed,  ///< the process lives but gave up its link: exec over the interpreter, close of descriptor
                  ///< 3
};

/// What is known when a cell has ended. Counter values are differences since the cell began.
struct Evidence {
    bool replied = false;  ///< the worker itself answered the request
    bool replied_with_error = false;
    bool replied_with_memory_error = false;  ///< the worker's word; proves nothing without the next one
    bool memory_refused = false;             ///< we refused it memory, or made the worker raise MemoryError
    bool wall_time_passed = false;           ///< the alarm went off (and the cell was interrupted)
    bool cpu_time_passed = false;            ///< the same for the CPU time
    std::optional<KillReason> kill_reason;
    std::optional<Exit> exit;  ///< how the worker ended, when it did
    bool init_lost = false;
    int64_t oom_kills = 0;
    int64_t memory_limit_hits = 0;
};

/// Total and without side effects: every combination has a verdict.
Verdict judge(const Evidence& evidence);

}  // namespace cellblock::jail
