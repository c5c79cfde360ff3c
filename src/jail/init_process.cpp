// Clone, set-up conversation, requests. What comes from pid 1 is our own code's word, but it is still checked
// for size and kind: the jail is around it.
#include "jail/init_process.hpp"

#include <linux/sched.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/sys.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxStatus = 16 * 1024;
// Between the end of pid 1 and that of the process that has made it and waits for it.
constexpr std::chrono::milliseconds kMakerGrace{1000};
// With one request.
constexpr size_t kMaxSent = std::max<size_t>(kSpawnDescriptors, kMaxEntrances);

/// Readable (or hung up) before `timeout`?
bool wait_readable(int fd, std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd entry{fd, POLLIN, 0};
        const int n = ::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
        if (n > 0) return true;
        if (n == 0 || errno != EINTR) return false;
    }
}

Event exit_event(const Note& note) {
    return {Event::Kind::worker_exited,
            {note.exit_code, note.exit_signal},
            std::chrono::nanoseconds(note.lived_ns)};
}

/// Descriptors 0 … 2 are replaced in the child.
Result<UniqueFd> above_standard_streams(UniqueFd fd) {
    if (fd.get() > 2) return fd;
    return sys::duplicate(fd.get());
}

/// One message that is there already, and the descriptors that came along. The size, or -1 with errno. Where
/// the socket asks for credentials, `sender` is whom the kernel says that it came from.
ssize_t receive_note(int socket, Note& note, std::vector<UniqueFd>& descriptors, pid_t& sender) {
    iovec data{&note, sizeof note};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxMounts * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n;
    do n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0) return n;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET) continue;
        if (header->cmsg_type == SCM_CREDENTIALS) {
            ucred credentials{};
            std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
            sender = credentials.pid;
        }
        if (header->cmsg_type != SCM_RIGHTS) continue;
        for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return n;
}

void reap(int pidfd) {
    siginfo_t info;
    int n;
    do n = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | __WALL);
    while (n != 0 && errno == EINTR);
}

/// 0 when there is no such process.
pid_t parent_of(pid_t pid) {
    const auto status = sys::read_file("/proc/" + std::to_string(pid) + "/status", kMaxStatus);
    const size_t at = status ? status->find("\nPPid:") : std::string::npos;
    return at == std::string::npos ? 0
                                   : static_cast<pid_t>(std::strtol(status->c_str() + at + 6, nullptr, 10));
}

}  // namespace

Result<std::unique_ptr<InitProcess>> InitProcess::clone(Maker& maker, int cgroup_fd) {
    auto [control, child_control] = TRY(sys::socket_pair(SOCK_SEQPACKET));
    auto [report, child_report] = TRY(sys::pipe());
    child_control = TRY(above_standard_streams(std::move(child_control)));
    child_report = TRY(above_standard_streams(std::move(child_report)));
    const bool is_init = maker.is_init();
    // Before anything can be sent: a message is stamped when it is.
    const int stamped = 1;
    if (!is_init && ::setsockopt(control.get(), SOL_SOCKET, SO_PASSCRED, &stamped, sizeof stamped) != 0)
        return errno_error("ask who speaks on the control socket");
    maker.connect(child_control.get(), child_report.get());

    int pidfd = -1;
    clone_args args{};
    // No exit signal: the process that uses us may have its own ideas about SIGCHLD. Its signal handlers are
    // its own, too.
    args.flags = maker.namespaces() | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<__u64>(cgroup_fd);
    }
    const pid_t pid = raw::clone3(args);
    if (pid == 0) maker.run();
    if (pid < 0) return step_error(Step::clone, -pid, "");
    auto process = std::unique_ptr<InitProcess>(new InitProcess);
    (is_init ? process->pid_ : process->maker_pid_) = pid;
    (is_init ? process->pidfd_ : process->maker_).reset(pidfd);
    process->control_ = std::move(control);
    process->report_ = std::move(report);
    return process;
}

