// The parent side of a jail. start_jail() is the page to read; the child's are run_child() and
// restrict_and_run().
#include "jail/jail.hpp"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <optional>

#include "base/sys.hpp"
#include "jail/cgroup.hpp"
#include "jail/denials.hpp"
#include "jail/home.hpp"
#include "jail/init_process.hpp"
#include "jail/landlock.hpp"
#include "jail/listed_processes.hpp"
#include "jail/maker.hpp"
#include "jail/memory_in_use.hpp"
#include "jail/network.hpp"
#include "jail/plan.hpp"
#include "jail/policy/guarantees.hpp"
#include "jail/process_tree.hpp"
#include "jail/raw.hpp"
#include "jail/start.hpp"

namespace cellblock::jail {
namespace {

unsigned next_jail_number() {
    static std::atomic<unsigned> next{0};
    return next++;
}

std::string stage_text(SpawnStage stage, const Command& command) {
    switch (stage) {
        case SpawnStage::working_directory:
            return "enter the directory " + command.working_directory;
        case SpawnStage::execute:
            return "execute " + command.argv[0];
        case SpawnStage::fork:
            return "fork";
        case SpawnStage::descriptors:
            return "hand over descriptors";
        case SpawnStage::receive:
        case SpawnStage::none:
            break;
    }
    return "receive the command";
}

// pidfds are the only names of processes that cannot be reused; /proc tells the number behind one.
pid_t pid_of(int pidfd) {
    const auto info = sys::read_file("/proc/self/fdinfo/" + std::to_string(pidfd), 4096);
    const size_t at = info ? info->find("\nPid:") : std::string::npos;
    return at == std::string::npos ? 0 : static_cast<pid_t>(std::strtol(info->c_str() + at + 5, nullptr, 10));
}

Result<RestrictPlan> prepare(const Plan& plan, const Fault& fault) {
    RestrictPlan restrict;
    restrict.backend = plan.backend;
    restrict.level = plan.level;
    restrict.limits = policy::resource_limits(plan.backend, plan.level, plan.limits);
    // Decided here and not by what the child sees: a call that fails there for another reason is an error.
    restrict.landlock = policy::provides(plan.backend, policy::Guarantee::landlock) &&
                        (plan.landlock == LandlockUse::required || landlock_abi() > 0);
    struct stat root {};
    if (::stat("/", &root) != 0) return errno_error("look at /");
    restrict.host_root_device = root.st_dev;
    restrict.host_root_inode = root.st_ino;
    restrict.parent_pid = ::getpid();
    restrict.fault = fault;
    return restrict;
}

class LinuxJail final : public Jail {
  public:
    LinuxJail(const Plan& plan, bool has_landlock, const Identity& identity, std::unique_ptr<Cgroup> cgroup,
              std::unique_ptr<InitProcess> init, ViewHandles view, std::unique_ptr<DenialWatch> denials,
              NetworkSockets network, UniqueFd readiness, UniqueFd pending)
        : backend_(plan.backend),
          level_(plan.level),
          has_landlock_(has_landlock),
          limits_(plan.limits),
          identity_(identity),
          cgroup_(std::move(cgroup)),
          init_(std::move(init)),
          view_(std::move(view)),
          denials_(std::move(denials)),
          network_(std::move(network)),
          readiness_(std::move(readiness)),
          pending_(std::move(pending)) {}

    // First of all: while the kernel of Linux takes the jail apart, the watch's thread can end, too.
    ~LinuxJail() override { init_->begin_end(); }

