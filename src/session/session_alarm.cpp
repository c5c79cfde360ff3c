// The wall-time alarms, the interrupts that go unheard and the samples of the counters: everything of a
// session that happens by the clock. In the loop's thread.
#include <algorithm>
#include <thread>
#include <utility>

#include "jail/process_tree.hpp"
#include "protocol/json_scan.hpp"
#include "session/session.hpp"

namespace cellblock::session {

void Session::arm_alarm(uint64_t id, std::chrono::nanoseconds delay) {
    alarms_[id] = {std::chrono::steady_clock::now() + delay, false, {}, -1};
    schedule_alarms();
}

void Session::schedule_alarms() {
    std::optional<std::chrono::steady_clock::time_point> next;
    for (const auto& [id, alarm] : alarms_)
        if (!alarm.rests && (!next || alarm.due < *next)) next = alarm.due;
    if (!next) return alarm_->disarm();
    const std::chrono::nanoseconds left = *next - std::chrono::steady_clock::now();
    alarm_->arm(std::max(left, std::chrono::nanoseconds(1)));
}

void Session::rest_alarm(uint64_t id, int64_t cpu_time_us) {
    {
        // Whoever has been interrupted by the alarm cannot put it off by asking questions.
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || pending->second.wall_time_passed || pending->second.cpu_time_passed)
            return;
    }
    const auto alarm = alarms_.find(id);
    if (alarm == alarms_.end() || alarm->second.rests) return;
    alarm->second.rests = true;
    alarm->second.left = alarm->second.due - std::chrono::steady_clock::now();
    alarm->second.rest_cpu_us = cpu_time_us;
    schedule_alarms();
    sampler_->arm(kSampleInterval);
}

void Session::resume_alarm(uint64_t id) {
    const auto alarm = alarms_.find(id);
    if (alarm == alarms_.end() || !alarm->second.rests) return;
    // Here too, or a rest shorter than the time between two samples would cost nothing.
    charge_rests(sample_cpu_time());
    if (alarm->second.rests) arm_alarm(id, alarm->second.left);
}

// A person looks at a stopped program as long as it takes. That it has stopped is the worker's word, which
// counts only while a front end debugs; and as with input(), what computes meanwhile is charged.
void Session::note_debug_request(const std::string& content) {
    const std::string command = protocol::text_member(content, "command");
    if (command == "attach") debugged_ = true;
    if (command != "disconnect") return;
    debugged_ = false;
    resume_alarms();
}

void Session::note_debug_event(const std::string& content) {
    const std::string event = protocol::text_member(content, "event");
    if (event == "stopped" && debugged_) {
        const int64_t cpu_time_us = sample_cpu_time();
        for (const auto& [id, alarm] : alarms_) rest_alarm(id, cpu_time_us);
    }
    if (event == "continued") resume_alarms();
}

// One sample for all of them: a worker sends these events as often as it likes, and each may cost this thread
// only so much.
void Session::resume_alarms() {
    if (std::none_of(alarms_.begin(), alarms_.end(), [](const auto& entry) { return entry.second.rests; }))
        return;
    charge_rests(sample_cpu_time());
    const auto now = std::chrono::steady_clock::now();
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, alarm] : alarms_) {
            const auto pending = pending_.find(id);
            // Who waits for a person goes on waiting.
            if (!alarm.rests || (pending != pending_.end() && pending->second.asks_input)) continue;
            alarm.rests = false;
            alarm.due = now + alarm.left;
        }
    }
    schedule_alarms();
}

void Session::end_alarm(uint64_t id) {
    if (alarms_.erase(id) > 0) schedule_alarms();
}

// A person may take all the time to answer; a cell that computes meanwhile does not get that time for
// nothing.
void Session::charge_rests(int64_t cpu_time_us) {
    for (auto& [id, alarm] : alarms_) {
        if (!alarm.rests) continue;
        const std::chrono::nanoseconds used = cpu_time_us >= 0 && alarm.rest_cpu_us >= 0
                                                  ? std::chrono::microseconds(cpu_time_us - alarm.rest_cpu_us)
                                                  : std::chrono::microseconds(kSampleInterval);
        alarm.rest_cpu_us = cpu_time_us;
        alarm.left -= used;
        if (alarm.left.count() > 0) continue;
        alarm.rests = false;
        alarm.due = std::chrono::steady_clock::now();
    }
    schedule_alarms();
}

int64_t Session::sample_cpu_time() {
    const auto counters = sample_counters();
    return counters ? counters->cpu_time_us : -1;
}

