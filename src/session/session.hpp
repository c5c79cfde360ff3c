// Session: one persistent jailed Python. It runs cells one after the other, forwards what they print, notices
// how they end, and replaces the interpreter when one was lost. `run_cell` is the page to read first.
//
// Several cells run at the same time when there are subshells (JEP 91): one in the main shell and one in each
// subshell.
//
// Threads: run_cell() and recover_if_lost() belong to executors' threads and block, each shell has its own;
// forward(), run_beside(), interrupt(), answer_input(), set_subshells(), note_control() and abandon() may
// come from any thread; frames are handled in the loop's thread, where the Host is called too.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/event_loop.hpp"
#include "jail/jail.hpp"
#include "jail/verdict.hpp"
#include "network/broker.hpp"
#include "protocol/message.hpp"
#include "session/audit.hpp"
#include "session/background.hpp"
#include "session/changed_files.hpp"
#include "session/config.hpp"
#include "session/explain.hpp"
#include "session/host.hpp"
#include "session/usage_meter.hpp"
#include "session/worker.hpp"

namespace cellblock::session {

/// How many requests' headers are remembered as parents of late output.
inline constexpr size_t kMaxParents = 4096;
/// From spawn to `hello`. Generous: a cold disk may have to read all of IPython.
inline constexpr std::chrono::seconds kHelloTimeout{60};
/// How often counters are looked at: while the alarm rests, and where memory is sampled instead of enforced.
inline constexpr std::chrono::milliseconds kSampleInterval{200};
/// What a worker may write to stderr before `hello` and find again in the error message.
inline constexpr size_t kMaxStartupText = 2000;
/// Requests that the worker holds beside the cells of its shells (control requests, comm messages for a cell
/// that awaits); beyond it they are refused or wait in the shell's queue.
inline constexpr size_t kMaxBesideCells = 1024;
/// What a cell may ask the front end, and how often without an answer: what front ends do not read yet stays
/// in this process.
inline constexpr size_t kMaxQuestion = 64 * 1024;
inline constexpr int kMaxOpenQuestions = 64;
/// Beyond its output limit a cell may still show this much of errors.
inline constexpr uint64_t kErrorReserve = 1U << 20U;
/// What a display, a result or an error counts at least, in bytes: front ends and batch tools keep an object
/// for each, so a million tiny ones are not tiny.
inline constexpr uint64_t kLeastDisplay = 1024;
/// From an interrupt to the note that says what it waits for.
inline constexpr std::chrono::milliseconds kInterruptPatience{1000};
/// So many more interrupts after that note, none later than the window after the one before, stop the worker.
inline constexpr int kInterruptsToStop = 2;
inline constexpr std::chrono::seconds kInterruptWindow{10};

/// The end of a request. `content` is the content of the Jupyter reply.
struct Reply {
    protocol::ReplyStatus status = protocol::ReplyStatus::ok;
    std::string metadata = "{}";
    std::string content = "{}";
    std::vector<std::string> buffers;
    jail::Verdict verdict = jail::Verdict::ok;
    bool exit_requested = false;  ///< the cell called exit(): end the kernel after this reply
};

/// How the cells are isolated.
struct Isolation {
    jail::Level level = jail::Level::full;
    bool landlock = true;
    jail::Backend backend = jail::Backend::native;
};

/// What the jail uses of what it may use; -1 (pid: 0) where this is not known just now.
struct Usage {
    std::string host_name;  ///< as the jail shows it
    pid_t pid = 0;          ///< the worker's, as the jail shows it
    int64_t cpu_time_us = -1;
    double cpus = 1;  ///< cores that it may use
    int64_t memory = -1;
    int64_t memory_limit = 0;
};

class Session final : private WorkerListener {
  public:
    /// Makes the jail and starts the worker in it, without waiting for `hello`.
    static Result<std::unique_ptr<Session>> start(Config config, EventLoop& loop, Host& host);
    ~Session();

    /// Waits for the first worker. The value is the info object of `hello`; the error says why there is none.
    Result<std::string> wait_ready();

    /// Runs one cell to its end, whatever it does, in the shell that its header names. Other shell requests
    /// (completion, inspection, comm messages …) run user code too, so they take the same way. One at a time
    /// for each shell.
    Reply run_cell(std::shared_ptr<const protocol::Request> request);
    /// A control request that the worker answers while a cell runs; `done` is called in the loop's thread,
    /// once.
    void forward(std::shared_ptr<const protocol::Request> request, std::function<void(Reply)> done);

