// Non-blocking reading and writing of one worker's descriptors.
#include "session/worker.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "base/sys.hpp"

namespace cellblock::session {
namespace {

// unix(7) and the kernel's include/uapi/asm-generic/socket.h; glibc does not name it yet.
constexpr int kSoPassRights = 83;
// Linux's SCM_MAX_FD: more do not fit into one message.
constexpr size_t kMaxPassedDescriptors = 253;

// Bytes at the end of `text` that begin a UTF-8 character but do not complete it (0 … 3).
size_t incomplete_tail(std::string_view text) {
    for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xC0U) == 0x80U) continue;
        const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

// Closing a descriptor that came over the link can block for as long as its sender likes (a socket with
// SO_LINGER), so it must never happen in the loop's thread.
void close_elsewhere(msghdr& message) {
    std::vector<UniqueFd> received;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            received.emplace_back(fd);
        }
    }
    std::thread([received = std::move(received)]() mutable { received.clear(); }).detach();
}

}  // namespace

Result<std::pair<std::shared_ptr<Worker>, Worker::Ends>> Worker::create(EventLoop& loop,
                                                                        WorkerListener& listener) {
    auto [ours, theirs] = TRY(sys::socket_pair(SOCK_STREAM));
    auto [out_read, out_write] = TRY(sys::pipe());
    auto [err_read, err_write] = TRY(sys::pipe());
    TRY(sys::set_nonblocking(ours.get(), true));
    // Linux 6.16 and later refuse to pass descriptors to us at all; earlier ones do not know the option, and
    // there read_link() deals with what comes.
    const int off = 0;
    [[maybe_unused]] const int ignored =
        ::setsockopt(ours.get(), SOL_SOCKET, kSoPassRights, &off, sizeof off);
    TRY(sys::set_nonblocking(out_read.get(), true));
    TRY(sys::set_nonblocking(err_read.get(), true));
    std::shared_ptr<Worker> worker(
        new Worker(loop, listener, std::move(ours), std::move(out_read), std::move(err_read)));
    worker->timer_fd_ = TRY(sys::timer_fd());
    return std::pair{std::move(worker), Ends{std::move(theirs), std::move(out_write), std::move(err_write)}};
}

Worker::Worker(EventLoop& loop, WorkerListener& listener, UniqueFd link, UniqueFd out, UniqueFd err)
    : loop_(loop),
      listener_(listener),
      link_(std::move(link)),
      out_{Stream::stdout_, std::move(out), {}},
      err_{Stream::stderr_, std::move(err), {}},
      read_buffer_(kReadAtOnce, '\0') {}

Worker::~Worker() {
    detach();
}

void Worker::attach() {
    attached_ = true;
    capture_timer_ = std::make_unique<LoopTimer>(loop_, std::move(timer_fd_), [this] { flush_captured(); });
    watch_link();
    watch_pipe(out_);
    watch_pipe(err_);
    // A process that ended before we looked will not wake us when somebody else holds its descriptors.
    if (exited_) drain_and_end();
}

void Worker::watch_link() {
    link_watched_ = true;
    loop_.watch(link_.get(), EPOLLIN, [self = weak_from_this()](uint32_t events) {
        const auto worker = self.lock();
        if (!worker) return;
        if (events & EPOLLOUT) worker->write_queued();
        if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
        if (!worker->paused_) return worker->read_link();
        // A hang-up is reported again and again, and it must not be served before the back-pressure ends.
        worker->loop_.silence(worker->link_.get());
    });
    const std::lock_guard lock(write_mutex_);
    update_interest();
}

void Worker::unwatch_link() {
    const std::lock_guard lock(write_mutex_);
    if (link_watched_) loop_.unwatch(link_.get());
    link_watched_ = false;
}

void Worker::detach() {
    if (!attached_) return;
    attached_ = false;
    ended_ = true;
    unwatch_link();
    unwatch_pipe(out_);
    unwatch_pipe(err_);
    capture_timer_.reset();
}

// Caller holds write_mutex_ (the loop's interest depends on the queue).
void Worker::update_interest() {
    if (!link_watched_ || ended_) return;
    loop_.change(link_.get(), (paused_ ? 0U : EPOLLIN) | (wants_write_ ? EPOLLOUT : 0U));
}

void Worker::set_paused(bool paused) {
    if (paused_ == paused) return;
    paused_ = paused;
    if (!attached_ || ended_) return;
    {
        const std::lock_guard lock(write_mutex_);
        update_interest();
    }
    // What is watched stays so: a jail of this user can watch as much as the user may, and then there is no
    // way back.
    for (const Pipe* pipe : {&out_, &err_}) {
        if (!pipe->watched) continue;
        if (paused)
            loop_.silence(pipe->fd.get());
        else
            loop_.change(pipe->fd.get(), EPOLLIN);
    }
    if (exited_) drain_and_end();
}

