// The story of a cell, and the life of the jail and its worker. Frames are handled in session_frames.cpp.
#include "session/session.hpp"

#include <csignal>

#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

using jail::Verdict;
using protocol::json_string;

// A process that gives up its link is on its way out or will never answer again; this long it may take to
// exit.
constexpr std::chrono::milliseconds kLinkSilence{500};

std::string error_content(const Explanation& explanation, int64_t execution_count) {
    return "{\"status\": \"error\", " + error_members(explanation) +
           ", \"execution_count\": " + std::to_string(execution_count) +
           ", \"user_expressions\": {}, \"payload\": []}";
}

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

// ---- wall time, in the loop's thread
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

// ---- the life of jail and worker
// ----------------------------------------------------------------------------------

Result<std::unique_ptr<Session>> Session::start(Config config, EventLoop& loop, Host& host) {
    std::unique_ptr<Session> session(new Session(std::move(config), loop, host));
    session->alarm_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_alarm(); }));
    session->link_silence_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_link_silence(); }));
    session->sampler_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_sample(); }));
    session->jail_ = TRY(session->config_.start_jail(session->config_.plan));
    session->watch_jail();
    if (session->config_.plan.level != jail::Level::full) session->sampler_->arm(kSampleInterval);
    TRY(session->start_worker());
    return session;
}

Session::Session(Config config, EventLoop& loop, Host& host)
    : config_(std::move(config)), loop_(loop), host_(host) {}

Session::~Session() {
    if (worker_) worker_->detach();
    if (jail_) loop_.unwatch(jail_->event_fd());
}

Result<std::string> Session::wait_ready() {
    TRY(ensure_worker());
    const std::lock_guard lock(mutex_);
    return info_;
}

Result<void> Session::start_worker() {
    auto [worker, ends] = TRY(Worker::create(loop_, *this));
    jail::Command command = config_.command;
    command.link_fd = ends.link.get();
    command.stdout_fd = ends.stdout_pipe.get();
    command.stderr_fd = ends.stderr_pipe.get();
    {
        // Before the spawn: its events must find the state that they belong to.
        const std::lock_guard lock(mutex_);
        state_ = WorkerState::starting;
        link_ended_ = false;
        startup_text_.clear();
        start_failure_.clear();
        ending_.violation.clear();
        ending_.exit.reset();
        ending_.init_lost = false;
        ending_.kill_reason.reset();
        execution_count_ = 0;
        worker_ = worker;
        if (paused_) worker->set_paused(true);
    }
    {
        const std::lock_guard lock(jail_mutex_);
        if (auto spawned = jail_->spawn(command); !spawned) {
            const std::lock_guard relock(mutex_);
            state_ = WorkerState::lost;
            return std::move(spawned).error().context("start the Python process");
        }
    }
    loop_.post([worker = std::move(worker)] { worker->attach(); });
    return {};
}

Result<void> Session::recover() {
    std::shared_ptr<Worker> old;
    bool init_lost = false;
    {
        const std::lock_guard lock(mutex_);
        old = std::move(worker_);
        init_lost = ending_.init_lost;
    }
    // Only the loop's thread may take a worker's descriptors out of the loop.
    if (old) loop_.post([old = std::move(old)] { old->detach(); });
    {
        const std::lock_guard lock(jail_mutex_);
        // Without a jail an earlier recovery has failed half-way.
        init_lost = init_lost || !jail_;
        if (!init_lost) {
            auto killed = jail_->kill_all();
            init_lost = !killed.ok();
            // Ends of processes that are no longer ours to judge.
            jail_->take_events();
        }
        if (init_lost) {
            jail_.reset();
            jail_ = TRY(config_.start_jail(config_.plan));
            loop_.post([this] { watch_jail(); });
        }
    }
    return start_worker();
}

void Session::recover_if_lost() {
    {
        const std::lock_guard lock(mutex_);
        if (state_ != WorkerState::lost || abandoned_) return;
    }
    auto recovered = recover();
    if (recovered) return;
    const std::lock_guard lock(mutex_);
    idle_loss_ += " " + recovered.error().sentence();
}