    /// A comm message for a shell whose cell awaits: handled while that cell runs. False when it must wait
    /// for its turn instead.
    bool run_beside(std::shared_ptr<const protocol::Request> request);
    /// The subshells that there are from now on. Every worker, also one that replaces a lost one, has a
    /// thread for each.
    void set_subshells(std::vector<std::string> ids);
    /// A control request that is answered outside of the jail. The worker is told its header, for libraries
    /// that ask for the newest one, with the next request that it gets.
    void note_control(const protocol::Request& request);

    /// KeyboardInterrupt in the main shell's cell, or, when that shell is idle, in the cells of subshells;
    /// nothing happens when none runs. Whoever does not listen is told of in the notebook, and stopped when
    /// the user insists (kInterruptsToStop).
    void interrupt();
    /// The front end's answer to ask_input(); ignored when it is too late.
    void answer_input(uint64_t id, std::string content);
    /// Back-pressure: front ends do not keep up. Loop's thread.
    void set_paused(bool paused);
    /// After worker_lost_while_idle(): a new interpreter. Does nothing when all is well.
    void recover_if_lost();
    /// The worker may run its exit handlers for `grace`; then everything in the jail is killed. Executor's
    /// thread, or any other once that has ended.
    void shut_down(bool restart, std::chrono::milliseconds grace);
    /// Wakes everybody who waits: the kernel is going down. Any thread.
    void abandon();

    /// What is in force.
    [[nodiscard]] Isolation isolation();
    /// Any thread; does not wait for anybody.
    [[nodiscard]] Usage usage();

  private:
    enum class WorkerState { starting, ready, lost };

    /// Where the worker runs a request, and so who waits for its end.
    enum class Lane {
        shell,     ///< the main thread; one at a time; a thread waits in run_cell()
        subshell,  ///< the subshell's thread; as above
        control,   ///< the control thread; `done` is called
        beside,    ///< within the event loop of a cell that awaits; `done` is called
    };

    /// How the worker came to its end, as far as the loop's thread has seen it.
    struct Loss {
        std::optional<jail::KillReason> kill_reason;
        uint64_t culprit = 0;  // the request that it was killed for, where it was one
        std::optional<jail::Exit> exit;
        bool init_lost = false;
        int64_t sampled_memory = -1;  // above the limit, where no cgroup enforces it
        std::string violation;
    };

    struct Pending {
        std::shared_ptr<const protocol::Request> request;
        Lane lane = Lane::shell;
        bool sent = false;
        bool allows_input = false;
        bool asks_input = false;
        int open_questions = 0;  // since the last answer
        bool shown = false;      // its execute_input was published
        uint64_t began = 0;      // in clock ticks, as processes' start times are
        bool awaits = false;     // its cell waits in the worker's event loop
        bool wall_time_passed = false;
        std::optional<std::chrono::microseconds> cpu_time_passed;  // with what it had used by then
        std::optional<int64_t> told_of_memory;  // with what was in use: MemoryError was to be raised in it
        std::chrono::steady_clock::time_point sent_at;
        std::optional<Reply> reply;
        std::optional<Loss> loss;         // the worker was lost before it replied
        bool judged = false;              // the evidence of that loss has been read
        std::function<void(Reply)> done;  // control and beside

        [[nodiscard]] bool runs() const { return sent && !reply && !loss; }
        [[nodiscard]] bool in_a_shell() const { return lane == Lane::shell || lane == Lane::subshell; }
    };

    /// What a request has put into the notebook and what was left out, in bytes of messages.
    struct Output {
        uint64_t shown = 0;
        uint64_t errors_beyond = 0;
        uint64_t left_out = 0;
        uint64_t messages_left_out = 0;
        bool streams_end = false;  // nothing comes after a gap
    };

    /// What is remembered of a request for its late output.
    struct Parent {
        uint64_t id = 0;
        std::string header;
        Output output;
    };

    /// How a request came to its end.
    struct Ending {
        std::optional<Reply> reply;
        bool wall_time_passed = false;
        std::optional<std::chrono::microseconds> cpu_time_passed;
        std::optional<int64_t> told_of_memory;
        uint64_t began = 0;
        std::chrono::steady_clock::time_point sent_at;
        Loss loss;
    };

