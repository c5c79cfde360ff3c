// What cells take of memory and CPU time, looked at while they run; in the loop's thread. Memory is sampled
// and not announced by the kernel of Linux: its announcements (thresholds, memory.high) count cached files
// too, which would be given back first, and differ between the versions of cgroups. The nearer the bound, the
// more often.
#include <algorithm>
#include <thread>

#include "protocol/json_scan.hpp"
#include "session/session.hpp"

namespace cellblock::session {
namespace {

using std::chrono::nanoseconds;

// One core takes pages no faster: 4 bytes a nanosecond. Larger pieces are asked for before they are taken.
constexpr int64_t kFastestGrowth = 4;
// Bounds of the time between two looks. At level `namespaced` a look walks over pages: what it costs, times
// the factor, is waited before the next one, but not for so long that a fast cell gets from limit to limit.
constexpr nanoseconds kLongestLook = kSampleInterval;
constexpr nanoseconds kShortestLook = std::chrono::milliseconds(2);
constexpr int kLookShare = 4;
constexpr nanoseconds kLongestRest = std::chrono::milliseconds(40);
// A cell that begins above the soft limit, or goes on after it was told, may take this much more.
constexpr int64_t kStepShare = 50;

std::string text_of(int64_t bytes) {
    return to_text(Bytes{static_cast<uint64_t>(std::max<int64_t>(bytes, 0))});
}

}  // namespace

// The nearer the hard limit, the smaller the steps: close below it everything becomes slow.
int64_t Session::memory_mark(int64_t in_use) const {
    const auto limit = static_cast<int64_t>(config_.plan.limits.memory.count);
    const auto soft_limit = static_cast<int64_t>(config_.plan.limits.soft_memory.count);
    return std::max(soft_limit, in_use + std::min(limit / kStepShare, (limit - in_use) / 2));
}

int64_t Session::sample_memory_in_use() {
    const std::unique_lock lock(jail_mutex_, std::try_to_lock);
    return lock && jail_ ? jail_->memory_in_use(config_.plan.limits.soft_memory) : -1;
}

void Session::begin_budget(uint64_t id, int64_t cpu_time_us) {
    Budget budget;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || pending->second.request->msg_type != "execute_request") return;
    }
    // Whose variables fill the memory already must be able to remove them.
    if (config_.plan.limits.soft_memory.count > 0) budget.memory = memory_mark(sample_memory_in_use());
    if (config_.cpu_time.count() > 0 && cpu_time_us >= 0)
        budget.cpu_time_us = cpu_time_us + std::chrono::microseconds(config_.cpu_time).count();
    if (budget.memory < 0 && budget.cpu_time_us < 0) return;
    budgets_[id] = budget;
    on_budgets();
}

void Session::end_budget(uint64_t id) {
    if (budgets_.erase(id) > 0 && budgets_.empty()) budget_timer_->disarm();
}

void Session::on_budgets() {
    const auto began = std::chrono::steady_clock::now();
    const nanoseconds next = std::min(check_memory(), check_cpu_time());
    const nanoseconds cost = std::chrono::steady_clock::now() - began;
    const nanoseconds rest = std::min(cost * kLookShare, kLongestRest);
    if (!budgets_.empty()) budget_timer_->arm(std::max({next, kShortestLook, rest}));
}

nanoseconds Session::check_memory() {
    if (config_.plan.limits.soft_memory.count == 0) return kLongestLook;
    const int64_t in_use = sample_memory_in_use();
    if (in_use < 0) return kShortestLook;  // The jail is being mended just now.
    int64_t left = INT64_MAX;
    uint64_t main_cell = 0;
    {
        const std::lock_guard lock(mutex_);
        main_cell = running_;
    }
    for (auto& [id, budget] : budgets_) {
        if (budget.memory < 0) continue;
        // Nobody knows which of several cells took it: the main shell's hears of it, if one runs there.
        if (in_use > budget.memory && (main_cell == 0 || main_cell == id)) {
            tell_of_memory(id, in_use);
            budget.memory = memory_mark(in_use);
        }
        left = std::min(left, std::max<int64_t>(budget.memory - in_use, 0));
    }
    const auto limit = static_cast<int64_t>(config_.plan.limits.memory.count);
    return std::min(kLongestLook, nanoseconds(std::min(left, limit) / kFastestGrowth));
}

void Session::tell_of_memory(uint64_t id, int64_t in_use) {
    const std::string text =
        text_of(in_use) + " of the " + to_text(config_.plan.limits.memory) +
        " of memory allowed are in use. Variables are kept; at the limit itself the Python "
        "process would be stopped. To allow more, " +
        config_.how_to_raise("--memory");
    const std::lock_guard lock(mutex_);
    const auto pending = pending_.find(id);
    if (pending == pending_.end() || !pending->second.runs() || state_ != WorkerState::ready) return;
    pending->second.told_of_memory = in_use;
    worker_->send("{\"type\": \"memory\", \"id\": " + std::to_string(id) +
                      ", \"text\": " + protocol::json_string(text) + "}",
                  {});
}

void Session::tell_of_refused_memory(uint64_t id, const jail::MemoryRefusals& refusals) {
    note(id,
         (refusals.count == 1 ? "a request for " : std::to_string(refusals.count) + " requests for up to ") +
             text_of(static_cast<int64_t>(refusals.largest)) + " of memory at once " +
             (refusals.count == 1 ? "was" : "were") + " refused: with it, more than " +
             to_text(config_.plan.limits.soft_memory) + " of the " + to_text(config_.plan.limits.memory) +
             " allowed would be in use. To allow more, " + config_.how_to_raise("--memory"));
}

nanoseconds Session::check_cpu_time() {
    if (config_.cpu_time.count() == 0) return kLongestLook;
    const int64_t used = sample_cpu_time();
    if (used < 0) return kShortestLook;
    int64_t least_left = INT64_MAX / 1000;
    for (auto& [id, budget] : budgets_) {
        if (budget.cpu_time_us < 0) continue;
        const int64_t left = budget.cpu_time_us - used;
        if (left > 0) {
            least_left = std::min(least_left, left);
            continue;
        }
        budget.cpu_time_us = -1;
        end_cpu_time(id, std::chrono::microseconds(config_.cpu_time) - std::chrono::microseconds(left));
    }
    // All cores together cannot use it up sooner.
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    return nanoseconds(least_left * 1000 / cores);
}

// As the wall-time alarm does: an interrupt, and after the grace time the kill.
void Session::end_cpu_time(uint64_t id, std::chrono::microseconds used) {
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || !pending->second.runs() || pending->second.wall_time_passed) return;
        pending->second.cpu_time_passed = used;
    }
    arm_alarm(id, config_.wall_time_grace);
    interrupt_request(id);
}

}  // namespace cellblock::session