    Result<void> spawn(const Command& command) override {
        if (command.argv.empty()) return Error("spawn: no command");
        collect();
        if (worker_runs_) return Error("spawn: an earlier worker still runs", EBUSY);
        Request request;
        request.verb = Verb::spawn;
        request.argument_count = static_cast<uint32_t>(command.argv.size());
        request.environment_count = static_cast<uint32_t>(command.environment.size());
        const std::string payload = TRY(pack(command));
        std::vector<int> descriptors;
        const int wanted[kSpawnDescriptors] = {command.stdin_fd, command.stdout_fd, command.stderr_fd,
                                               command.link_fd};
        for (unsigned i = 0; i < kSpawnDescriptors; ++i) {
            if (wanted[i] < 0) continue;
            request.descriptor_mask |= 1U << i;
            descriptors.push_back(wanted[i]);
            give_pipe(wanted[i]);
        }
        auto answer = ask(request, payload, descriptors, kSpawnTimeout);
        if (answer && answer->note.error == 0) {
            worker_runs_ = true;
            worker_ = std::move(answer->descriptor);
            if (worker_.valid()) worker_pid_ = pid_of(worker_.get());
        }
        // Not before: a short-lived worker's end may have come already, and clears what was set above.
        note_pending();
        if (!answer) return std::move(answer).error().context("spawn");
        if (answer->note.error != 0)
            return Error(stage_text(answer->note.stage, command) + " in the jail", answer->note.error);
        return {};
    }

    Result<void> signal_worker(int signal) override {
        Request request;
        request.verb = Verb::signal;
        request.signal = signal;
        return act(request, "signal the worker", kAnswerTimeout);
    }

    Result<void> kill_all() override {
        Request request;
        request.verb = Verb::kill_all;
        return act(request, "kill the jail's processes", kKillTimeout);
    }

    Result<void> kill_background() override {
        Request request;
        request.verb = Verb::kill_background;
        return act(request, "end the processes that a cell has left behind", kKillTimeout);
    }

    std::vector<Space> spaces() override { return read_spaces(view_.directories); }

    std::vector<Process> background() override {
        return backend_ == Backend::runsc ? ask_for_background()
                                          : list_processes(init_->pid(), worker_pid_, kMaxListed);
    }

    Result<Counters> counters() override {
        if (cgroup_) return cgroup_->counters();
        return sample_process_tree(init_->pid(), limits_.memory);
    }

    bool restart_memory_peak() override { return cgroup_ && cgroup_->restart_memory_peak(); }

    int64_t memory_in_use(Bytes enough) override {
        return read_memory_in_use(cgroup_.get(), init_->pid(), enough);
    }

    Result<void> refresh_view() override {
        for (size_t i = 0; i < view_.contexts.size(); ++i)
            if (const int e = raw::drop_cached_names(view_.contexts[i].get(), view_.changed_context != i);
                e < 0)
                return Error("refresh what the jail sees of the host's directories", -e);
        return {};
    }

    Result<void> place(const HomeFile& file) override { return place_in_home(home(), identity_, file); }
    Result<std::vector<HomeFile>> take(const std::string& path, Bytes most, size_t max_files) override {
        return take_from_home(home(), path, most, max_files);
    }

    int changes_fd() const override { return view_.changes.get(); }

    NetworkSockets take_network_sockets() override { return std::move(network_); }

    std::vector<Denial> take_denials() override {
        return denials_ ? denials_->take() : std::vector<Denial>{};
    }
    MemoryRefusals take_memory_refusals() override {
        return denials_ ? denials_->take_memory_refusals() : MemoryRefusals{};
    }

    int event_fd() const override { return readiness_.get(); }

    std::vector<Event> take_events() override {
        collect();
        uint64_t ignored = 0;
        while (::read(pending_.get(), &ignored, sizeof ignored) > 0) {
        }
        std::vector<Event> taken(events_.begin(), events_.end());
        events_.clear();
        return taken;
    }

    pid_t worker_pid() const override { return worker_pid_; }
    Level level() const override { return level_; }
    Backend backend() const override { return backend_; }
    bool has_landlock() const override { return has_landlock_; }
    const Limits& limits() const override { return limits_; }

  private:
    [[nodiscard]] int home() const { return view_.directories[kHomeHandedOver].get(); }