    /// One cell's wall-time alarm.
    struct Alarm {
        std::chrono::steady_clock::time_point due;
        bool rests = false;
        std::chrono::nanoseconds left{0};  // while it rests
        int64_t rest_cpu_us = -1;          // CPU time when it was last charged
    };

    /// What a running cell may take before it is told.
    struct Budget {
        int64_t memory = -1;       // bytes in use in the jail; -1: no bound
        int64_t cpu_time_us = -1;  // of the jail since its beginning; -1: no bound
    };

    /// An interrupt that the cell has not reacted to yet.
    struct Unheard {
        bool told = false;
        int since_told = 0;
        std::chrono::steady_clock::time_point last;
    };

    Session(Config config, EventLoop& loop, Host& host);
    // Steps of run_cell, in the executor's thread.
    Reply run_admitted(uint64_t id, Recorded recorded);
    /// Completion, comm messages, debuggers: no records, but users' code.
    Result<void> permit_unrecorded() const;
    Reply run_recorded(uint64_t id, const protocol::Request& request);
    uint64_t begin_request(std::shared_ptr<const protocol::Request> request, Lane lane);
    Result<void> ensure_worker();
    /// Lets the cell see files as they are now.
    Result<void> refresh_view();
    jail::Counters begin_usage(uint64_t id, Recorded recorded);
    std::pair<jail::Counters, PeakOf> end_usage(uint64_t id);
    jail::MemoryRefusals take_memory_refusals();
    std::vector<jail::Process> list_background();
    void end_background(uint64_t id);
    /// For the audit log.
    void note_limits_met(uint64_t id, const Ending& ending, const jail::Evidence& evidence,
                         const jail::MemoryRefusals& refusals, const jail::Counters& used);
    void note_limit_met(uint64_t id, const LimitHit& hit);
    void note_full_space(uint64_t id, const jail::Space& space);
    void tell_of_full_spaces(uint64_t id, const Reply* reply);
    void tell_of_earlier_processes(uint64_t id, uint64_t began);
    void send_request(uint64_t id);
    Ending wait_for_end(uint64_t id);
    Reply finish(uint64_t id, Ending ending, const jail::Counters& before);
    Reply refuse(uint64_t id, const Error& error);
    Reply failed_reply(uint64_t id, jail::Verdict verdict, const Explanation& explanation,
                       int64_t execution_count);
    int64_t last_execution_count() const;
    void interrupt_request(uint64_t id);
    void send_beside(uint64_t id);
    static Reply lost_reply();
    void send_subshells();
    void tell_newest_control(Lane lane, const protocol::Request& next);
    size_t count_beside_cells() const;

    // The life of jail and worker.
    Result<void> make_jail();
    /// Of a new jail. From here on there are reports.
    Result<void> start_broker();
    std::vector<Degradation> degradations();
    Result<void> start_worker();
    /// A new worker in the place of a lost one, once, whoever asks first.
    Result<void> replace_lost_worker();
    Result<void> recover();
    void watch_jail();
    void on_jail_event();
    void on_link_silence();
    void declare_lost();
    std::string explain_idle_loss();
    void kill_for(jail::KillReason reason, const std::string& why, uint64_t culprit = 0);

    // The wall-time alarms, interrupts that go unheard and the sampling of counters, in the loop's thread.
    void arm_alarm(uint64_t id, std::chrono::nanoseconds delay);
    void rest_alarm(uint64_t id, int64_t cpu_time_us);
    void resume_alarm(uint64_t id);
    void resume_alarms();
    void note_debug_request(const std::string& content);
    void note_debug_event(const std::string& content);
    void end_alarm(uint64_t id);
    void schedule_alarms();
    void on_alarm();
    void ring(uint64_t id);
    void on_sample();
    void charge_rests(int64_t cpu_time_us);
    void watch_interrupt(uint64_t id);
    void on_interrupt_patience();
    void forget_heard();
    // Memory and CPU time that cells take, in the loop's thread.
    void begin_budget(uint64_t id, int64_t cpu_time_us);
    void end_budget(uint64_t id);
    void on_budgets();
    std::chrono::nanoseconds check_memory();
    std::chrono::nanoseconds check_cpu_time();
    void tell_of_memory(uint64_t id, int64_t in_use);
    void end_cpu_time(uint64_t id, std::chrono::microseconds used);
    int64_t sample_memory_in_use();
    int64_t memory_mark(int64_t in_use) const;
    void tell_of_refused_memory(uint64_t id, const jail::MemoryRefusals& refusals);
    int64_t sample_cpu_time();
    std::optional<jail::Counters> sample_counters();

