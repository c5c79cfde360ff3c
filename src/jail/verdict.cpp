// From evidence to verdict. The order of the questions matters: what we did ourselves comes first, then what
// the kernel's counters prove, then the wait status, which the jailed code can choose freely.
#include "jail/verdict.hpp"

#include <csignal>

namespace cellblock::jail {

std::string_view to_text(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::error:
            return "error";
        case Verdict::limit_memory:
            return "limit.memory";
        case Verdict::limit_soft_memory:
            return "limit.soft_memory";
        case Verdict::limit_wall_time:
            return "limit.wall_time";
        case Verdict::limit_cpu_time:
            return "limit.cpu_time";
        case Verdict::host_oom:
            return "host.oom";
        case Verdict::worker_exited:
            return "worker.exited";
        case Verdict::worker_killed:
            return "worker.killed";
        case Verdict::worker_crashed:
            return "worker.crashed";
        case Verdict::user_interrupts:
            return "user.interrupts";
        case Verdict::protocol_violation:
            return "protocol.violation";
        case Verdict::jail_lost:
            return "jail.lost";
    }
    return "unknown";
}

Verdict judge(const Evidence& evidence) {
    if (evidence.replied) {
        if (!evidence.replied_with_error) return Verdict::ok;
        if (evidence.cpu_time_passed) return Verdict::limit_cpu_time;
        if (evidence.wall_time_passed) return Verdict::limit_wall_time;
        const bool for_memory = evidence.replied_with_memory_error && evidence.memory_refused;
        return for_memory ? Verdict::limit_soft_memory : Verdict::error;
    }
    if (evidence.kill_reason == KillReason::wall_time) return Verdict::limit_wall_time;
    if (evidence.kill_reason == KillReason::cpu_time) return Verdict::limit_cpu_time;
    if (evidence.kill_reason == KillReason::interrupts) return Verdict::user_interrupts;
    if (evidence.kill_reason == KillReason::memory) return Verdict::limit_memory;
    if (evidence.kill_reason == KillReason::protocol_violation) return Verdict::protocol_violation;
    if (evidence.kill_reason == KillReason::link_closed) return Verdict::worker_exited;
    // An exit status cannot prove a kill by the OOM killer: os._exit(137) and os.kill(…, 9) look alike
    // outside.
    const bool killed = evidence.init_lost || (evidence.exit && evidence.exit->signal == SIGKILL);
    if (killed && evidence.oom_kills > 0)
        return evidence.memory_limit_hits > 0 ? Verdict::limit_memory : Verdict::host_oom;
    if (evidence.init_lost || !evidence.exit) return Verdict::jail_lost;
    // Our alarms interrupt with SIGINT first; a process that does not handle it dies of it.
    if (evidence.exit->signal == SIGINT && evidence.cpu_time_passed) return Verdict::limit_cpu_time;
    if (evidence.exit->signal == SIGINT && evidence.wall_time_passed) return Verdict::limit_wall_time;
    switch (evidence.exit->signal) {
        case 0:
            return Verdict::worker_exited;
        case SIGKILL:
        case SIGTERM:
        case SIGHUP:
        case SIGINT:
        case SIGQUIT:
            return Verdict::worker_killed;
        default:
            return Verdict::worker_crashed;
    }
}

}  // namespace cellblock::jail