InitProcess::~InitProcess() {
    kill();
}

// When pid 1 dies the kernel kills everything in its namespace, and pid 1 is not reaped before they are.
void InitProcess::begin_end() {
    if (pidfd_.valid()) [[maybe_unused]]
        const auto sent = sys::pidfd_send_signal(pidfd_.get(), SIGKILL);
}

void InitProcess::kill() {
    const bool met = pidfd_.valid();
    begin_end();
    if (met) {
        // With a maker it is the maker's to reap.
        if (wait_readable(pidfd_.get(), kKillTimeout) && maker_pid_ == 0) reap(pidfd_.get());
        pidfd_.reset();
    }
    if (maker_.valid()) end_maker(met);
}

// What it started is in its process group until it has asked for dying with it (jail_init/main.cpp), so that
// nothing escapes, whatever the moment.
void InitProcess::end_maker(bool ends_by_itself) {
    if (!ends_by_itself || !wait_readable(maker_.get(), kMakerGrace)) {
        [[maybe_unused]] const auto sent = sys::pidfd_send_signal(maker_.get(), SIGKILL);
        ::kill(-maker_pid_, SIGKILL);
    }
    if (wait_readable(maker_.get(), kKillTimeout)) reap(maker_.get());
    maker_.reset();
    // The end of a pid 1 that was never met is seen by this: nobody holds the other end any more.
    pollfd entry{control_.get(), 0, 0};
    if (!ends_by_itself) ::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kKillTimeout).count()));
}

bool InitProcess::ended(std::chrono::milliseconds timeout) {
    const UniqueFd& cloned = maker_.valid() ? maker_ : pidfd_;
    return cloned.valid() && wait_readable(cloned.get(), timeout);
}

Result<void> InitProcess::go(const std::vector<UniqueFd>& entrances) {
    Request request;
    request.verb = Verb::go;
    std::vector<int> descriptors;
    for (const UniqueFd& entrance : entrances) descriptors.push_back(entrance.get());
    return send(request, "", descriptors);
}

Result<void> InitProcess::wait_ready() {
    Report report;
    if (!wait_readable(report_.get(), kSetupTimeout))
        return Error("the jail was not ready within " + std::to_string(kSetupTimeout.count()) + " s");
    ssize_t n;
    do n = ::read(report_.get(), &report, sizeof report);
    while (n < 0 && errno == EINTR);
    report_.reset();
    if (n != static_cast<ssize_t>(sizeof report) || report.step > Step::ready)
        return Error("the jail's first process died while it was set up");
    if (report.step == Step::ready && report.error == 0) return {};
    report.detail[sizeof report.detail - 1] = '\0';
    return step_error(report.step, report.error, report.detail);
}

Result<std::vector<UniqueFd>> InitProcess::receive_descriptors(size_t count) {
    pid_t unused = 0;
    return receive_descriptors(count, unused);
}

Result<std::vector<UniqueFd>> InitProcess::meet(size_t count) {
    pid_t sender = 0;
    auto descriptors = TRY(receive_descriptors(count, sender));
    if (sender <= 0) return Error("meet the jail's first process: nobody has signed its message");
    UniqueFd pidfd = TRY(sys::pidfd_open(sender));
    // After it was opened, so that it stands for this process and no later one of that number. The maker is
    // not reaped before end_maker(): nobody else can have its number either.
    if (parent_of(sender) != maker_pid_)
        return Error("meet the jail's first process: the one that speaks was not started for it");
    pid_ = sender;
    pidfd_ = std::move(pidfd);
    const int stamped = 0;
    if (::setsockopt(control_.get(), SOL_SOCKET, SO_PASSCRED, &stamped, sizeof stamped) != 0)
        return errno_error("meet the jail's first process");
    return descriptors;
}