    Publication publication_for(uint64_t parent, const std::string& msg_type, std::string content);
    /// Until what publish_later() was given is on its way: it is part of what the cell shows.
    void await_posted();
    void publish_later(uint64_t parent, const std::string& msg_type, std::string content);
    void note(uint64_t parent, const std::string& text);
    std::string parent_header(uint64_t id);
    /// Whether this message still fits into what its cell may show. In the loop's thread.
    bool admit_output(uint64_t parent, std::string_view msg_type, uint64_t size);
    bool fits(Output& output, std::string_view msg_type, uint64_t size) const;
    void tell_what_was_left_out(uint64_t id);
    void tell_what_was_refused(uint64_t id);
    void tell_of_network();
    /// Tells the recorder of changed files that a cell begins.
    void note_begin(uint64_t id);
    void tell_what_was_changed(uint64_t id);
    void tell_how_to_write(uint64_t id, const Ending& ending);
    void tell_hint(uint64_t id, const Ending& ending);

    void on_frame(Worker& worker, protocol::UpFrame frame) override;
    void on_text(Worker& worker, Stream stream, std::string text) override;
    void on_link_end(Worker& worker, const std::string& violation) override;
    std::string on_hello(protocol::UpFrame& frame);
    std::string on_publish(protocol::UpFrame& frame);
    std::string on_reply(protocol::UpFrame& frame);
    std::string on_input(protocol::UpFrame& frame);
    std::string on_awaits(const protocol::UpFrame& frame);

    Config config_;
    EventLoop& loop_;
    Host& host_;
    std::unique_ptr<Audit> audit_;  // null: no audit log
    std::unique_ptr<LoopTimer> alarm_;
    std::unique_ptr<LoopTimer> link_silence_;  // from a closed link to the kill of a process that lives on
    std::unique_ptr<LoopTimer> sampler_;
    std::unique_ptr<LoopTimer> interrupt_patience_;
    std::unique_ptr<LoopTimer> budget_timer_;
    std::unordered_map<uint64_t, Budget> budgets_;   // one for each running cell that has bounds
    std::unordered_map<uint64_t, Alarm> alarms_;     // one for each running cell
    std::unordered_map<uint64_t, Unheard> unheard_;  // by the cell that runs
    std::atomic<uint64_t> posted_ = 0;               // messages that publish_later() was given
    std::atomic<uint64_t> published_ = 0;            // of those
    bool debugged_ = false;                          // by a front end

    // Held while a worker is replaced; taken before the others.
    std::mutex recovery_mutex_;
    // The jail is used by whoever holds this; never taken while holding mutex_.
    std::mutex jail_mutex_;
    std::unique_ptr<jail::Jail> jail_;
    std::shared_ptr<network::Broker> broker_;      // null: no names are allowed
    UsageMeter meter_;                             // of this jail
    std::shared_ptr<ChangedFiles> changed_files_;  // of this jail; null when cells cannot write there

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<Worker> worker_;
    WorkerState state_ = WorkerState::lost;
    unsigned full_spaces_ = 0;  // bit by bit, those that a note has called full
    bool served_ = false;       // it has been sent a request
    bool leaving_ = false;      // the worker has been asked to end: its end is no loss
    bool abandoned_ = false;
    bool paused_ = false;
    std::string info_;
    std::string startup_text_;
    std::string start_failure_;
    uint64_t last_id_ = 0;
    uint64_t running_ = 0;        // the main shell's request in the worker, 0 for none
    uint64_t output_parent_ = 0;  // where text of descriptors 1 and 2 belongs
    int64_t execution_count_ = 0;
    std::unordered_map<uint64_t, Pending> pending_;
    std::array<Parent, kMaxParents> parents_;
    Output late_output_;  // of all requests that have ended, since the newest cell began
    std::vector<std::string> subshells_;
    std::string newest_control_;  // the header of the newest control request; decode() bounds its size
    bool control_is_told_ = true;
    Loss loss_;  // what is known of the worker's end
    bool link_ended_ = false;
    std::string idle_loss_;  // sentence about a worker that died between cells, until a cell has shown it
};

}  // namespace cellblock::session
