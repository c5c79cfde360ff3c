// Clone, set-up conversation, requests. What comes from pid 1 is our own code's word, but it is still checked
// for size and kind: the jail is around it.
#include "jail/init_process.hpp"

#include <linux/sched.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "base/sys.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

using Clock = std::chrono::steady_clock;

// New cgroup namespaces are made later, by the child itself, when it is in its cgroup.
constexpr uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

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

/// Descriptors 0 … 2 are replaced in the child.
Result<UniqueFd> above_standard_streams(UniqueFd fd) {
    if (fd.get() > 2) return fd;
    return sys::duplicate(fd.get());
}

/// One message that is there already, and the descriptors that came along. The size, or -1 with errno.
ssize_t receive_note(int socket, Note& note, std::vector<UniqueFd>& descriptors) {
    iovec data{&note, sizeof note};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxMounts * sizeof(int))];
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
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return n;
}

}  // namespace

Result<std::unique_ptr<InitProcess>> InitProcess::clone(ChildPlan& plan, int cgroup_fd) {
    auto [control, child_control] = TRY(sys::socket_pair(SOCK_SEQPACKET));
    auto [report, child_report] = TRY(sys::pipe());
    child_control = TRY(above_standard_streams(std::move(child_control)));
    child_report = TRY(above_standard_streams(std::move(child_report)));
    plan.control_fd = child_control.get();
    plan.report_fd = child_report.get();
    plan.kept_fds = {plan.control_fd, plan.report_fd};
    for (const UniqueFd& tree : plan.view.parent_fds) plan.kept_fds.push_back(tree.get());
    std::sort(plan.kept_fds.begin(), plan.kept_fds.end());

    int pidfd = -1;
    clone_args args{};
    // No exit signal: the process that uses us may have its own ideas about SIGCHLD. Its signal handlers are
    // its own, too.
    args.flags = kNamespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<__u64>(cgroup_fd);
    }
    const pid_t pid = raw::clone3(args);
    if (pid == 0) run_child(plan);
    if (pid < 0) return step_error(Step::clone, -pid, "");
    auto process = std::unique_ptr<InitProcess>(new InitProcess);
    process->pid_ = pid;
    process->pidfd_.reset(pidfd);
    process->control_ = std::move(control);
    process->report_ = std::move(report);
    return process;
}

InitProcess::~InitProcess() {
    kill();
}

void InitProcess::kill() {
    if (!pidfd_.valid()) return;
    // When pid 1 dies the kernel kills everything in its namespace, and pid 1 is not reaped before they are.
    [[maybe_unused]] const auto sent = sys::pidfd_send_signal(pidfd_.get(), SIGKILL);
    if (wait_readable(pidfd_.get(), kKillTimeout)) {
        siginfo_t info;
        int n;
        do n = ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | __WALL);
        while (n != 0 && errno == EINTR);
    }
    pidfd_.reset();
}

Result<void> InitProcess::go() {
    Request request;
    request.verb = Verb::go;
    if (::send(control_.get(), &request, sizeof request, MSG_NOSIGNAL) !=
        static_cast<ssize_t>(sizeof request))
        return errno_error("speak to the jail's first process");
    return {};
}

Result<void> InitProcess::wait_ready() {
    Report report;
    if (!wait_readable(report_.get(), kSetupTimeout))
        return Error("the jail was not ready within " + std::to_string(kSetupTimeout.count()) + " s");
    ssize_t n;
    do n = ::read(report_.get(), &report, sizeof report);
    while (n < 0 && errno == EINTR);
    report_.reset();
    if (n != static_cast<ssize_t>(sizeof report))
        return Error("the jail's first process died while it was set up");
    if (report.step == Step::ready && report.error == 0) return {};
    report.detail[sizeof report.detail - 1] = '\0';
    return step_error(report.step, report.error, report.detail);
}

Result<std::vector<UniqueFd>> InitProcess::receive_descriptors(size_t count) {
    std::vector<UniqueFd> descriptors;
    if (count == 0) return descriptors;
    pollfd fds[] = {{control_.get(), POLLIN, 0}, {report_.get(), POLLIN, 0}};
    int ready;
    do ready = ::poll(fds, 2, static_cast<int>(std::chrono::milliseconds(kSetupTimeout).count()));
    while (ready < 0 && errno == EINTR);
    if (fds[0].revents == 0) return Error("take descriptors of the jail over: none came");
    Note note;
    if (receive_note(control_.get(), note, descriptors) < 0)
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

Result<InitProcess::Answer> InitProcess::ask(const Request& request, std::string_view payload,
                                             const std::vector<int>& descriptors,
                                             std::chrono::milliseconds timeout) {
    iovec parts[] = {{const_cast<Request*>(&request), sizeof request},
                     {const_cast<char*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    alignas(cmsghdr) char control[CMSG_SPACE(kSpawnDescriptors * sizeof(int))] = {};
    if (!descriptors.empty()) {
        CHECK(descriptors.size() <= kSpawnDescriptors);
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
        early_events_.push_back(
            {Event::Kind::worker_exited, {answer.note.exit_code, answer.note.exit_signal}});
    }
}

InitProcess::Received InitProcess::receive(Answer& out, std::chrono::milliseconds timeout) {
    if (!wait_readable(control_.get(), timeout)) return Received::nothing;
    std::vector<UniqueFd> descriptors;
    const ssize_t n = receive_note(control_.get(), out.note, descriptors);
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
        if (answer.note.kind == Note::Kind::worker_exited)
            events.push_back({Event::Kind::worker_exited, {answer.note.exit_code, answer.note.exit_signal}});
    }
}

}  // namespace cellblock::jail