    /// A pid 1 that did not answer in time would answer the next question with this one's answer, and a jail
    /// that cannot be emptied is no jail: end it. The caller learns by the event init_lost.
    Result<InitProcess::Answer> ask(const Request& request, std::string_view payload,
                                    const std::vector<int>& descriptors, std::chrono::milliseconds timeout) {
        auto answer = init_->ask(request, payload, descriptors, timeout);
        if (!answer) init_->kill();
        return answer;
    }

    Result<void> act(const Request& request, const char* what, std::chrono::milliseconds timeout) {
        auto answer = ask(request, "", {}, timeout);
        note_pending();
        if (!answer) return std::move(answer).error().context(what);
        if (answer->note.error != 0) return Error(what, answer->note.error);
        return {};
    }

    /// Of processes that are none of Linux's.
    std::vector<Process> ask_for_background() {
        const UniqueFd file(::memfd_create("processes", MFD_CLOEXEC));
        Request request;
        request.verb = Verb::list_background;
        const auto answer = ask(request, "", {file.get()}, kAnswerTimeout);
        note_pending();
        return answer ? read_listed(file.get()) : std::vector<Process>{};
    }

    /// Moves what pid 1 has said into events_.
    void collect() {
        if (lost_) return;
        std::deque<Event> fresh;
        lost_ = !init_->receive_events(fresh);
        if (lost_) {
            ::epoll_ctl(readiness_.get(), EPOLL_CTL_DEL, init_->control_fd(), nullptr);
            fresh.push_back({Event::Kind::init_lost, {}});
        }
        if (!fresh.empty()) {
            worker_runs_ = false;
            worker_.reset();
            worker_pid_ = 0;
        }
        events_.insert(events_.end(), fresh.begin(), fresh.end());
    }

    /// An answer that was awaited may have brought events along: make event_fd() readable for them.
    void note_pending() {
        collect();
        if (!events_.empty()) sys::signal_event(pending_.get());
    }

    static Result<std::string> pack(const Command& command) {
        std::string payload;
        const auto append = [&payload](const std::string& text) {
            payload.append(text.c_str(), text.size() + 1);
        };
        append(command.working_directory.empty() ? "/" : command.working_directory);
        for (const auto& argument : command.argv) append(argument);
        for (const auto& variable : command.environment) append(variable);
        for (const auto* list : {&command.argv, &command.environment})
            for (const auto& text : *list)
                if (text.find('\0') != std::string::npos) return Error("spawn: a zero byte in the command");
        if (payload.size() + sizeof(Request) > kMaxRequestSize ||
            command.argv.size() + command.environment.size() > kMaxStrings)
            return std::move(Error("spawn: the command and its environment have " +
                                   std::to_string(payload.size()) + " bytes, more than " +
                                   std::to_string(kMaxRequestSize)))
                .with_remedy("Pass fewer environment variables.");
        return payload;
    }

    /// Lets the jail reopen its own pipes by name (echo > /dev/stderr), which the kernel checks against the
    /// owner.
    void give_pipe(int fd) const {
        struct stat info {};
        if (identity_.root_mode && ::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode)) [[maybe_unused]]
            const int ignored = ::fchown(fd, identity_.host_uid, identity_.host_gid);
    }

    const Backend backend_;
    const Level level_;
    const bool has_landlock_;
    const Limits limits_;
    const Identity identity_;
    // Destroyed from the bottom up: the processes end before their cgroup is removed.
    std::unique_ptr<Cgroup> cgroup_;
    std::unique_ptr<InitProcess> init_;
    ViewHandles view_;
    std::unique_ptr<DenialWatch> denials_;  // null where nobody is told of calls
    NetworkSockets network_;
    UniqueFd readiness_;  // epoll over the control socket and pending_
    UniqueFd pending_;
    bool worker_runs_ = false;
    UniqueFd worker_;  // of a worker that the host's kernel knows
    pid_t worker_pid_ = 0;
    bool lost_ = false;
    std::deque<Event> events_;
};

/// An epoll descriptor that is readable when one of them is.
Result<UniqueFd> watch(std::initializer_list<int> descriptors) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) return errno_error("create an epoll descriptor");
    for (const int fd : descriptors) {
        epoll_event event{};
        event.events = EPOLLIN;
        if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return errno_error("watch the jail");
    }
    return epoll;
}

}  // namespace

