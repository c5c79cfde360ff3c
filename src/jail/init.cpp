// The loop of pid 1. Its memory is a copy of the kernel process, so it must stay out of reach of what it
// spawns: it is not dumpable (no /proc/1/mem, no /proc/1/fd), and every spawned process loses all descriptors
// but its own four.
#include "jail/init.hpp"

#include <linux/sched.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <ctime>

#include "jail/child_socket.hpp"
#include "jail/control.hpp"
#include "jail/init_list.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

// The worker dies first when memory is short, pid 1 last: it has to tell.
constexpr uint64_t kWorkerOomScore = 500;
// Orphans that are collected before the control socket gets its turn: a worker that makes them without end
// must not keep us from hearing kill_all.
constexpr int kReapRound = 64;
// How often kill_all looks again for processes that it has killed already.
constexpr int kKillPollMs = 2;
// Descriptors of a spawned process are moved out of the way of 0 … 3 first.
constexpr int kParkingStart = 16;

alignas(Request) char request_buffer[kMaxRequestSize];
char* strings[kMaxStrings + 2];  // arguments, null, environment, null
// Of the process that is becoming a worker: Init::execute() and the little that it calls.
alignas(16) char spawn_stack[64 * 1024];

long wait_ready(pollfd* fds, nfds_t count, int timeout_ms) {
    timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000L};
    return raw::call(SYS_ppoll, fds, count, timeout_ms < 0 ? nullptr : &timeout, nullptr, 0);
}

struct SpawnFailure {
    SpawnStage stage;
    int32_t error;
};

struct Command {
    const char* working_directory;
    char** arguments;
    char** environment;
    int descriptors[kSpawnDescriptors];  // -1: none
};

class Init {
  public:
    Init(int control_fd, WorkerHandle handle) : control_(control_fd), handle_(handle) {}

    [[noreturn]] void run() {
        sigset_t all;
        sigfillset(&all);
        raw::call(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, kKernelSigsetSize);
        heed_signals();
        children_ = open_child_signals();
        if (children_ < 0) raw::exit_process(1);
        Reaped reaped = Reaped::all_that_ended;
        while (true) {
            pollfd fds[] = {{control_, POLLIN, 0}, {children_, POLLIN, 0}};
            wait_ready(fds, 2, reaped == Reaped::one_round ? 0 : -1);
            if (fds[1].revents != 0) drain_child_signals();
            if (fds[1].revents != 0 || reaped == Reaped::one_round) reaped = reap();
            if (fds[0].revents != 0) serve();
        }
    }

  private:
    // The kernel's sigset_t, which is shorter than glibc's.
    static constexpr size_t kKernelSigsetSize = 8;

    /// What who started us ignores stays ignored through clone() and execve(): without SIGCHLD nobody could
    /// be waited for, and a program that ignores SIGTERM gets no grace.
    static void heed_signals() {
        const uint64_t as_by_default[4] = {};  // the kernel's struct sigaction
        for (int signal = 1; signal < NSIG; ++signal)
            raw::call(SYS_rt_sigaction, signal, as_by_default, nullptr, kKernelSigsetSize);
    }

    static int open_child_signals() {
        const uint64_t mask = 1ULL << (SIGCHLD - 1);
        return static_cast<int>(
            raw::call(SYS_signalfd4, -1, &mask, kKernelSigsetSize, SFD_CLOEXEC | SFD_NONBLOCK));
    }

