// A relay reads only into an empty buffer: who writes faster than the other side reads is kept waiting by TCP
// itself, on either side.
#include "network/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cellblock::network {

bool leaves_descriptors(int fd) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<rlim_t>(fd) + kReservedDescriptors < limit.rlim_cur;
}

void reset_at_close(int socket) {
    const linger at_once{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

namespace {

void bound_buffers(int socket) {
    for (const int option : {SO_SNDBUF, SO_RCVBUF})
        ::setsockopt(socket, SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer);
}

}  // namespace

Connection::Connection(ConnectionContext& context, Endpoint endpoint, UniqueFd inside, Buffers buffers)
    : context_(context), endpoint_(std::move(endpoint)), buffers_(buffers), inside_(std::move(inside)) {
    bound_buffers(inside_.get());
    decide_until_ = Clock::now() + context_.limits.decide_timeout;
    sent_.from = received_.to = &inside_;
    sent_.to = received_.from = &outside_;
}

Connection::~Connection() {
    if (!ended()) close(true);
}

void Connection::start() {
    // Nothing is read yet, but who has given up need not be served.
    const bool is_watched = context_.loop.try_watch(inside_.get(), 0, [weak = weak_from_this()](uint32_t) {
        if (const auto self = weak.lock()) self->refuse("the client has given up");
    });
    if (!is_watched) return refuse(kNotWatched);
    context_.lookups.ask(endpoint_.host, [weak = weak_from_this()](const Result<Addresses>& addresses) {
        const auto self = weak.lock();
        if (self && self->state_ == State::looking_up) self->choose(addresses);
    });
}

// Judged one by one: what is refused is left out, so that a name with a private and a public address still
// works.
void Connection::choose(const Result<Addresses>& addresses) {
    if (!addresses) return refuse("no address: " + addresses.error().what());
    std::string why = "the name has no address";
    for (const IpAddress& address : *addresses) {
        if (const auto reason = context_.refuses(address)) {
            address_ = to_text(address);
            why = *reason;
        } else {
            addresses_.push_back(address);
        }
    }
    if (addresses_.empty()) return refuse(why);
    std::ranges::reverse(addresses_);
    state_ = State::connecting;
    connect_next();
}

void Connection::connect_next() {
    while (!addresses_.empty()) {
        if (outside_.valid()) context_.loop.unwatch(outside_.get());
        const IpAddress address = addresses_.back();
        addresses_.pop_back();
        address_ = to_text(address);
        outside_.reset(::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!outside_.valid()) {
            failure_ = errno_name(errno);
            continue;
        }
        if (!leaves_descriptors(outside_.get())) return refuse(kTooManyDescriptors);
        if (buffers_ == Buffers::bounded) bound_buffers(outside_.get());
        const SocketAddress to = with_port(address, endpoint_.port);
        if (::connect(outside_.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
            failure_ = errno_name(errno);
            continue;
        }
        address_until_ = Clock::now() + context_.limits.connect_timeout;
        const bool is_watched =
            context_.loop.try_watch(outside_.get(), EPOLLOUT, [weak = weak_from_this()](uint32_t) {
                if (const auto self = weak.lock()) self->on_connected();
            });
        if (!is_watched) refuse(kNotWatched);
        return;
    }
    refuse("not connected: " + failure_);
}

void Connection::on_connected() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(outside_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return begin_relay();
    failure_ = errno_name(error);
    connect_next();
}

void Connection::begin_relay() {
    Report report{Act::connected, endpoint_.host, endpoint_.port, address_, ""};
    context_.report(std::move(report));
    state_ = State::relaying;
    last_moved_ = Clock::now();
    for (UniqueFd* fd : {&inside_, &outside_}) {
        // What came in one piece goes out at once.
        const int on = 1;
        ::setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        context_.loop.unwatch(fd->get());
        const bool is_watched =
            context_.loop.try_watch(fd->get(), EPOLLIN, [weak = weak_from_this(), fd](uint32_t events) {
                if (const auto self = weak.lock()) self->on_ready(*fd, events);
            });
        if (!is_watched) return end(kNotWatched);
    }
}

void Connection::on_ready(UniqueFd& fd, uint32_t events) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        // It will be said again and again. What has come is still there to be read.
        context_.loop.unwatch(fd.get());
        hung_up_[&fd == &inside_ ? 0 : 1] = &fd;
    }
    for (Direction* direction : {&sent_, &received_})
        if (move(*direction) == Moved::broken) return end("broken");
    if (sent_.told_end && received_.told_end) return end("ended");
    wait_for_what_is_next();
}

Connection::Moved Connection::move(Direction& direction) {
    for (int round = 0; round < kRelayRounds; ++round) {
        if (!direction.is_blocked() && !direction.read_all) {
            direction.buffer.resize(kRelayBuffer);
            const ssize_t n = ::recv(direction.from->get(), direction.buffer.data(), kRelayBuffer, 0);
            if (n < 0) return errno == EAGAIN || errno == EINTR ? Moved::all : Moved::broken;
            direction.begin = 0;
            direction.end = static_cast<size_t>(n);
            direction.read_all = n == 0;
        }
        if (direction.is_blocked()) {
            const ssize_t n = ::send(direction.to->get(), direction.buffer.data() + direction.begin,
                                     direction.end - direction.begin, MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN || errno == EINTR ? Moved::more : Moved::broken;
            direction.begin += static_cast<size_t>(n);
            direction.bytes += static_cast<uint64_t>(n);
            last_moved_ = Clock::now();
        }
        if (direction.read_all && !direction.is_blocked()) {
            direction.buffer = {};
            if (!direction.told_end) ::shutdown(direction.to->get(), SHUT_WR);
            direction.told_end = true;
            return Moved::all;
        }
    }
    return Moved::more;
}

void Connection::wait_for_what_is_next() {
    watch_for(inside_, sent_, received_);
    watch_for(outside_, received_, sent_);
}

void Connection::watch_for(UniqueFd& fd, const Direction& in, const Direction& out) {
    if (hung_up_[&fd == &inside_ ? 0 : 1]) {
        // Who has hung up says nothing new: its bytes are read as the other side takes them. If that is not
        // waited for, nothing would go on.
        if (in.is_blocked() || in.read_all) return;
        context_.loop.post([weak = weak_from_this(), &fd] {
            const auto self = weak.lock();
            if (self && self->state_ == State::relaying) self->on_ready(fd, 0);
        });
        return;
    }
    const uint32_t events = (!in.is_blocked() && !in.read_all ? uint32_t{EPOLLIN} : 0U) |
                            (out.is_blocked() ? uint32_t{EPOLLOUT} : 0U);
    context_.loop.change(fd.get(), events);
}

void Connection::check_deadlines(Clock::time_point now) {
    switch (state_) {
        case State::looking_up:
            if (now >= decide_until_) refuse("the lookup took too long");
            return;
        case State::connecting:
            if (now >= decide_until_) return refuse("it took too long to connect");
            if (now < address_until_) return;
            failure_ = errno_name(ETIMEDOUT);
            return connect_next();
        case State::relaying:
            if (now - last_moved_ >= context_.limits.idle_timeout) end("idle");
            return;
        case State::ended:
            return;
    }
}

void Connection::refuse(std::string reason) {
    if (ended()) return;
    context_.report({Act::refused, endpoint_.host, endpoint_.port, address_, std::move(reason)});
    close(true);
}

void Connection::end(std::string_view reason) {
    if (ended()) return;
    if (state_ != State::relaying) return refuse(std::string(reason));
    Report report{Act::closed, endpoint_.host, endpoint_.port, address_, std::string(reason)};
    report.sent = sent_.bytes;
    report.received = received_.bytes;
    context_.report(std::move(report));
    close(reason != "ended");
}

void Connection::close(bool reset) {
    state_ = State::ended;
    for (UniqueFd* fd : {&inside_, &outside_}) {
        if (!fd->valid()) continue;
        context_.loop.unwatch(fd->get());
        if (reset) reset_at_close(fd->get());
        fd->reset();
    }
    sent_.buffer = {};
    received_.buffer = {};
}

}  // namespace cellblock::network
