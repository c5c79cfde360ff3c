// The story of a cell, and what users and front ends do to a running one. The worker's frames are handled in
// session_frames.cpp, the alarm in session_alarm.cpp, the life of jail and worker in session_life.cpp.
#include "session/session.hpp"

#include <csignal>

#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

using jail::Verdict;
using protocol::json_string;

int64_t increase(int64_t after, int64_t before) {
    return after >= 0 && before >= 0 && after > before ? after - before : 0;
}

bool flag(const std::vector<protocol::JsonMember>& content, std::string_view name, bool otherwise) {
    const auto value = protocol::find_member(content, name);
    return value ? protocol::as_bool(*value).value_or(otherwise) : otherwise;
}

}  // namespace

// ---- one cell
// -------------------------------------------------------------------------------------------------

Reply Session::run_cell(std::shared_ptr<const protocol::Request> request) {
    const uint64_t id = begin_request(std::move(request), false);
    if (auto ready = ensure_worker(); !ready) return refuse(id, ready.error());
    if (auto refreshed = refresh_view(); !refreshed) return refuse(id, refreshed.error());
    const jail::Counters before = read_counters();
    if (config_.wall_time.count() > 0) loop_.post([this, id] { arm_alarm(id, config_.wall_time); });
    send_request(id, false);
    Ending ending = wait_for_end(id);
    loop_.post([this, id] { end_alarm(id); });
    return finish(id, std::move(ending), before);
}

uint64_t Session::begin_request(std::shared_ptr<const protocol::Request> request, bool control) {
    Pending pending;
    pending.control = control;
    if (const auto content = protocol::scan_object(request->content);
        content && request->msg_type == "execute_request")
        pending.allows_input = flag(*content, "allow_stdin", true);
    const std::lock_guard lock(mutex_);
    const uint64_t id = ++last_id_;
    parents_.at(id % kMaxParents) = {id, request->header};
    pending.request = std::move(request);
    pending_[id] = std::move(pending);
    return id;
}

Result<void> Session::ensure_worker() {
    std::unique_lock lock(mutex_);
    if (state_ == WorkerState::lost && !abandoned_) {
        lock.unlock();
        TRY(recover());
        lock.lock();
    }
    const auto settled = [this] { return state_ != WorkerState::starting || abandoned_; };
    const bool in_time = changed_.wait_for(lock, kHelloTimeout, settled);
    if (abandoned_) return Error("run the cell: the kernel is shutting down");
    if (!in_time) return Error("start the Python process: no answer within 60 s");
    if (state_ == WorkerState::lost) return Error("start the Python process: " + start_failure_);
    // Not the rest: the worker may be dying already, and what is known of that must not be forgotten.
    ending_.reply.reset();
    ending_.wall_time_passed = false;
    return {};
}

Result<void> Session::refresh_view() {
    const std::lock_guard lock(jail_mutex_);
    return jail_ ? jail_->refresh_view() : Result<void>{};
}

jail::Counters Session::read_counters() {
    const std::lock_guard lock(jail_mutex_);
    if (!jail_) return {};
    auto counters = jail_->counters();
    return counters ? *counters : jail::Counters{};
}

void Session::send_request(uint64_t id, bool control) {
    std::shared_ptr<const protocol::Request> request;
    std::shared_ptr<Worker> worker;
    std::string lost_before;
    {
        const std::lock_guard lock(mutex_);
        request = pending_.at(id).request;
        worker = worker_;
        if (!control) {
            running_ = id;
            if (request->msg_type == "execute_request") {
                output_parent_ = id;
                lost_before.swap(idle_loss_);
            }
        }
    }
    if (!lost_before.empty()) note(id, lost_before);
    std::string header = "{\"type\": \"request\", \"id\": " + std::to_string(id) + ", \"channel\": \"" +
                         (control ? "control" : "shell") +
                         "\", \"msg_type\": " + json_string(request->msg_type) + "}";
    std::vector<std::string_view> parts{request->header, request->metadata, request->content};
    parts.insert(parts.end(), request->buffers.begin(), request->buffers.end());
    worker->send(header, parts);
}

Session::Ending Session::wait_for_end(uint64_t id) {
    std::unique_lock lock(mutex_);
    Pending& pending = pending_.at(id);
    changed_.wait(lock, [&] { return pending.reply || state_ == WorkerState::lost || abandoned_; });
    ending_.reply = std::move(pending.reply);
    running_ = 0;
    return ending_;
}

