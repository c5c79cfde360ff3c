// The life of a session's jail and worker: start, loss, recovery, end.
#include <algorithm>
#include <csignal>

#include "session/session.hpp"

namespace cellblock::session {
namespace {

// A process that gives up its link is on its way out or will never answer again; this long it may take to
// exit.
constexpr std::chrono::milliseconds kLinkSilence{500};

}  // namespace

Result<std::unique_ptr<Session>> Session::start(Config config, EventLoop& loop, Host& host) {
    std::unique_ptr<Session> session(new Session(std::move(config), loop, host));
    session->alarm_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_alarm(); }));
    session->link_silence_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_link_silence(); }));
    session->sampler_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_sample(); }));
    session->interrupt_patience_ =
        TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_interrupt_patience(); }));
    session->budget_timer_ = TRY(LoopTimer::create(loop, [raw = session.get()] { raw->on_budgets(); }));
    TRY(session->make_jail());
    if (session->config_.audit) {
        session->audit_ = std::make_unique<Audit>(*session->config_.audit);
        session->audit_->kernel_started(session->degradations());
        session->meter_.tell_between(
            [audit = session->audit_.get()](const auto&... between) { audit->between_cells(between...); });
    }
    TRY(session->start_broker());
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
    broker_.reset();
    {
        const std::lock_guard lock(jail_mutex_);
        meter_.watch(nullptr);
    }
    // The jail's layer outlives its processes: nothing is written while it is read for the last time.
    jail_.reset();
    if (changed_files_) changed_files_->at_end();
    if (audit_) audit_->kernel_stopped();
}

Result<void> Session::make_jail() {
    broker_.reset();
    meter_.watch(nullptr);
    jail_.reset();
    if (changed_files_) changed_files_->at_end();
    changed_files_.reset();
    jail_ = TRY(config_.start_jail(config_.plan));
    if (config_.changed_files)
        changed_files_ = TRY(ChangedFiles::create(*config_.changed_files, jail_->changes_fd()));
    meter_.watch(jail_.get());
    return {};
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
        served_ = false;
        link_ended_ = false;
        startup_text_.clear();
        start_failure_.clear();
        loss_ = {};
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

Result<void> Session::replace_lost_worker() {
    const std::lock_guard recovery(recovery_mutex_);
    {
        std::unique_lock lock(mutex_);
        // The cgroup's counters are evidence, and they may go with the jail: first everybody reads them.
        changed_.wait(lock, [this] {
            return abandoned_ || std::none_of(pending_.begin(), pending_.end(), [](const auto& entry) {
                       return entry.second.loss && !entry.second.judged;
                   });
        });
        if (state_ != WorkerState::lost || abandoned_ || leaving_) return {};
    }
    return recover();
}

Result<void> Session::recover() {
    std::shared_ptr<Worker> old;
    bool init_lost = false;
    {
        const std::lock_guard lock(mutex_);
        old = std::move(worker_);
        init_lost = loss_.init_lost;
    }
    if (audit_) audit_->worker_replaced();
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
            TRY(make_jail());
            TRY(start_broker());
            loop_.post([this] { watch_jail(); });
        }
    }
    return start_worker();
}

void Session::recover_if_lost() {
    auto recovered = replace_lost_worker();
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
                loss_.init_lost = true;
            else
                loss_.exit = event.exit;
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

void Session::kill_for(jail::KillReason reason, const std::string& why, uint64_t culprit) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ == WorkerState::lost || loss_.exit || loss_.init_lost) return;
        if (!loss_.kill_reason) {
            loss_.kill_reason = reason;
            loss_.violation = why;
            loss_.culprit = culprit;
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
    bool served = false;
    {
        const std::lock_guard lock(mutex_);
        const bool process_ended = loss_.exit || loss_.init_lost;
        if (!link_ended_ || !process_ended || state_ == WorkerState::lost) return;
        if (state_ == WorkerState::starting)
            start_failure_ = startup_text_.empty() ? "it ended without a message" : startup_text_;
        else
            idle = !leaving_;
        state_ = WorkerState::lost;
        served = served_;
        for (auto& [id, pending] : pending_) {
            if (!pending.in_a_shell() && pending.done) orphans.push_back(std::move(pending.done));
            if (!pending.in_a_shell() || !pending.runs()) continue;
            pending.loss = loss_;
            idle = false;
        }
        std::erase_if(pending_, [](const auto& entry) { return !entry.second.in_a_shell(); });
        running_ = 0;
        changed_.notify_all();
    }
    link_silence_->disarm();
    for (auto& done : orphans) done(lost_reply());
    if (!idle) return;
    note(output_parent_, explain_idle_loss());
    // A cell can leave startup files that end every worker; the next one comes with the next cell then.
    if (served) host_.worker_lost_while_idle();
}

Reply Session::lost_reply() {
    Reply reply;
    reply.status = protocol::ReplyStatus::error;
    reply.content = error_content({"WorkerLost", "The Python process ended before it answered."}, 0);
    return reply;
}

std::string Session::explain_idle_loss() {
    const std::lock_guard lock(mutex_);
    jail::Evidence evidence;
    evidence.exit = loss_.exit;
    evidence.init_lost = loss_.init_lost;
    evidence.kill_reason = loss_.kill_reason;
    Facts facts;
    facts.limits = config_.plan.limits;
    facts.exit = loss_.exit;
    facts.jail_lost = loss_.init_lost;
    facts.violation = loss_.violation;
    idle_loss_ = "after the last cell: " + explain(judge(evidence), facts).text;
    return idle_loss_;
}

void Session::shut_down(bool restart, std::chrono::milliseconds grace) {
    std::unique_lock lock(mutex_);
    leaving_ = true;
    if (state_ == WorkerState::ready && running_ == 0) {
        worker_->send(
            std::string("{\"type\": \"shutdown\", \"restart\": ") + (restart ? "true" : "false") + "}", {});
        changed_.wait_for(lock, grace, [this] { return state_ == WorkerState::lost; });
    }
    abandoned_ = true;
    changed_.notify_all();
}

std::vector<Degradation> Session::degradations() {
    std::vector<Degradation> degradations;
    const Isolation isolation = this->isolation();
    const std::lock_guard lock(jail_mutex_);
    const jail::Counters counters = meter_.read();
    if (isolation.level == jail::Level::full && meter_.peak_of() != PeakOf::cell)
        degradations.push_back(
            {"memory_peak",
             "the host's kernel cannot restart the peak of a cgroup's memory (version 2 before "
             "Linux 6.12): that of a cell is the highest since the kernel's start"});
    if (isolation.level == jail::Level::full && counters.io_read < 0)
        degradations.push_back({"io",
                                "bytes of block devices are not known: they need cgroup version 2, and there "
                                "the controller io"});
    if (isolation.level != jail::Level::full)
        degradations.push_back({"cgroup",
                                "the settings ask for the isolation level \"namespaced\": memory is sampled, "
                                "and what the limits refuse is not counted"});
    if (!isolation.landlock)
        degradations.push_back(
            {"landlock", "the host's kernel has none, and isolation.landlock is \"optional\""});
    return degradations;
}

Isolation Session::isolation() {
    const std::lock_guard lock(jail_mutex_);
    if (!jail_)
        return {config_.plan.level, config_.plan.landlock == jail::LandlockUse::required,
                config_.plan.backend};
    return {jail_->level(), jail_->has_landlock(), jail_->backend()};
}

}  // namespace cellblock::session
