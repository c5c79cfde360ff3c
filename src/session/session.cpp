// The story of a cell, and what users and front ends do to a running one. The worker's frames are handled in
// session_frames.cpp, the alarm in session_alarm.cpp, the life of jail and worker in session_life.cpp.
#include "session/session.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

using jail::Verdict;
using protocol::json_string;

// NumPy and others derive their own from it.
bool is_memory_error(const Reply& reply) {
    return protocol::text_member(reply.content, "ename").ends_with("MemoryError");
}

uint64_t ticks_since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto ticks = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<uint64_t>(now.tv_sec) * ticks +
           static_cast<uint64_t>(now.tv_nsec) * ticks / 1'000'000'000;
}

int64_t known_or_none(int64_t count) {
    return std::max<int64_t>(count, 0);
}

bool flag(const std::vector<protocol::JsonMember>& content, std::string_view name, bool otherwise) {
    const auto value = protocol::find_member(content, name);
    return value ? protocol::as_bool(*value).value_or(otherwise) : otherwise;
}

}  // namespace

// ---- one cell

Reply Session::run_cell(std::shared_ptr<const protocol::Request> request) {
    const Lane lane = request->subshell_id.empty() ? Lane::shell : Lane::subshell;
    const uint64_t id = begin_request(request, lane);
    if (audit_ && request->msg_type == "execute_request") return run_recorded(id, *request);
    if (auto permitted = permit_unrecorded(); !permitted) return refuse(id, permitted.error());
    return run_admitted(id, Recorded::no);
}

Reply Session::run_admitted(uint64_t id, Recorded recorded) {
    if (auto ready = ensure_worker(); !ready) return refuse(id, ready.error());
    if (auto refreshed = refresh_view(); !refreshed) return refuse(id, refreshed.error());
    const jail::Counters before = begin_usage(id, recorded);
    loop_.post([this, id, cpu_time_us = before.cpu_time_us] {
        if (config_.wall_time.count() > 0) arm_alarm(id, config_.wall_time);
        begin_budget(id, cpu_time_us);
    });
    note_begin(id);
    send_request(id);
    Ending ending = wait_for_end(id);
    loop_.post([this, id] {
        end_alarm(id);
        end_budget(id);
    });
    return finish(id, std::move(ending), before);
}

uint64_t Session::begin_request(std::shared_ptr<const protocol::Request> request, Lane lane) {
    Pending pending;
    pending.lane = lane;
    if (const auto content = protocol::scan_object(request->content);
        content && request->msg_type == "execute_request")
        pending.allows_input = flag(*content, "allow_stdin", true);
    const std::lock_guard lock(mutex_);
    const uint64_t id = ++last_id_;
    if (request->msg_type == "execute_request") late_output_ = {};
    parents_.at(id % kMaxParents) = {id, request->header, {}};
    pending.began = ticks_since_boot();
    pending.request = std::move(request);
    pending_[id] = std::move(pending);
    return id;
}

Result<void> Session::ensure_worker() {
    TRY(replace_lost_worker());
    std::unique_lock lock(mutex_);
    const auto settled = [this] { return state_ != WorkerState::starting || abandoned_; };
    const bool in_time = changed_.wait_for(lock, kHelloTimeout, settled);
    if (abandoned_) return Error("run the cell: the kernel is shutting down");
    if (!in_time) return Error("start the Python process: no answer within 60 s");
    if (state_ == WorkerState::lost) return Error("start the Python process: " + start_failure_);
    return {};
}

Result<void> Session::refresh_view() {
    const std::lock_guard lock(jail_mutex_);
    return jail_ ? jail_->refresh_view() : Result<void>{};
}

jail::Counters Session::begin_usage(uint64_t id, Recorded recorded) {
    const std::lock_guard lock(jail_mutex_);
    return meter_.begin(id, recorded);
}

std::pair<jail::Counters, PeakOf> Session::end_usage(uint64_t id) {
    const std::lock_guard lock(jail_mutex_);
    const PeakOf peak_of = meter_.peak_of();
    return {meter_.end(id), peak_of};
}

jail::MemoryRefusals Session::take_memory_refusals() {
    const std::lock_guard lock(jail_mutex_);
    return jail_ ? jail_->take_memory_refusals() : jail::MemoryRefusals{};
}

