// One jail, and the watch over the program that runs in it.
#include "run/container.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/sys.hpp"

namespace cellblock::run {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr size_t kReadSize = 64 * 1024;
/// How often memory is looked at where no cgroup bounds it.
constexpr milliseconds kMemorySampling{10};
/// CPU time is looked at when it could be used up, but not more often than this.
constexpr milliseconds kLeastCpuSampling{2};
/// Who is told to stop and goes on at once has nobody who could continue it.
constexpr milliseconds kLeastPause{10};
/// A sink that takes nothing is asked again so much later.
constexpr milliseconds kSinkPause{2};
constexpr Clock::time_point kNever = Clock::time_point::max();

/// The read end of what a program writes.
struct OutputPipe {
    Stream stream;
    UniqueFd fd;
    Written written;
};

/// Whether reading it would stop us: the terminal is somebody else's at the moment.
bool is_background(int terminal) {
    const pid_t foreground = ::tcgetpgrp(terminal);
    return foreground >= 0 && foreground != ::getpgrp();
}

/// As if the signal had never been blocked. Returns when somebody continues us.
void stop_ourselves(int signal) {
    sigset_t set;
    sigset_t before;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    ::kill(::getpid(), signal);
    ::pthread_sigmask(SIG_UNBLOCK, &set, &before);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// One execution, from the spawn to the end of everything that it started.
class Watch {
  public:
    Watch(jail::Jail& jail, const Container::Execution& execution)
        : jail_(jail), execution_(execution), bounds_(execution.bounds) {}

    Result<Ending> run() {
        jail_.restart_memory_peak();
        before_ = TRY(jail_.counters());
        suspend_ = TRY(sys::signal_fd(std::array{SIGTSTP}));
        TRY(spawn());
        while (!ended_) TRY(step());
        return finish();
    }

  private:
    Result<void> spawn() {
        auto [out, out_inside] = TRY(sys::pipe());
        auto [err, err_inside] = TRY(sys::pipe());
        for (const UniqueFd* fd : {&out, &err}) TRY(sys::set_nonblocking(fd->get(), true));
        UniqueFd in_inside;
        if (execution_.stdin_fd >= 0) {
            std::tie(in_inside, input_) = TRY(sys::pipe());
            TRY(sys::set_nonblocking(input_.get(), true));
        }
        jail::Command command;
        command.argv = execution_.invocation.argv;
        command.environment = execution_.invocation.environment;
        command.working_directory = execution_.working_directory;
        command.stdin_fd = in_inside.get();
        command.stdout_fd = out_inside.get();
        command.stderr_fd = err_inside.get();
        spawned_ = began_ = Clock::now();
        TRY(jail_.spawn(command));
        sources_ = {OutputPipe{Stream::out, std::move(out), {}}, OutputPipe{Stream::err, std::move(err), {}}};
        if (bounds_.wall_time.count() > 0) wall_deadline_ = began_ + bounds_.wall_time;
        if (bounds_.cpu_time.count() > 0) next_cpu_look_ = began_ + kLeastCpuSampling;
        if (jail_.level() != jail::Level::full) next_memory_look_ = began_;
        return {};
    }

    /// Waits for whatever comes next, and does what follows from it.
    Result<void> step() {
        const bool takes_more = execution_.sink == nullptr || execution_.sink->takes_more();
        enum Entry : size_t { kEvents, kOut, kErr, kStop, kSuspend, kInput, kInputSource, kEntries };
        std::array<pollfd, kEntries> fds{};
        fds.fill({-1, 0, 0});
        fds[kEvents] = {jail_.event_fd(), POLLIN, 0};
        if (takes_more) {
            fds[kOut] = {sources_[0].fd.get(), POLLIN, 0};
            fds[kErr] = {sources_[1].fd.get(), POLLIN, 0};
        }
        fds[kStop] = {execution_.stop_fd, POLLIN, 0};
        fds[kSuspend] = {suspend_.get(), POLLIN, 0};
        if (input_.valid()) {
            // Whether the program still listens, and either room for what we have or more to have.
            fds[kInput] = {input_.get(), static_cast<short>(waiting_.empty() ? 0 : POLLOUT), 0};
            if (waiting_.empty()) fds[kInputSource] = {execution_.stdin_fd, POLLIN, 0};
        }
        Clock::time_point next =
            std::min({wall_deadline_, kill_deadline_, next_cpu_look_, next_memory_look_});
        if (!takes_more) next = std::min(next, Clock::now() + kSinkPause);
        if (!wait(fds, next)) return errno_error("wait for the program");

        if (fds[kStop].revents != 0) take_signal();
        if (fds[kSuspend].revents != 0) suspend();
        if (fds[kInput].revents != 0 || fds[kInputSource].revents != 0)
            feed(fds[kInput].revents, fds[kInputSource].revents);
        for (size_t i = 0; i < sources_.size(); ++i)
            if (fds[kOut + i].revents != 0) read_once(sources_[i]);
        if (fds[kEvents].revents != 0) take_events();
        look_at_clocks();
        if (must_kill_ && !ended_) {
            must_kill_ = false;
            kill();
        }
        return {};
    }

    template <class Fds>
    static bool wait(Fds& fds, Clock::time_point until) {
        timespec timeout{};
        const bool forever = until == kNever;
        if (!forever) {
            const auto left = std::max(Clock::duration::zero(), until - Clock::now());
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
            timeout.tv_sec = seconds.count();
            timeout.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
        }
        return ::ppoll(fds.data(), fds.size(), forever ? nullptr : &timeout, nullptr) >= 0 || errno == EINTR;
    }

    /// False at the end of what there is to read, for now or for good.
    bool read_once(OutputPipe& source) {
        const ssize_t n = ::read(source.fd.get(), buffer_.get(), kReadSize);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
        if (n <= 0) {
            source.fd.reset();
            return false;
        }
        const auto size = static_cast<uint64_t>(n);
        uint64_t taken = size;
        if (bounds_.output.count > 0)
            taken =
                std::min(size, bounds_.output.count - std::min(bounds_.output.count, source.written.bytes));
        source.written.bytes += size;
        if (taken > 0 && execution_.sink)
            execution_.sink->write(source.stream, std::string_view(buffer_.get(), taken));
        if (taken < size) {
            source.written.truncated = true;
            end_because(Stop::output);
        }
        return true;
    }

    /// What is in the pipe, and no more: the program may have handed its end to another one, by a socket in a
    /// volume that both have, and that one may write without end.
    void read_rest(OutputPipe& source) {
        int waiting = 0;
        if (!source.fd.valid() || ::ioctl(source.fd.get(), FIONREAD, &waiting) != 0) return;
        const size_t reads = (static_cast<size_t>(waiting) + kReadSize - 1) / kReadSize;
        for (size_t i = 0; i < reads && source.fd.valid(); ++i) read_once(source);
    }

    /// From our standard input to the program's; it ends with either.
    void feed(short room, short more) {
        if ((room & (POLLERR | POLLHUP)) != 0) return close_input();
        if (waiting_.empty() && more != 0) {
            // Whoever is to go on without the terminal gets an error from it and reads on.
            if (is_background(execution_.stdin_fd) && pause(SIGTTIN) > kLeastPause) return;
            const ssize_t n = ::read(execution_.stdin_fd, buffer_.get(), kReadSize);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
            if (n <= 0) return close_input();
            waiting_.assign(buffer_.get(), static_cast<size_t>(n));
        }
        const ssize_t n = ::write(input_.get(), waiting_.data(), waiting_.size());
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) return close_input();
        waiting_.erase(0, static_cast<size_t>(n));
    }

    void close_input() {
        input_.reset();
        waiting_.clear();
    }

    void take_signal() {
        signalfd_siginfo info{};
        if (::read(execution_.stop_fd, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
        const bool is_first = ending_.stop != Stop::user;
        if (!ending_.stop) {
            ending_.stop = Stop::user;
            ending_.stop_signal = static_cast<int>(info.ssi_signo);
        }
        if (is_first && info.ssi_signo == SIGINT && ending_.stop == Stop::user) {
            // A program that is gone has nothing to hear.
            [[maybe_unused]] const auto told = jail_.signal_worker(SIGINT);
            kill_deadline_ = std::min(kill_deadline_, Clock::now() + kStopGrace);
            return;
        }
        must_kill_ = true;
    }

    /// Ctrl-Z, where it is blocked.
    void suspend() {
        signalfd_siginfo info{};
        if (::read(suspend_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) pause(SIGTSTP);
    }

    /// The program's process group stops and goes on with us, and so do its clocks. How long it was.
    Clock::duration pause(int signal) {
        const auto since = Clock::now();
        [[maybe_unused]] const auto stopped = jail_.signal_worker(SIGSTOP);
        stop_ourselves(signal);
        [[maybe_unused]] const auto continued = jail_.signal_worker(SIGCONT);
        const auto paused = Clock::now() - since;
        for (Clock::time_point* const time : {&began_, &wall_deadline_, &kill_deadline_})
            if (*time != kNever) *time += paused;
        return paused;
    }

    void take_events() {
        for (const jail::Event& event : jail_.take_events()) {
            if (!ended_) ended_at_ = Clock::now();
            ended_ = true;
            if (event.kind == jail::Event::Kind::worker_exited) {
                ending_.exit = event.exit;
                // We may hear of it late, and a program may end while we are stopped.
                ended_at_ = std::max(began_, std::min(ended_at_, spawned_ + event.lived));
            }
            if (event.kind == jail::Event::Kind::init_lost) is_lost_ = true;
        }
    }

    void look_at_clocks() {
        if (ended_) return;
        const auto now = Clock::now();
        if (now >= kill_deadline_) must_kill_ = true;
        if (now >= wall_deadline_) ask_to_end(Stop::wall_time);
        if (now >= next_cpu_look_) look_at_cpu_time(now);
        if (now >= next_memory_look_) {
            next_memory_look_ = now + kMemorySampling;
            const auto counters = jail_.counters();
            if (counters) sampled_peak_ = std::max(sampled_peak_, counters->memory_current);
            if (sampled_peak_ > static_cast<int64_t>(jail_.limits().memory.count)) end_because(Stop::memory);
        }
    }

    void look_at_cpu_time(Clock::time_point now) {
        const auto counters = jail_.counters();
        // Where it is not known there is no such limit; the result says how things were measured.
        if (!counters || counters->cpu_time_us < 0) {
            next_cpu_look_ = kNever;
            return;
        }
        const microseconds used(jail::increase(counters->cpu_time_us, before_.cpu_time_us));
        const microseconds left = bounds_.cpu_time - used;
        if (left.count() <= 0) return ask_to_end(Stop::cpu_time);
        const int cpus = std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
        next_cpu_look_ = now + std::max<Clock::duration>(left / cpus, kLeastCpuSampling);
    }

    /// SIGTERM now, SIGKILL after the grace. What happened first stays the reason.
    void ask_to_end(Stop reason) {
        (reason == Stop::wall_time ? wall_deadline_ : next_cpu_look_) = kNever;
        if (ending_.stop) return;
        ending_.stop = reason;
        if (bounds_.grace.count() <= 0) {
            must_kill_ = true;
            return;
        }
        [[maybe_unused]] const auto told = jail_.signal_worker(SIGTERM);
        kill_deadline_ = std::min(kill_deadline_, Clock::now() + bounds_.grace);
    }

    void end_because(Stop reason) {
        if (!ending_.stop) ending_.stop = reason;
        must_kill_ = true;
    }

    void kill() {
        kill_deadline_ = wall_deadline_ = next_cpu_look_ = next_memory_look_ = kNever;
        // A jail that cannot be emptied is ended, and says so by an event.
        [[maybe_unused]] const auto killed = jail_.kill_all();
        take_events();
    }

    /// Limits hold also when nobody has looked: we may have been stopped, or not been run.
    void look_back(const Usage& usage) {
        if (ending_.stop) return;
        if (bounds_.wall_time.count() > 0 && usage.wall > bounds_.wall_time)
            ending_.stop = Stop::wall_time;
        else if (bounds_.cpu_time.count() > 0 && microseconds(usage.cpu_us) > bounds_.cpu_time)
            ending_.stop = Stop::cpu_time;
    }

    Result<Ending> finish() {
        if (!is_lost_) {
            // What the program left behind. Not an error: the loss of the jail would be an event.
            [[maybe_unused]] const auto killed = jail_.kill_all();
            for (const jail::Event& event : jail_.take_events())
                is_lost_ = is_lost_ || event.kind == jail::Event::Kind::init_lost;
        }
        for (OutputPipe& source : sources_) read_rest(source);
        ending_.out = sources_[0].written;
        ending_.err = sources_[1].written;
        ending_.denials = jail_.take_denials();
        const jail::Counters after = TRY(jail_.counters());
        Usage& usage = ending_.usage;
        usage.wall = std::chrono::duration_cast<microseconds>(ended_at_ - began_);
        const auto since = [](int64_t then, int64_t now) { return now < 0 ? -1 : jail::increase(now, then); };
        usage.cpu_us = since(before_.cpu_time_us, after.cpu_time_us);
        usage.io_read = since(before_.io_read, after.io_read);
        usage.io_written = since(before_.io_written, after.io_written);
        usage.memory_peak = after.memory_peak;
        if (jail_.level() != jail::Level::full) {
            // Who has ended is in no sample of processes.
            usage.cpu_us = -1;
            usage.memory_peak = sampled_peak_;
        }
        // Without pid 1, which is ours.
        usage.processes_peak = after.processes_peak < 0 ? -1 : after.processes_peak - 1;
        usage.oom_kills = jail::increase(after.oom_kills, before_.oom_kills);
        usage.memory_limit_hits = jail::increase(after.memory_limit_hits, before_.memory_limit_hits);
        usage.process_limit_hits = jail::increase(after.process_limit_hits, before_.process_limit_hits);
        look_back(usage);
        return ending_;
    }

    jail::Jail& jail_;
    const Container::Execution& execution_;
    const Bounds bounds_;
    jail::Counters before_;
    std::array<OutputPipe, 2> sources_{OutputPipe{Stream::out, {}, {}}, OutputPipe{Stream::err, {}, {}}};
    UniqueFd suspend_;     // a signalfd
    UniqueFd input_;       // the program's standard input
    std::string waiting_;  // for room in it
    // Not filled with zeros: its pages would be touched for nothing.
    std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kReadSize);
    Clock::time_point spawned_, ended_at_;
    Clock::time_point began_;  // the same, later by what it was stopped with us
    Clock::time_point wall_deadline_ = kNever, kill_deadline_ = kNever;
    Clock::time_point next_cpu_look_ = kNever, next_memory_look_ = kNever;
    int64_t sampled_peak_ = -1;
    bool must_kill_ = false;
    bool ended_ = false;
    bool is_lost_ = false;
    Ending ending_;
};

class JailContainer final : public Container {
  public:
    explicit JailContainer(std::unique_ptr<jail::Jail> jail) : jail_(std::move(jail)) {}

    Result<void> place(const std::vector<File>& files) override {
        for (const File& file : files) TRY(jail_->place(file));
        return {};
    }

    Result<std::vector<File>> take(const std::vector<std::string>& paths, Bytes most) override {
        std::vector<File> files;
        for (const std::string& path : paths) {
            for (File& file : TRY(jail_->take(path, most, kMaxFiles))) {
                most.count -= file.content.size();
                files.push_back(std::move(file));
            }
        }
        return files;
    }

    Result<Ending> execute(const Execution& execution) override { return Watch(*jail_, execution).run(); }

    Result<jail::Counters> metrics() override { return jail_->counters(); }
    jail::Jail& jail() override { return *jail_; }

  private:
    std::unique_ptr<jail::Jail> jail_;
};

}  // namespace

Result<std::unique_ptr<Container>> Container::create(const jail::Plan& plan) {
    return std::unique_ptr<Container>(new JailContainer(TRY(jail::Jail::start(plan))));
}

}  // namespace cellblock::run
