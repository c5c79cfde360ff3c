// The wall-time alarm and the samples of the counters: everything of a session that happens by the clock. In
// the loop's thread.
#include "session/session.hpp"

namespace cellblock::session {

// ------------------------------------------------------------------------------

void Session::arm_alarm(uint64_t id, std::chrono::nanoseconds delay) {
    alarm_id_ = id;
    alarm_rests_ = false;
    alarm_due_ = std::chrono::steady_clock::now() + delay;
    alarm_->arm(delay);
}

void Session::rest_alarm(uint64_t id) {
    {
        // Whoever has been interrupted by the alarm cannot put it off by asking questions.
        const std::lock_guard lock(mutex_);
        if (ending_.wall_time_passed) return;
    }
    if (alarm_id_ != id || !alarm_->armed()) return;
    alarm_left_ = alarm_due_ - std::chrono::steady_clock::now();
    alarm_->disarm();
    alarm_rests_ = true;
    const auto counters = sample_counters();
    rest_cpu_us_ = counters ? counters->cpu_time_us : -1;
    sampler_->arm(kSampleInterval);
}

void Session::end_alarm(uint64_t id) {
    if (alarm_id_ != id) return;
    alarm_id_ = 0;
    alarm_rests_ = false;
    alarm_->disarm();
}

// A person may take all the time to answer; a cell that computes meanwhile does not get that time for
// nothing.
void Session::charge_rest(int64_t cpu_time_us) {
    const std::chrono::nanoseconds used = cpu_time_us >= 0 && rest_cpu_us_ >= 0
                                              ? std::chrono::microseconds(cpu_time_us - rest_cpu_us_)
                                              : std::chrono::microseconds(kSampleInterval);
    rest_cpu_us_ = cpu_time_us;
    alarm_left_ -= used;
    if (alarm_left_.count() <= 0) arm_alarm(alarm_id_, std::chrono::nanoseconds(1));
}

// Nothing is known when the jail is being mended just now; the next sample is not far.
std::optional<jail::Counters> Session::sample_counters() {
    const std::unique_lock lock(jail_mutex_, std::try_to_lock);
    if (!lock || !jail_) return std::nullopt;
    auto counters = jail_->counters();
    return counters ? std::optional(*counters) : std::nullopt;
}

void Session::on_sample() {
    const bool sampled_memory = config_.plan.level != jail::Level::full;
    const auto counters = sample_counters();
    if (counters && alarm_rests_) charge_rest(counters->cpu_time_us);
    if (counters && sampled_memory && counters->memory_current > 0 &&
        static_cast<uint64_t>(counters->memory_current) > config_.plan.limits.memory.count)
        kill_for(jail::KillReason::memory, "");
    if (alarm_rests_ || sampled_memory) sampler_->arm(kSampleInterval);
}

void Session::on_alarm() {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (running_ != alarm_id_ || state_ != WorkerState::ready) return;
        first = !ending_.wall_time_passed;
        ending_.wall_time_passed = true;
    }
    if (!first) return kill_for(jail::KillReason::wall_time, "");
    arm_alarm(alarm_id_, config_.wall_time_grace);
    interrupt();
}

}  // namespace cellblock::session
