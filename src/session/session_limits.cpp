// Which limits a cell has met, for the audit log: by the evidence that verdicts and notes rest on, so that
// what a worker merely says (OSError, MemoryError) is none. Full spaces and output that was left out are told
// of in session_spaces.cpp and session_output.cpp, and noted there. In executors' threads.
#include "session/session.hpp"

namespace cellblock::session {
namespace {

using std::chrono::microseconds;
using Unit = LimitHit::Unit;

int64_t in_microseconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration_cast<microseconds>(duration).count();
}

std::optional<int64_t> known(int64_t reading) {
    return reading >= 0 ? std::optional(reading) : std::nullopt;
}

}  // namespace

void Session::note_limit_met(uint64_t id, const LimitHit& hit) {
    if (audit_) audit_->limit_met(id, hit);
}

void Session::note_limits_met(uint64_t id, const Ending& ending, const jail::Evidence& evidence,
                              const jail::MemoryRefusals& refusals, const jail::Counters& used) {
    const jail::Limits& limits = config_.plan.limits;
    const bool killed = evidence.oom_kills > 0 && evidence.memory_limit_hits > 0;
    if (killed || evidence.kill_reason == jail::KillReason::memory)
        note_limit_met(id,
                       {"memory", Unit::bytes, static_cast<int64_t>(limits.memory.count),
                        known(killed ? used.memory_peak : ending.loss.sampled_memory), evidence.oom_kills});
    if (evidence.memory_refused)
        note_limit_met(id, {"soft_memory", Unit::bytes, static_cast<int64_t>(limits.soft_memory.count),
                            ending.told_of_memory, static_cast<int64_t>(refusals.count)});
    if (used.process_limit_hits > 0)
        note_limit_met(id, {"processes", Unit::count, limits.processes, {}, used.process_limit_hits});
    if (evidence.wall_time_passed)
        note_limit_met(id, {"wall_time", Unit::microseconds, in_microseconds(config_.wall_time),
                            in_microseconds(std::chrono::steady_clock::now() - ending.sent_at)});
    if (ending.cpu_time_passed)
        note_limit_met(id, {"cpu_time", Unit::microseconds, in_microseconds(config_.cpu_time),
                            ending.cpu_time_passed->count()});
}

}  // namespace cellblock::session