    /// Of the jail's own kernel, where it has one: good for spans of time only.
    static int64_t now_ns() {
        timespec now{};
        raw::call(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1'000'000'000 + now.tv_nsec;
    }

    void drain_child_signals() {
        signalfd_siginfo info;
        while (raw::read(children_, &info, sizeof info) > 0) {
        }
    }

    enum class Reaped { one_round, all_that_ended, nothing_is_left };

    Reaped reap() {
        for (int i = 0; i < kReapRound; ++i) {
            int status = 0;
            const long pid = raw::call(SYS_wait4, -1, &status, WNOHANG | __WALL, nullptr);
            if (pid == -ECHILD) return Reaped::nothing_is_left;
            if (pid <= 0) return Reaped::all_that_ended;
            if (pid != worker_) continue;  // An orphan of the worker's.
            worker_ = 0;
            Note note;
            note.kind = Note::Kind::worker_exited;
            note.lived_ns = now_ns() - spawned_ns_;
            if (WIFSIGNALED(status))
                note.exit_signal = WTERMSIG(status);
            else
                note.exit_code = WEXITSTATUS(status);
            send(note);
        }
        return Reaped::one_round;
    }

    void send(const Note& note, int descriptor = -1) {
        // Without a reader nobody is there to answer to.
        if (send_note(control_, note, &descriptor, descriptor < 0 ? 0 : 1) < 0) raw::exit_process(0);
    }

    void answer(int negative_errno, SpawnStage stage = SpawnStage::none, int descriptor = -1) {
        Note note;
        note.error = -negative_errno;
        note.stage = stage;
        send(note, descriptor);
    }

    void serve() {
        int descriptors[kSpawnDescriptors];
        unsigned descriptor_count = 0;
        const long size = receive(descriptors, descriptor_count);
        Request request;
        if (size >= static_cast<long>(sizeof request))
            std::memcpy(&request, request_buffer, sizeof request);
        else
            raw::exit_process(1);  // Both ends are one program: this cannot be repaired.
        switch (request.verb) {
            case Verb::go:
                break;
            case Verb::ping:
                answer(0);
                break;
            case Verb::signal:
                answer(signal_worker(request.signal));
                break;
            case Verb::kill_all:
                kill_all();
                answer(0);
                break;
            case Verb::kill_background:
                answer(kill_background());
                break;
            case Verb::list_background:
                answer(descriptor_count == 1 ? list_background(worker_, descriptors[0]) : -EBADF);
                break;
            case Verb::spawn:
                spawn(request, static_cast<size_t>(size), descriptors, descriptor_count);
                break;
        }
        for (unsigned i = 0; i < descriptor_count; ++i) raw::close(descriptors[i]);
    }

    /// One message into request_buffer. Ends the process when the parent is gone.
    long receive(int* descriptors, unsigned& descriptor_count) {
        iovec data{request_buffer, sizeof request_buffer};
        alignas(cmsghdr) char control[CMSG_SPACE(kSpawnDescriptors * sizeof(int))];
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        long size;
        do size = raw::call(SYS_recvmsg, control_, &message, MSG_CMSG_CLOEXEC);
        while (size == -EINTR);
        if (size <= 0 || (message.msg_flags & MSG_TRUNC) != 0) raw::exit_process(0);
        descriptor_count = take_descriptors(message, descriptors, kSpawnDescriptors);
        return size;
    }

    int signal_worker(int signal) const {
        if (worker_ == 0) return -ESRCH;
        return static_cast<int>(raw::call(SYS_kill, -worker_, signal));
    }

    void kill_all() {
        // One kill(-1) reaches every process at one moment: a fork that is under way fails on the pending
        // signal. It is repeated only because a process may have been entering from outside.
        while (true) {
            raw::call(SYS_kill, -1, SIGKILL);
            const Reaped reaped = reap();
            if (reaped == Reaped::nothing_is_left) return;
            pollfd fds[] = {{control_, 0, 0}, {children_, POLLIN, 0}};
            wait_ready(fds, 2, reaped == Reaped::one_round ? 0 : kKillPollMs);
            if ((fds[0].revents & POLLHUP) != 0) raw::exit_process(0);
            drain_child_signals();
        }
    }

    // First everybody is stopped, at one moment and as by kill_all(): who is stopped makes no more processes,
    // so the list is complete, whoever forked twice, left its session or ignores signals. Those that are the
    // worker's children stay its to wait for.
    int kill_background() const {
        if (worker_ == 0) return -ESRCH;
        const int processes = raw::open("/proc", O_RDONLY | O_DIRECTORY, 0);
        if (processes < 0) return processes;
        raw::call(SYS_kill, -1, SIGSTOP);
        const int result =
            for_each_process(processes, worker_, [](pid_t pid) { raw::call(SYS_kill, pid, SIGKILL); });
        raw::call(SYS_kill, worker_, SIGCONT);
        raw::close(processes);
        return result;
    }

    void spawn(const Request& request, size_t size, const int* descriptors, unsigned descriptor_count) {
        if (worker_ != 0) return answer(-EBUSY, SpawnStage::receive);
        Command command{};
        if (!unpack(request, size, command)) return answer(-EINVAL, SpawnStage::receive);
        unsigned next = 0;
        for (unsigned i = 0; i < kSpawnDescriptors; ++i) {
            const bool present = (request.descriptor_mask >> i & 1U) != 0;
            if (present && next == descriptor_count) return answer(-EBADF, SpawnStage::receive);
            command.descriptors[i] = present ? descriptors[next++] : -1;
        }
        int status_pipe[2];
        if (const long e = raw::call(SYS_pipe2, status_pipe, O_CLOEXEC); e < 0)
            return answer(static_cast<int>(e), SpawnStage::fork);
        // With our memory until the exec, as with vfork(), since a copy costs more than all else here; but
        // not vfork() itself, which waits. Not clone3: the filter does not know it.
        Execution execution{command, status_pipe[1]};
        int pidfd = -1;
        spawned_ns_ = now_ns();
        const pid_t pid = raw::clone_into(execute, &execution, spawn_stack + sizeof spawn_stack,
                                          CLONE_VM | CLONE_PIDFD | SIGCHLD, &pidfd);
        raw::close(status_pipe[1]);
        if (pid < 0) {
            raw::close(status_pipe[0]);
            return answer(static_cast<int>(pid), SpawnStage::fork);
        }
        finish_spawn(pid, pidfd, status_pipe[0]);
    }

    void finish_spawn(pid_t pid, int pidfd, int status_fd) {
        SpawnFailure failure{};
        // A working directory may hang; the parent's death must not go unnoticed meanwhile.
        pollfd fds[] = {{status_fd, POLLIN, 0}, {control_, 0, 0}};
        while (fds[0].revents == 0) {
            wait_ready(fds, 2, -1);
            if ((fds[1].revents & POLLHUP) != 0) raw::exit_process(0);
        }
        const long n = raw::read(status_fd, &failure, sizeof failure);
        raw::close(status_fd);
        if (n == static_cast<long>(sizeof failure)) {
            raw::call(SYS_wait4, pid, nullptr, 0, nullptr);
            answer(-failure.error, failure.stage);
        } else {
            worker_ = pid;
            raise_oom_score(pid);
            answer(0, SpawnStage::none, handle_ == WorkerHandle::pidfd ? pidfd : -1);
        }
        raw::close(pidfd);
    }

    // After the exec, which made the process dumpable and its /proc files its own. A worker may lower the
    // score again, but then only loses the order in which it and pid 1 are killed; so a failure is not worth
    // refusing to run.
    static void raise_oom_score(pid_t pid) {
        char path[64] = "/proc/";
        char digits[24];
        const char* number = raw::to_decimal(static_cast<uint64_t>(pid), digits, sizeof digits);
        const size_t length = std::strlen(number);
        std::memcpy(path + 6, number, length);
        std::memcpy(path + 6 + length, "/oom_score_adj", 15);
        const char* score = raw::to_decimal(kWorkerOomScore, digits, sizeof digits);
        raw::write_text(path, score, std::strlen(score));
    }

    /// Points `strings` into the message. False when the counts do not fit what came.
    static bool unpack(const Request& request, size_t size, Command& command) {
        const uint64_t count = uint64_t{request.argument_count} + request.environment_count;
        if (request.argument_count == 0 || count > kMaxStrings) return false;
        char* at = request_buffer + sizeof(Request);
        char* const end = request_buffer + size;
        auto next = [&]() -> char* {
            char* const start = at;
            char* const terminator = static_cast<char*>(std::memchr(at, '\0', static_cast<size_t>(end - at)));
            if (terminator) at = terminator + 1;
            return terminator ? start : nullptr;
        };
        command.working_directory = next();
        if (!command.working_directory) return false;
        char** slot = strings;
        command.arguments = slot;
        for (uint32_t i = 0; i < request.argument_count; ++i)
            if (!(*slot++ = next())) return false;
        *slot++ = nullptr;
        command.environment = slot;
        for (uint32_t i = 0; i < request.environment_count; ++i)
            if (!(*slot++ = next())) return false;
        *slot = nullptr;
        return at == end;
    }

    struct Execution {
        const Command& command;
        int status_fd;
    };

    // In the new process, until the exec, beside us in our memory: it reads what is its own to read and
    // writes to its stack alone. (AddressSanitizer knows the stacks of threads and no other.)
    [[noreturn, gnu::no_sanitize_address]] static void execute(void* execution) {
        const Command& command = static_cast<const Execution*>(execution)->command;
        int status_fd = static_cast<const Execution*>(execution)->status_fd;
        const auto fail = [&status_fd](SpawnStage stage, long negative_errno)
            __attribute__((no_sanitize_address)) {
            const SpawnFailure failure{stage, static_cast<int32_t>(-negative_errno)};
            raw::write(status_fd, &failure, sizeof failure);
            raw::exit_process(127);
        };
        raw::call(SYS_setsid);
        const long parked = raw::call(SYS_fcntl, status_fd, F_DUPFD_CLOEXEC, kParkingStart);
        if (parked < 0) fail(SpawnStage::descriptors, parked);
        status_fd = static_cast<int>(parked);
        long own[kSpawnDescriptors];
        for (unsigned i = 0; i < kSpawnDescriptors; ++i) {
            own[i] = -1;
            if (command.descriptors[i] < 0) continue;
            own[i] = raw::call(SYS_fcntl, command.descriptors[i], F_DUPFD_CLOEXEC, kParkingStart);
            if (own[i] < 0) fail(SpawnStage::descriptors, own[i]);
        }
        for (unsigned i = 0; i < kSpawnDescriptors; ++i) {
            if (own[i] < 0) continue;  // 0, 1 and 2 are /dev/null already.
            const int e = raw::move_descriptor(static_cast<int>(own[i]), static_cast<int>(i), 0);
            if (e < 0) fail(SpawnStage::descriptors, e);
        }
        // The control socket above all; then what was received for others.
        const unsigned first_other = own[3] >= 0 ? 4 : 3;
        if (const int e = raw::close_range(first_other, static_cast<unsigned>(status_fd) - 1); e < 0)
            fail(SpawnStage::descriptors, e);
        if (const int e = raw::close_range(static_cast<unsigned>(status_fd) + 1, ~0U); e < 0)
            fail(SpawnStage::descriptors, e);
        if (const int e = raw::change_directory(command.working_directory); e < 0)
            fail(SpawnStage::working_directory, e);
        const uint64_t no_signals = 0;
        raw::call(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, kKernelSigsetSize);
        fail(SpawnStage::execute,
             raw::call(SYS_execve, command.arguments[0], command.arguments, command.environment));
        raw::exit_process(127);
    }

    const int control_;
    const WorkerHandle handle_;
    int children_ = -1;
    pid_t worker_ = 0;
    int64_t spawned_ns_ = 0;
};

}  // namespace

void run_init(int control_fd, WorkerHandle handle) {
    Init(control_fd, handle).run();
}

}  // namespace cellblock::jail