// Nothing is known when the jail is being mended just now; the next sample is not far.
std::optional<jail::Counters> Session::sample_counters() {
    const std::unique_lock lock(jail_mutex_, std::try_to_lock);
    if (!lock || !jail_) return std::nullopt;
    auto counters = jail_->counters();
    return counters ? std::optional(*counters) : std::nullopt;
}

Usage Session::usage() {
    Usage usage;
    usage.host_name = config_.plan.name;
    usage.cpus = config_.plan.limits.cpus > 0 ? config_.plan.limits.cpus
                                              : std::max(1U, std::thread::hardware_concurrency());
    usage.memory_limit = static_cast<int64_t>(config_.plan.limits.memory.count);
    if (const auto counters = sample_counters()) {
        usage.cpu_time_us = counters->cpu_time_us;
        usage.memory = counters->memory_current;
    }
    const std::unique_lock lock(jail_mutex_, std::try_to_lock);
    if (lock && jail_) usage.pid = jail::pid_inside(jail_->worker_pid());
    return usage;
}

void Session::on_sample() {
    const bool sampled_memory = config_.plan.level != jail::Level::full;
    const auto rests = [this] {
        return std::any_of(alarms_.begin(), alarms_.end(),
                           [](const auto& entry) { return entry.second.rests; });
    };
    const auto counters = sample_counters();
    if (counters && rests()) charge_rests(counters->cpu_time_us);
    if (counters && sampled_memory && counters->memory_current > 0 &&
        static_cast<uint64_t>(counters->memory_current) > config_.plan.limits.memory.count) {
        {
            const std::lock_guard lock(mutex_);
            loss_.sampled_memory = counters->memory_current;
        }
        kill_for(jail::KillReason::memory, "");
    }
    if (sampled_memory || rests()) sampler_->arm(kSampleInterval);
}

void Session::on_alarm() {
    const auto now = std::chrono::steady_clock::now();
    std::vector<uint64_t> due;
    for (const auto& [id, alarm] : alarms_)
        if (!alarm.rests && alarm.due <= now) due.push_back(id);
    for (const uint64_t id : due) ring(id);
    schedule_alarms();
}

void Session::ring(uint64_t id) {
    alarms_.erase(id);
    bool first = false;
    jail::KillReason reason = jail::KillReason::wall_time;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || !pending->second.runs() || state_ != WorkerState::ready) return;
        if (pending->second.cpu_time_passed) reason = jail::KillReason::cpu_time;
        first = !pending->second.wall_time_passed && !pending->second.cpu_time_passed;
        if (first) pending->second.wall_time_passed = true;
    }
    if (!first) return kill_for(reason, "", id);
    arm_alarm(id, config_.wall_time_grace);
    interrupt_request(id);
}

// ---- interrupts that go unheard

void Session::watch_interrupt(uint64_t id) {
    const auto now = std::chrono::steady_clock::now();
    forget_heard();
    const auto [entry, is_first] = unheard_.try_emplace(id, Unheard{false, 0, now});
    if (is_first) {
        if (!interrupt_patience_->armed()) interrupt_patience_->arm(kInterruptPatience);
        return;
    }
    Unheard& unheard = entry->second;
    if (!unheard.told) return;
    if (now - std::exchange(unheard.last, now) > kInterruptWindow) unheard.since_told = 0;
    if (++unheard.since_told >= kInterruptsToStop) kill_for(jail::KillReason::interrupts, "", id);
}

void Session::forget_heard() {
    const std::lock_guard lock(mutex_);
    std::erase_if(unheard_, [this](const auto& entry) {
        const auto pending = pending_.find(entry.first);
        return pending == pending_.end() || !pending->second.runs();
    });
}

void Session::on_interrupt_patience() {
    forget_heard();
    const auto now = std::chrono::steady_clock::now();
    auto next = std::chrono::nanoseconds::max();
    for (auto& [id, unheard] : unheard_) {
        if (unheard.told) continue;
        const auto left = unheard.last + kInterruptPatience - now;
        if (left.count() > 0) {
            next = std::min(next, std::chrono::nanoseconds(left));
            continue;
        }
        unheard.told = true;
        note(id,
             "the interrupt was delivered, and the cell goes on: it waits for native code to return, or "
             "it handles KeyboardInterrupt itself. Interrupt " +
                 std::to_string(kInterruptsToStop) + " more times within " +
                 std::to_string(kInterruptWindow.count()) +
                 " s to stop the Python process; its variables will be lost");
    }
    if (next != std::chrono::nanoseconds::max()) interrupt_patience_->arm(next);
}

}  // namespace cellblock::session
