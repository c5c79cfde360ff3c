// The sockets. One rate for everything that is asked, by whichever way.
#include "network/name_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace cellblock::network {
namespace {

// Datagrams, or queries of one connection, before others have their turn.
constexpr int kRound = 32;
constexpr size_t kLengthSize = 2;

}  // namespace

Result<std::unique_ptr<NameServer>> NameServer::create(EventLoop& loop, const BrokerLimits& limits,
                                                       UniqueFd datagrams, UniqueFd connections,
                                                       NameTable names, Refused refused) {
    std::unique_ptr<NameServer> server(new NameServer(
        loop, limits, std::move(datagrams), std::move(connections), std::move(names), std::move(refused)));
    server->resume_ = TRY(LoopTimer::create(loop, [raw = server.get()] { raw->resume(); }));
    server->sweep_ = TRY(LoopTimer::create(loop, [raw = server.get()] { raw->drop_idle(); }));
    loop.watch(server->datagrams_.get(), EPOLLIN, [raw = server.get()](uint32_t) { raw->on_datagrams(); });
    loop.watch(server->connections_.get(), EPOLLIN, [raw = server.get()](uint32_t) { raw->on_connection(); });
    return server;
}

NameServer::NameServer(EventLoop& loop, const BrokerLimits& limits, UniqueFd datagrams, UniqueFd connections,
                       NameTable names, Refused refused)
    : loop_(loop),
      limits_(limits),
      datagrams_(std::move(datagrams)),
      connections_(std::move(connections)),
      names_(std::move(names)),
      refused_(std::move(refused)),
      rate_(limits.queries, limits.window) {}

NameServer::~NameServer() {
    for (const UniqueFd* fd : {&datagrams_, &connections_}) loop_.unwatch(fd->get());
    for (const auto& [fd, client] : clients_) loop_.unwatch(fd);
}

std::string NameServer::answer(std::string_view query) {
    DnsAnswer answer = answer_query(query, names_);
    if (!answer.refused_name.empty()) refused_(answer.refused_name);
    return std::move(answer.message);
}

void NameServer::on_datagrams() {
    // One byte more than a query may have: what is longer is seen to be.
    std::array<char, kMaxQuery + 1> buffer;
    for (int i = 0; i < kRound; ++i) {
        if (!rate_.take()) return pause();
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const ssize_t n = ::recvfrom(datagrams_.get(), buffer.data(), buffer.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
        if (n < 0) return;
        const std::string reply = answer({buffer.data(), static_cast<size_t>(n)});
        // A client whose buffer is full asks again.
        if (!reply.empty())
            ::sendto(datagrams_.get(), reply.data(), reply.size(), MSG_NOSIGNAL,
                     reinterpret_cast<const sockaddr*>(&from), size);
    }
}

void NameServer::on_connection() {
    if (!rate_.take()) return pause();
    UniqueFd fd(::accept4(connections_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
        // Without descriptors it would be reported for ever.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause();
        return;
    }
    if (clients_.size() >= limits_.dns_connections || !leaves_descriptors(fd.get())) return;
    const int number = fd.get();
    const bool is_watched = loop_.try_watch(number, EPOLLIN, [this, number](uint32_t events) {
        // Nobody is left to answer, and that would be said again and again.
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) return drop(number);
        on_client(number);
    });
    if (!is_watched) return;
    clients_[number] = {std::move(fd), {}, {}, Clock::now()};
    if (!sweep_->armed()) sweep_->arm(kSweepInterval);
}

void NameServer::on_client(int fd) {
    Client& client = clients_.at(fd);
    switch (serve(client)) {
        case Served::waits:
            // Nothing more is read before the answer has gone.
            return loop_.change(fd, client.answer.empty() ? EPOLLIN : EPOLLOUT);
        case Served::comes_later:
            loop_.change(fd, 0);
            return pause();
        case Served::over:
            return drop(fd);
    }
}

NameServer::Served NameServer::serve(Client& client) {
    for (int i = 0; i < kRound; ++i) {
        if (!client.answer.empty()) {
            const ssize_t n =
                ::send(client.fd.get(), client.answer.data(), client.answer.size(), MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN || errno == EINTR ? Served::waits : Served::over;
            client.answer.erase(0, static_cast<size_t>(n));
            client.idle_since = Clock::now();
            continue;
        }
        std::string& question = client.question;
        const size_t length = question.size() < kLengthSize
                                  ? 0
                                  : static_cast<size_t>(static_cast<uint8_t>(question[0])) << 8U |
                                        static_cast<uint8_t>(question[1]);
        if (length > kMaxQuery || (question.size() >= kLengthSize && length == 0)) return Served::over;
        const size_t wanted = length + kLengthSize;
        if (question.size() < wanted) {
            std::array<char, kMaxQuery> buffer;
            const ssize_t n = ::recv(client.fd.get(), buffer.data(), wanted - question.size(), 0);
            if (n == 0) return Served::over;
            if (n < 0) return errno == EAGAIN || errno == EINTR ? Served::waits : Served::over;
            question.append(buffer.data(), static_cast<size_t>(n));
            if (question.size() < wanted || wanted == kLengthSize) continue;
        }
        if (!rate_.take()) return Served::comes_later;
        const std::string reply = answer(std::string_view(question).substr(kLengthSize));
        question.clear();
        if (reply.empty()) return Served::over;
        client.answer = {static_cast<char>(reply.size() >> 8U), static_cast<char>(reply.size() & 0xffU)};
        client.answer += reply;
    }
    return Served::waits;
}

void NameServer::drop(int fd) {
    loop_.unwatch(fd);
    clients_.erase(fd);
}

void NameServer::drop_idle() {
    const auto now = Clock::now();
    std::vector<int> idle;
    for (const auto& [fd, client] : clients_)
        if (now - client.idle_since >= limits_.dns_idle_timeout) idle.push_back(fd);
    for (const int fd : idle) drop(fd);
    if (!clients_.empty()) sweep_->arm(kSweepInterval);
}

// Level-triggered: what is not looked at now is still there when the next window begins.
void NameServer::pause() {
    if (paused_) return;
    paused_ = true;
    for (const UniqueFd* fd : {&datagrams_, &connections_}) loop_.change(fd->get(), 0);
    resume_->arm(rate_.resume_in());
}

void NameServer::resume() {
    paused_ = false;
    for (const UniqueFd* fd : {&datagrams_, &connections_}) loop_.change(fd->get(), EPOLLIN);
    // Whole questions may wait here, of which no socket tells.
    std::vector<int> clients;
    for (const auto& [fd, client] : clients_) clients.push_back(fd);
    for (const int fd : clients) on_client(fd);
}

}  // namespace cellblock::network