Reply Session::finish(uint64_t id, Ending ending, const jail::Counters& before) {
    const jail::Counters after = read_counters();
    const int64_t refused_forks = increase(after.process_limit_hits, before.process_limit_hits);
    jail::Evidence evidence;
    evidence.replied = ending.reply.has_value();
    evidence.replied_with_error = evidence.replied && ending.reply->status == protocol::ReplyStatus::error;
    evidence.wall_time_passed = ending.wall_time_passed;
    evidence.kill_reason = ending.kill_reason;
    evidence.exit = ending.exit;
    evidence.init_lost = ending.init_lost;
    evidence.oom_kills = increase(after.oom_kills, before.oom_kills);
    evidence.memory_limit_hits = increase(after.memory_limit_hits, before.memory_limit_hits);
    const Verdict verdict = judge(evidence);

    if (refused_forks > 0)
        note(id, "the limit of " + std::to_string(config_.plan.limits.processes) +
                     " processes and threads was reached; " + std::to_string(refused_forks) +
                     " were refused");
    if (evidence.replied && evidence.oom_kills > 0)
        note(id, std::to_string(evidence.oom_kills) +
                     " child process(es) were stopped because the cell reached its " +
                     to_text(config_.plan.limits.memory) +
                     " of memory; the interpreter and its variables are kept");
    if (verdict == Verdict::ok || verdict == Verdict::error) {
        const std::lock_guard lock(mutex_);
        pending_.erase(id);
        ending.reply->verdict = verdict;
        return *std::move(ending.reply);
    }

    // A new worker counts from one again; this reply still belongs to the old one.
    const int64_t execution_count = last_execution_count();
    Facts facts{config_.plan.limits,
                config_.wall_time,
                config_.wall_time_grace,
                after.memory_peak,
                ending.exit,
                ending.violation,
                config_.raise_memory_hint,
                config_.raise_wall_time_hint,
                !evidence.replied,
                {}};
    if (!evidence.replied)
        if (auto recovered = recover(); !recovered) facts.recovery_trouble = recovered.error().sentence();
    return failed_reply(id, verdict, explain(verdict, facts), execution_count);
}

Reply Session::refuse(uint64_t id, const Error& error) {
    return failed_reply(id, Verdict::jail_lost, {"SandboxUnavailable", error.sentence()},
                        last_execution_count());
}

int64_t Session::last_execution_count() const {
    const std::lock_guard lock(mutex_);
    return execution_count_;
}

Reply Session::failed_reply(uint64_t id, Verdict verdict, const Explanation& explanation,
                            int64_t execution_count) {
    Reply reply;
    reply.status = protocol::ReplyStatus::error;
    reply.verdict = verdict;
    bool shows_errors = false;
    {
        const std::lock_guard lock(mutex_);
        reply.content = error_content(explanation, execution_count);
        const auto pending = pending_.find(id);
        shows_errors = pending != pending_.end() && pending->second.request->msg_type == "execute_request";
        if (pending != pending_.end()) pending_.erase(pending);
    }
    if (shows_errors) publish_later(id, "error", "{" + error_members(explanation) + "}");
    return reply;
}

void Session::forward(std::shared_ptr<const protocol::Request> request, std::function<void(Reply)> done) {
    const uint64_t id = begin_request(std::move(request), true);
    bool ready = false;
    {
        const std::lock_guard lock(mutex_);
        ready = state_ == WorkerState::ready;
        if (ready) pending_.at(id).done = std::move(done);
    }
    if (ready) return send_request(id, true);
    Reply reply = failed_reply(id, Verdict::jail_lost,
                               {"SandboxUnavailable", "The Python process is being started; try again."},
                               last_execution_count());
    // NOLINTNEXTLINE(bugprone-use-after-move): it was moved only when ready
    loop_.post([reply = std::move(reply), done = std::move(done)] { done(reply); });
}

// ---- what users and front ends do to a running cell
// -------------------------------------------------------------

void Session::interrupt() {
    {
        const std::lock_guard lock(mutex_);
        if (running_ == 0 || state_ != WorkerState::ready) return;
    }
    const std::lock_guard lock(jail_mutex_);
    // A worker that has just died needs no interrupt, and its end is reported elsewhere.
    if (jail_) [[maybe_unused]]
        const auto sent = jail_->signal_worker(SIGINT);
}

void Session::answer_input(uint64_t id, std::string content) {
    std::shared_ptr<Worker> worker;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || !pending->second.asks_input) return;
        pending->second.asks_input = false;
        worker = worker_;
    }
    worker->send("{\"type\": \"input_reply\", \"id\": " + std::to_string(id) + "}", {content});
    loop_.post([this, id] {
        if (alarm_rests_ && alarm_id_ == id) arm_alarm(id, alarm_left_);
    });
}

void Session::set_paused(bool paused) {
    std::shared_ptr<Worker> worker;
    {
        const std::lock_guard lock(mutex_);
        paused_ = paused;
        worker = worker_;
    }
    if (worker) worker->set_paused(paused);
}

void Session::abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    changed_.notify_all();
}

}  // namespace cellblock::session