Result<std::vector<UniqueFd>> InitProcess::receive_descriptors(size_t count, pid_t& sender) {
    std::vector<UniqueFd> descriptors;
    if (count == 0) return descriptors;
    pollfd fds[] = {{control_.get(), POLLIN, 0}, {report_.get(), POLLIN, 0}};
    int ready;
    do ready = ::poll(fds, 2, static_cast<int>(std::chrono::milliseconds(kSetupTimeout).count()));
    while (ready < 0 && errno == EINTR);
    if (fds[0].revents == 0) return Error("take descriptors of the jail over", ETIMEDOUT);
    Note note;
    if (receive_note(control_.get(), note, descriptors, sender) < 0)
        return errno_error("take descriptors of the jail over");
    if (descriptors.size() != count)
        return std::move(Error("take descriptors of the jail over: " + std::to_string(descriptors.size()) +
                               " of " + std::to_string(count) + " descriptors came"))
            .with_remedy("Raise the limit of open files (ulimit -n).");
    return descriptors;
}

Error InitProcess::explain(Error error) {
    pollfd entry{report_.get(), POLLIN, 0};
    if (!report_.valid() || ::poll(&entry, 1, 0) <= 0) return error;
    auto report = wait_ready();
    return report ? std::move(error) : std::move(report).error();
}

bool InitProcess::has_report() {
    int size = 0;
    if (::ioctl(report_.get(), FIONREAD, &size) == 0 && size > 0) return true;
    report_.reset();
    return false;
}

bool InitProcess::report_comes(std::chrono::milliseconds timeout) {
    wait_readable(report_.get(), timeout);
    return has_report();
}

Result<void> InitProcess::send(const Request& request, std::string_view payload,
                               const std::vector<int>& descriptors) {
    iovec parts[] = {{const_cast<Request*>(&request), sizeof request},
                     {const_cast<char*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxSent * sizeof(int))] = {};
    if (!descriptors.empty()) {
        CHECK(descriptors.size() <= kMaxSent);
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    }
    ssize_t sent;
    do sent = ::sendmsg(control_.get(), &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) return errno_error("speak to the jail's first process");
    return {};
}

Result<InitProcess::Answer> InitProcess::ask(const Request& request, std::string_view payload,
                                             const std::vector<int>& descriptors,
                                             std::chrono::milliseconds timeout) {
    TRY(send(request, payload, descriptors));
    const auto deadline = Clock::now() + timeout;
    while (true) {
        Answer answer;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        switch (receive(answer, std::max(left, std::chrono::milliseconds(0)))) {
            case Received::nothing:
                return Error("the jail's first process does not answer", ETIMEDOUT);
            case Received::end:
                return Error("the jail's first process is gone", ESRCH);
            case Received::note:
                break;
        }
        if (answer.note.kind == Note::Kind::answer) return answer;
        early_events_.push_back(exit_event(answer.note));
    }
}

InitProcess::Received InitProcess::receive(Answer& out, std::chrono::milliseconds timeout) {
    if (!wait_readable(control_.get(), timeout)) return Received::nothing;
    std::vector<UniqueFd> descriptors;
    pid_t unused = 0;
    const ssize_t n = receive_note(control_.get(), out.note, descriptors, unused);
    if (n < 0 && errno == EAGAIN) return Received::nothing;
    if (!descriptors.empty()) out.descriptor = std::move(descriptors.front());
    // A message of another size is not ours: treat it as the end of a pid 1 that lost its mind.
    if (n != static_cast<ssize_t>(sizeof out.note)) return Received::end;
    return Received::note;
}

bool InitProcess::receive_events(std::deque<Event>& events) {
    events.insert(events.end(), early_events_.begin(), early_events_.end());
    early_events_.clear();
    while (true) {
        Answer answer;
        switch (receive(answer, std::chrono::milliseconds(0))) {
            case Received::nothing:
                return true;
            case Received::end:
                return false;
            case Received::note:
                break;
        }
        if (answer.note.kind == Note::Kind::worker_exited) events.push_back(exit_event(answer.note));
    }
}

}  // namespace cellblock::jail