void Worker::read_link() {
    if (paused_ || ended_) return;
    iovec data{read_buffer_.data(), read_buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedDescriptors * sizeof(int))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(link_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n >= 0 && message.msg_controllen > 0) {
        close_elsewhere(message);
        return end_link("it passed file descriptors");
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (exited_) end_link("");
        return;
    }
    if (n <= 0) return end_link("");
    if (exited_ && (read_after_exit_ += static_cast<size_t>(n)) > kMaxAfterExit) return end_link("");
    if (auto fed = reader_.feed(std::string_view(read_buffer_).substr(0, static_cast<size_t>(n))); !fed)
        return end_link(fed.error().what());
    take_frames();
}

void Worker::take_frames() {
    while (!ended_) {
        auto frame = reader_.next();
        if (!frame) return end_link(frame.error().what());
        if (!frame->has_value()) return;
        flush_captured();
        listener_.on_frame(*this, *std::move(*frame));
    }
}

void Worker::end_link(const std::string& violation) {
    if (ended_) return;
    flush_captured();
    ended_ = true;
    // A closed peer keeps EPOLLHUP raised for ever.
    unwatch_link();
    {
        const std::lock_guard lock(write_mutex_);
        to_write_.clear();
        wants_write_ = false;
    }
    listener_.on_link_end(*this, violation);
}

void Worker::drain_and_end() {
    exited_ = true;
    // To the end at once: a child that holds the link open keeps it silent, and silence wakes nobody. Bounded
    // by kMaxAfterExit.
    while (attached_ && !ended_ && !paused_) read_link();
}

void Worker::watch_pipe(Pipe& pipe) {
    if (!pipe.fd.valid()) return;
    pipe.watched = true;
    loop_.watch(pipe.fd.get(), EPOLLIN, [this, &pipe](uint32_t) { read_pipe(pipe); });
    if (paused_) loop_.silence(pipe.fd.get());
}

void Worker::unwatch_pipe(Pipe& pipe) {
    if (pipe.watched) loop_.unwatch(pipe.fd.get());
    pipe.watched = false;
}

void Worker::read_pipe(Pipe& pipe) {
    const size_t held = pipe.pending.size();
    pipe.pending.resize(held + kReadAtOnce);
    const ssize_t n = ::read(pipe.fd.get(), pipe.pending.data() + held, kReadAtOnce);
    pipe.pending.resize(held + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n == 0) {
        // Every writer has closed it; nothing will come again.
        unwatch_pipe(pipe);
        return report_pipe(pipe, true);
    }
    if (pipe.pending.size() >= kReadAtOnce / 4) return report_pipe(pipe, false);
    if (n > 0 && !capture_timer_->armed()) capture_timer_->arm(kCaptureDelay);
}

void Worker::flush_captured() {
    for (Pipe* pipe : {&out_, &err_}) {
        if (!pipe->fd.valid()) continue;
        // What fits into a pipe is a bounded amount; a writer that keeps refilling it is served by the loop.
        for (int round = 0; round < 4 && pipe->watched && !paused_; ++round) {
            const size_t before = pipe->pending.size();
            char buffer[65536];
            const ssize_t n = ::read(pipe->fd.get(), buffer, sizeof buffer);
            if (n > 0) pipe->pending.append(buffer, static_cast<size_t>(n));
            if (n == 0) unwatch_pipe(*pipe);
            if (pipe->pending.size() == before) break;
        }
        report_pipe(*pipe, false);
    }
}

void Worker::report_pipe(Pipe& pipe, bool all) {
    if (pipe.pending.empty()) return;
    const size_t keep = all ? 0 : incomplete_tail(pipe.pending);
    if (keep == pipe.pending.size()) return;
    std::string text = pipe.pending.substr(0, pipe.pending.size() - keep);
    pipe.pending.erase(0, text.size());
    listener_.on_text(*this, pipe.stream, std::move(text));
}

void Worker::send(std::string_view header, const std::vector<std::string_view>& parts) {
    std::string bytes = protocol::encode_frame_prefix(header, parts);
    for (const std::string_view part : parts) bytes += part;
    const std::lock_guard lock(write_mutex_);
    if (ended_) return;
    size_t sent = 0;
    if (to_write_.empty()) {
        const ssize_t n = ::send(link_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        // A broken link is noticed by the reading side.
        if (n > 0) sent = static_cast<size_t>(n);
        if (sent == bytes.size()) return;
        written_of_front_ = sent;
    }
    to_write_.push_back(std::move(bytes));
    if (wants_write_) return;
    wants_write_ = true;
    loop_.post([self = weak_from_this()] {
        const auto worker = self.lock();
        if (!worker || worker->ended_) return;
        const std::lock_guard relock(worker->write_mutex_);
        worker->update_interest();
    });
}

void Worker::write_queued() {
    const std::lock_guard lock(write_mutex_);
    while (!to_write_.empty()) {
        const std::string& front = to_write_.front();
        const ssize_t n = ::send(link_.get(), front.data() + written_of_front_,
                                 front.size() - written_of_front_, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) break;
        written_of_front_ += static_cast<size_t>(n);
        if (written_of_front_ < front.size()) return;
        to_write_.pop_front();
        written_of_front_ = 0;
    }
    to_write_.clear();
    written_of_front_ = 0;
    wants_write_ = false;
    update_interest();
}

}  // namespace cellblock::session