Result<std::unique_ptr<Jail>> start_jail(const Plan& plan, const Fault& fault) {
    TRY(check_plan(plan));
    TRY(policy::check_provided(plan));
    const unsigned number = next_jail_number();
    const Identity identity = choose_identity(number);
    const RestrictPlan restrict = TRY(prepare(plan, fault));
    std::unique_ptr<Maker> maker = TRY(make_maker(plan, restrict, identity));

    // Declared in this order so that on every way out the processes end first and then the cgroup goes.
    std::unique_ptr<Cgroup> cgroup;
    std::unique_ptr<InitProcess> init;
    Limits cgroup_limits = plan.limits;
    cgroup_limits.processes += maker->helpers();
    const auto make_cgroup = [&]() -> Result<void> {
        const CgroupHost host = TRY(look_at_cgroups());
        cgroup = TRY(Cgroup::create(host, cgroup_limits, number));
        return parent_step(Step::make_cgroup, fault, {});
    };
    const bool needs_cgroup = plan.level == Level::full;
    const bool joins_late = needs_cgroup && TRY(cgroups_are_joined_late());
    if (needs_cgroup && !joins_late) TRY(make_cgroup());
    init = TRY(InitProcess::clone(*maker, cgroup ? cgroup->clone_fd() : -1));
    TRY(parent_step(Step::clone, fault, {}));

    ViewHandles view;
    std::unique_ptr<DenialWatch> denials;
    UniqueFd readiness;
    UniqueFd pending;
    const auto meet = [&]() -> Result<void> {
        TRY(maker->introduce(*init));
        // While the child builds its view: making this kind takes most of a millisecond.
        if (joins_late) TRY(make_cgroup());
        std::vector<UniqueFd> entrances;
        if (cgroup) entrances = TRY(cgroup->entrances());
        TRY(init->go(entrances));
        entrances.clear();
        // There is time still.
        if (policy::provides(plan.backend, policy::Guarantee::recorded_calls))
            denials = TRY(DenialWatch::make());
        pending = TRY(sys::event_fd());
        readiness = TRY(watch({init->control_fd(), pending.get()}));
        view = TRY(maker->receive_view(*init));
        maker.reset();  // while the child goes on: there is much of it
        if (denials) {
            auto listener = TRY(init->receive_descriptors(1));
            denials->listen(std::move(listener.front()),
                            memory_question(plan.limits.soft_memory, cgroup.get(), init->pid()));
        }
        // The filter is there, so the step before it is done.
        if (cgroup) TRY(parent_step(Step::join_cgroup, fault, cgroup->check_holds(init->cloned_pid())));
        // The self-test does what is reported.
        if (denials) denials->answer_until(init->report_fd(), kSetupTimeout);
        TRY(init->wait_ready());
        if (denials) {
            denials->take();  // The self-test's.
            denials->start();
        }
        return {};
    };
    if (auto met = meet(); !met) return init->explain(std::move(met).error());

    NetworkSockets network = name_sockets(plan, std::move(view.network));
    return std::unique_ptr<Jail>(new LinuxJail(plan, restrict.landlock, identity, std::move(cgroup),
                                               std::move(init), std::move(view), std::move(denials),
                                               std::move(network), std::move(readiness), std::move(pending)));
}

Result<std::unique_ptr<Jail>> Jail::start(const Plan& plan) {
    auto jail = start_jail(plan, {});
    if (!jail) return std::move(jail).error().context("start the jail");
    return jail;
}

}  // namespace cellblock::jail