void Session::send_request(uint64_t id) {
    std::shared_ptr<const protocol::Request> request;
    std::shared_ptr<Worker> worker;
    std::string lost_before;
    Lane lane = Lane::shell;
    {
        const std::lock_guard lock(mutex_);
        Pending& pending = pending_.at(id);
        request = pending.request;
        lane = pending.lane;
        worker = worker_;
        if (state_ != WorkerState::ready) {
            // It was lost since we looked, perhaps for another shell's cell. Its end is this one's too.
            pending.loss = loss_;
            return;
        }
        pending.sent = true;
        pending.sent_at = std::chrono::steady_clock::now();
        served_ = true;
        tell_newest_control(lane, *request);
        if (lane == Lane::shell) running_ = id;
        if (pending.in_a_shell() && request->msg_type == "execute_request") {
            output_parent_ = id;
            lost_before.swap(idle_loss_);
        }
    }
    if (!lost_before.empty()) note(id, lost_before);
    std::string header = "{\"type\": \"request\", \"id\": " + std::to_string(id) + ", \"channel\": \"" +
                         (lane == Lane::control ? "control" : "shell") +
                         "\", \"msg_type\": " + json_string(request->msg_type);
    if (lane != Lane::control && !request->subshell_id.empty())
        header += ", \"subshell\": " + json_string(request->subshell_id);
    header += "}";
    std::vector<std::string_view> parts{request->header, request->metadata, request->content};
    parts.insert(parts.end(), request->buffers.begin(), request->buffers.end());
    worker->send(header, parts);
}

Session::Ending Session::wait_for_end(uint64_t id) {
    std::unique_lock lock(mutex_);
    Pending& pending = pending_.at(id);
    changed_.wait(lock, [&] { return pending.reply || pending.loss || abandoned_; });
    if (running_ == id) running_ = 0;
    return {std::move(pending.reply),
            pending.wall_time_passed,
            pending.cpu_time_passed,
            pending.told_of_memory,
            pending.began,
            pending.sent_at,
            pending.loss.value_or(Loss{})};
}

Reply Session::finish(uint64_t id, Ending ending, const jail::Counters& before) {
    const auto [after, peak_of] = end_usage(id);
    const jail::Counters used = jail::used_since(before, after);
    // Where it is sampled, what a process has used can be forgotten with it.
    if (ending.cpu_time_passed)
        ending.cpu_time_passed =
            std::max(*ending.cpu_time_passed, std::chrono::microseconds(used.cpu_time_us));
    jail::Evidence evidence;
    evidence.replied = ending.reply.has_value();
    evidence.replied_with_error = evidence.replied && ending.reply->status == protocol::ReplyStatus::error;
    evidence.wall_time_passed = ending.wall_time_passed;
    evidence.cpu_time_passed = ending.cpu_time_passed.has_value();
    const jail::MemoryRefusals refusals = take_memory_refusals();
    evidence.memory_refused = ending.told_of_memory.has_value() || refusals.count > 0;
    evidence.replied_with_memory_error = evidence.replied_with_error && is_memory_error(*ending.reply);
    evidence.kill_reason = ending.loss.kill_reason;
    evidence.exit = ending.loss.exit;
    evidence.init_lost = ending.loss.init_lost;
    evidence.oom_kills = known_or_none(used.oom_kills);
    evidence.memory_limit_hits = known_or_none(used.memory_limit_hits);
    const Verdict verdict = judge(evidence);
    if (audit_) audit_->cell_used(id, evidence, used, peak_of);
    note_limits_met(id, ending, evidence, refusals, used);
    tell_what_was_left_out(id);
    tell_what_was_refused(id);
    tell_of_network();
    tell_what_was_changed(id);
    tell_how_to_write(id, ending);
    tell_hint(id, ending);

    if (used.process_limit_hits > 0)
        note(id, "the limit of " + std::to_string(config_.plan.limits.processes) +
                     " processes and threads was reached; " + std::to_string(used.process_limit_hits) +
                     " were refused. To allow more, " + config_.how_to_raise("--processes"));
    if (evidence.replied && evidence.oom_kills > 0)
        note(id, std::to_string(evidence.oom_kills) +
                     " child process(es) were stopped because the cell reached its " +
                     to_text(config_.plan.limits.memory) +
                     " of memory; the interpreter and its variables are kept");
    if (refusals.count > 0) tell_of_refused_memory(id, refusals);
    tell_of_full_spaces(id, ending.reply ? &*ending.reply : nullptr);
    if (used.process_limit_hits > 0 || refusals.count > 0 || ending.told_of_memory ||
        evidence.oom_kills > 0 || verdict == Verdict::limit_memory || verdict == Verdict::limit_cpu_time)
        tell_of_earlier_processes(id, ending.began);
    if (evidence.replied && config_.background == Background::kill) end_background(id);
    if (verdict == Verdict::ok || verdict == Verdict::error || verdict == Verdict::limit_soft_memory) {
        const std::lock_guard lock(mutex_);
        pending_.erase(id);
        ending.reply->verdict = verdict;
        return *std::move(ending.reply);
    }

    // A new worker counts from one again; this reply still belongs to the old one.
    const int64_t execution_count = last_execution_count();
    Facts facts;
    facts.limits = config_.plan.limits;
    facts.wall_time = config_.wall_time;
    facts.cpu_time = config_.cpu_time;
    facts.cpu_time_used = std::chrono::duration_cast<std::chrono::milliseconds>(
        ending.cpu_time_passed.value_or(std::chrono::microseconds(0)));
    facts.grace = config_.wall_time_grace;
    facts.memory_peak = used.memory_peak;
    facts.exit = ending.loss.exit;
    facts.violation = ending.loss.violation;
    facts.raise_memory_hint = config_.how_to_raise("--memory");
    facts.raise_wall_time_hint = config_.how_to_raise("--wall-time");
    facts.raise_cpu_time_hint = config_.how_to_raise("--cpu-time");
    facts.worker_lost = !evidence.replied;
    facts.jail_lost = evidence.init_lost;
    facts.bystander = ending.loss.culprit != 0 && ending.loss.culprit != id;
    if (!evidence.replied) {
        {
            const std::lock_guard lock(mutex_);
            pending_.at(id).judged = true;
            changed_.notify_all();
        }
        if (auto recovered = replace_lost_worker(); !recovered)
            facts.recovery_trouble = recovered.error().sentence();
    }
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

size_t Session::count_beside_cells() const {
    size_t count = 0;
    for (const auto& [id, pending] : pending_) count += pending.in_a_shell() ? 0U : 1U;
    return count;
}

void Session::forward(std::shared_ptr<const protocol::Request> request, std::function<void(Reply)> done) {
    const uint64_t id = begin_request(request, Lane::control);
    bool taken = false;
    std::string refusal = "The Python process is being started; try again.";
    const auto permitted = permit_unrecorded();
    if (!permitted) {
        refusal = permitted.error().sentence();
    } else {
        const std::lock_guard lock(mutex_);
        const bool room = count_beside_cells() <= kMaxBesideCells;
        if (!room) refusal = "Too many control requests wait for the Python process; try again later.";
        taken = state_ == WorkerState::ready && room;
        if (taken) pending_.at(id).done = std::move(done);
    }
    if (taken && request->msg_type == "debug_request") note_debug_request(request->content);
    if (taken) return send_beside(id);
    Reply reply =
        failed_reply(id, Verdict::jail_lost, {"SandboxUnavailable", refusal}, last_execution_count());
    // NOLINTNEXTLINE(bugprone-use-after-move): it was moved only when taken
    loop_.post([reply = std::move(reply), done = std::move(done)] { done(reply); });
}

bool Session::run_beside(std::shared_ptr<const protocol::Request> request) {
    {
        const std::lock_guard lock(mutex_);
        const bool awaits = std::any_of(pending_.begin(), pending_.end(), [&](const auto& entry) {
            const Pending& pending = entry.second;
            return pending.awaits && pending.runs() && pending.request->subshell_id == request->subshell_id;
        });
        if (!awaits || count_beside_cells() >= kMaxBesideCells) return false;
    }
    if (!permit_unrecorded()) return false;  // when its turn comes, it is refused
    const uint64_t id = begin_request(std::move(request), Lane::beside);
    send_beside(id);
    return true;
}

// Nobody waits in run_cell() for these, so a worker that is lost just now ends them here.
void Session::send_beside(uint64_t id) {
    send_request(id);
    std::function<void(Reply)> done;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || !pending->second.loss) return;
        done = std::move(pending->second.done);
        pending_.erase(pending);
    }
    if (done) loop_.post([done = std::move(done), reply = lost_reply()] { done(reply); });
}