void Session::watch_jail() {
    const std::lock_guard lock(jail_mutex_);
    if (!jail_) return;
    loop_.watch(jail_->event_fd(), EPOLLIN, [this](uint32_t) { on_jail_event(); });
}

void Session::on_jail_event() {
    std::vector<jail::Event> events;
    {
        const std::lock_guard lock(jail_mutex_);
        if (!jail_) return;
        events = jail_->take_events();
        for (const auto& event : events)
            if (event.kind == jail::Event::Kind::init_lost) loop_.unwatch(jail_->event_fd());
    }
    for (const auto& event : events) {
        std::shared_ptr<Worker> worker;
        {
            const std::lock_guard lock(mutex_);
            if (event.kind == jail::Event::Kind::init_lost)
                ending_.init_lost = true;
            else
                ending_.exit = event.exit;
            worker = worker_;
        }
        // What it wrote before its end still belongs to the cell.
        if (worker) worker->drain_and_end();
        declare_lost();
    }
}

void Session::on_link_end(Worker& worker, const std::string& violation) {
    {
        const std::lock_guard lock(mutex_);
        if (&worker != worker_.get()) return;
        link_ended_ = true;
    }
    if (!violation.empty())
        kill_for(jail::KillReason::protocol_violation, violation);
    else
        link_silence_->arm(kLinkSilence);
    declare_lost();
}

void Session::on_link_silence() {
    kill_for(jail::KillReason::link_closed, "");
}

void Session::kill_for(jail::KillReason reason, const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ == WorkerState::lost || ending_.exit || ending_.init_lost) return;
        if (!ending_.kill_reason) {
            ending_.kill_reason = reason;
            ending_.violation = why;
        }
    }
    const std::lock_guard lock(jail_mutex_);
    // Its end is reported by the jail; when the signal cannot be sent the worker is gone already.
    if (jail_) [[maybe_unused]]
        const auto sent = jail_->signal_worker(SIGKILL);
}

void Session::declare_lost() {
    std::vector<std::function<void(Reply)>> orphans;
    bool idle = false;
    {
        const std::lock_guard lock(mutex_);
        const bool process_ended = ending_.exit || ending_.init_lost;
        if (!link_ended_ || !process_ended || state_ == WorkerState::lost) return;
        if (state_ == WorkerState::starting) {
            start_failure_ = startup_text_.empty() ? "it ended without a message" : startup_text_;
        } else if (running_ == 0) {
            idle = true;
        }
        state_ = WorkerState::lost;
        for (auto& [id, pending] : pending_)
            if (pending.control && pending.done) orphans.push_back(std::move(pending.done));
        std::erase_if(pending_, [](const auto& entry) { return entry.second.control; });
        changed_.notify_all();
    }
    link_silence_->disarm();
    for (auto& done : orphans) {
        Reply reply;
        reply.status = protocol::ReplyStatus::error;
        reply.content = error_content({"WorkerLost", "The Python process ended before it answered."}, 0);
        done(std::move(reply));
    }
    if (!idle) return;
    note(output_parent_, explain_idle_loss());
    host_.worker_lost_while_idle();
}

std::string Session::explain_idle_loss() {
    const std::lock_guard lock(mutex_);
    jail::Evidence evidence;
    evidence.exit = ending_.exit;
    evidence.init_lost = ending_.init_lost;
    evidence.kill_reason = ending_.kill_reason;
    const Facts facts{config_.plan.limits, {}, {}, -1, ending_.exit, ending_.violation, {}, {}, true, {}};
    idle_loss_ = "after the last cell: " + explain(judge(evidence), facts).text;
    return idle_loss_;
}

void Session::shut_down(bool restart, std::chrono::milliseconds grace) {
    std::unique_lock lock(mutex_);
    if (state_ == WorkerState::ready && running_ == 0) {
        worker_->send(
            std::string("{\"type\": \"shutdown\", \"restart\": ") + (restart ? "true" : "false") + "}", {});
        changed_.wait_for(lock, grace, [this] { return state_ == WorkerState::lost; });
    }
    abandoned_ = true;
    changed_.notify_all();
}

jail::Level Session::level() {
    const std::lock_guard lock(jail_mutex_);
    return jail_ ? jail_->level() : config_.plan.level;
}

}  // namespace cellblock::session