void Session::set_subshells(std::vector<std::string> ids) {
    const std::lock_guard lock(mutex_);
    subshells_ = std::move(ids);
    if (state_ == WorkerState::ready) send_subshells();
}

// Caller holds mutex_, so that no request overtakes the list that it relies on.
void Session::send_subshells() {
    std::string ids;
    for (const std::string& id : subshells_) ids += (ids.empty() ? "" : ", ") + json_string(id);
    worker_->send("{\"type\": \"subshells\", \"ids\": [" + ids + "]}", {});
}

// ---- what users and front ends do to a running cell

void Session::interrupt() {
    std::vector<uint64_t> ids;
    {
        const std::lock_guard lock(mutex_);
        if (state_ != WorkerState::ready) return;
        if (running_ != 0)
            ids.push_back(running_);
        else
            for (const auto& [id, pending] : pending_)
                if (pending.lane == Lane::subshell && pending.runs()) ids.push_back(id);
    }
    if (audit_) audit_->interrupted(ids);
    for (const uint64_t id : ids) {
        interrupt_request(id);
        loop_.post([this, id] {
            // An interrupt ends input(); whoever catches it and goes on does so in its own time again.
            resume_alarm(id);
            watch_interrupt(id);
        });
    }
}

void Session::interrupt_request(uint64_t id) {
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(id);
        if (pending == pending_.end() || !pending->second.runs()) return;
        // Signals reach the main thread only; the worker raises the exception in the others.
        if (pending->second.lane != Lane::shell)
            return worker_->send("{\"type\": \"interrupt\", \"id\": " + std::to_string(id) + "}", {});
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
        pending->second.open_questions = 0;
        worker = worker_;
    }
    worker->send("{\"type\": \"input_reply\", \"id\": " + std::to_string(id) + "}", {content});
    loop_.post([this, id] { resume_alarm(id); });
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
