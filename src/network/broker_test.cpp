// The broker with sockets of this host's loopback in the place of a jail's, a lookup that knows the test's
// names, and, where it must be so, a policy that lets the test's servers be reached.
#include "network/broker.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <future>
#include <map>

#include "network/connection.hpp"
#include "network/dns.hpp"

namespace cellblock::network {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Against a test that hangs; nothing is measured.
constexpr std::chrono::seconds kPatience{20};

UniqueFd open_socket(int type, const char* address = "127.0.0.1", int backlog = 64) {
    UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &any.sin_addr);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    if (type == SOCK_STREAM) {
        EXPECT_EQ(::listen(fd.get(), backlog), 0);
    }
    return fd;
}

UniqueFd not_blocking(UniqueFd fd) {
    EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
    return fd;
}

uint16_t port_of(const UniqueFd& fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
}

UniqueFd connect_to(uint16_t port, int type = SOCK_STREAM) {
    UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const timeval patience{kPatience.count(), 0};
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
        ::setsockopt(fd.get(), SOL_SOCKET, option, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // A broker that is quick has reset it before the call returns.
    const int result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    EXPECT_TRUE(result == 0 || errno == ECONNRESET) << errno_name(errno);
    return fd;
}

UniqueFd accept_from(const UniqueFd& listener) {
    pollfd entry{listener.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())), 1);
    return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

void send_all(const UniqueFd& fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ASSERT_GT(n, 0) << errno_name(errno);
        bytes.remove_prefix(static_cast<size_t>(n));
    }
}

/// Up to the end, or an error, whose name is then the last line.
std::string receive_all(const UniqueFd& fd) {
    std::string text;
    char buffer[65536];
    ssize_t n;
    while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) text.append(buffer, static_cast<size_t>(n));
    return n == 0 ? text : text + errno_name(errno);
}

std::string receive(const UniqueFd& fd, size_t size) {
    std::string text(size, '\0');
    const ssize_t n = ::recv(fd.get(), text.data(), size, MSG_WAITALL);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return text;
}

class BrokerTest : public ::testing::Test {
  protected:
    BrokerTest() {
        options.lookup = [this](const std::string& name) -> Result<Addresses> {
            ++lookups;
            const auto found = addresses.find(name);
            if (found == addresses.end()) return Error("look up " + name + ": not known");
            Addresses list;
            for (const char* address : found->second) list.push_back(parse_ip_address(address).value());
            return list;
        };
        options.refuses = [](const IpAddress&) { return std::nullopt; };
        options.report = [this](const std::vector<Report>& reports) {
            const std::lock_guard lock(mutex);
            ++told;
            all.insert(all.end(), reports.begin(), reports.end());
            changed.notify_all();
        };
        options.limits.report_delay = 10ms;
    }

    /// A name with one port, and where a jail would connect to for it.
    uint16_t allow(const std::string& host, uint16_t port) {
        sockets.listeners.push_back({{host, port}, 0x7f000001, not_blocking(open_socket(SOCK_STREAM))});
        return port_of(sockets.listeners.back().socket);
    }

    void start() {
        sockets.dns_datagrams = not_blocking(open_socket(SOCK_DGRAM));
        sockets.dns_connections = not_blocking(open_socket(SOCK_STREAM));
        datagram_port = port_of(sockets.dns_datagrams);
        dns_port = port_of(sockets.dns_connections);
        auto started = Broker::start(std::move(sockets), options);
        ASSERT_TRUE(started) << started.error().sentence();
        broker = *std::move(started);
    }

    /// Waits until there is one of this act, and takes it out.
    Report wait_for(Act act) {
        std::unique_lock lock(mutex);
        const auto find = [&] {
            return std::find_if(all.begin(), all.end(),
                                [&](const Report& report) { return report.act == act; });
        };
        if (!changed.wait_for(lock, kPatience, [&] { return find() != all.end(); })) {
            ADD_FAILURE() << "no report of " << to_text(act);
            return {};
        }
        Report report = *find();
        all.erase(find());
        return report;
    }

    uint64_t count(Act act) {
        const std::lock_guard lock(mutex);
        uint64_t sum = 0;
        for (const Report& report : all)
            if (report.act == act) sum += report.count;
        return sum;
    }

    std::map<std::string, std::vector<const char*>> addresses{{"a.example", {"127.0.0.1"}}};
    std::atomic<int> lookups{0};
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Report> all;
    int told = 0;
    BrokerOptions options;
    NetworkSockets sockets;
    uint16_t datagram_port = 0;
    uint16_t dns_port = 0;
    std::unique_ptr<Broker> broker;  // the first to go: it reports to what is above
};

TEST_F(BrokerTest, RelaysBothWaysAndReportsWhatWasCarried) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    UniqueFd client = connect_to(entry);
    const UniqueFd peer = accept_from(server);
    send_all(client, "question");
    EXPECT_EQ(receive(peer, 8), "question");
    send_all(peer, "answer");
    EXPECT_EQ(receive(client, 6), "answer");
    const Report connected = wait_for(Act::connected);
    EXPECT_EQ(connected.host, "a.example");
    EXPECT_EQ(connected.port, port_of(server));
    EXPECT_EQ(connected.address, "127.0.0.1");
    client.reset();
    EXPECT_EQ(receive_all(peer), "");
    ::shutdown(peer.get(), SHUT_WR);
    const Report closed = wait_for(Act::closed);
    EXPECT_EQ(closed.sent, 8U);
    EXPECT_EQ(closed.received, 6U);
    EXPECT_EQ(closed.reason, "ended");
}

TEST_F(BrokerTest, OneSideMayEndBeforeTheOther) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    const UniqueFd client = connect_to(entry);
    send_all(client, "all of it");
    ::shutdown(client.get(), SHUT_WR);
    UniqueFd peer = accept_from(server);
    EXPECT_EQ(receive_all(peer), "all of it");
    send_all(peer, "heard");
    peer.reset();
    EXPECT_EQ(receive_all(client), "heard");
    EXPECT_EQ(wait_for(Act::closed).reason, "ended");
}

TEST_F(BrokerTest, WhoDoesNotReadKeepsTheOtherWaiting) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    const UniqueFd client = connect_to(entry);
    UniqueFd peer = accept_from(server);
    // What the kernels of both connections keep, and no more.
    constexpr size_t kMost = size_t{64} << 20U;
    std::string sent;
    peer = not_blocking(std::move(peer));
    for (int stalls = 0; stalls < 20 && sent.size() < kMost;) {
        const std::string piece(65536, static_cast<char>('a' + sent.size() / 65536 % 26));
        const ssize_t n = ::send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
        if (n > 0) {
            sent += piece.substr(0, static_cast<size_t>(n));
            stalls = 0;
            continue;
        }
        ASSERT_EQ(errno, EAGAIN);
        ++stalls;
        pollfd entry_of_peer{peer.get(), POLLOUT, 0};
        ::poll(&entry_of_peer, 1, 20);
    }
    EXPECT_LT(sent.size(), kMost);
    peer.reset();
    EXPECT_EQ(receive_all(client), sent);
}

TEST_F(BrokerTest, AnotherAddressIsTriedWhereOneDoesNotAnswer) {
    const UniqueFd server = open_socket(SOCK_STREAM, "127.0.0.3");
    addresses["a.example"] = {"127.0.0.2", "127.0.0.3"};
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    const UniqueFd client = connect_to(entry);
    const UniqueFd peer = accept_from(server);
    EXPECT_EQ(wait_for(Act::connected).address, "127.0.0.3");
}

TEST_F(BrokerTest, WhatNobodyServesIsRefused) {
    addresses["a.example"] = {"127.0.0.2"};
    const uint16_t entry = allow("a.example", 1);
    start();
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    EXPECT_EQ(wait_for(Act::refused).reason, "not connected: ECONNREFUSED");
}

TEST_F(BrokerTest, ANameThatTheHostDoesNotKnowIsRefused) {
    const uint16_t entry = allow("gone.example", 443);
    start();
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    EXPECT_THAT(wait_for(Act::refused).reason, HasSubstr("not known"));
}

// The attack: somebody points an allowed name at the host itself.
TEST_F(BrokerTest, ANameThatLeadsToThisHostIsRefused) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    options.refuses = why_refused;
    start();
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    const Report refused = wait_for(Act::refused);
    EXPECT_EQ(refused.reason, "this host (loopback)");
    EXPECT_EQ(refused.address, "127.0.0.1");
    pollfd nobody{server.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&nobody, 1, 0), 0) << "no connection was made";
}

// The attack: a name server answers with a public address for the judge and a private one for the connection.
TEST_F(BrokerTest, EachAddressIsJudgedThatIsConnectedTo) {
    const UniqueFd server = open_socket(SOCK_STREAM, "127.0.0.3");
    addresses["a.example"] = {"10.0.0.1", "127.0.0.3", "10.0.0.2"};
    std::vector<std::string> judged;
    options.refuses = [&judged](const IpAddress& address) -> std::optional<std::string_view> {
        judged.push_back(to_text(address));
        if (address.bytes[0] == 10) return "a private network";
        return std::nullopt;
    };
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    const UniqueFd client = connect_to(entry);
    const UniqueFd peer = accept_from(server);
    EXPECT_EQ(wait_for(Act::connected).address, "127.0.0.3");
    EXPECT_EQ(judged, (std::vector<std::string>{"10.0.0.1", "127.0.0.3", "10.0.0.2"}));
    EXPECT_EQ(lookups, 1) << "there is no second answer that could differ";
}

TEST_F(BrokerTest, ALookupWithoutAnAnswerEndsAndKeepsNobody) {
    std::promise<void> never;
    const std::shared_future<void> answer(never.get_future());
    options.lookup = [answer](const std::string&) -> Result<Addresses> {
        answer.wait();
        return Error("late");
    };
    options.limits.decide_timeout = 50ms;
    const uint16_t entry = allow("a.example", 443);
    start();
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    EXPECT_EQ(wait_for(Act::refused).reason, "the lookup took too long");
    broker.reset();
    never.set_value();
}

TEST_F(BrokerTest, AHostThatDoesNotAnswerIsGivenUp) {
    // Its queue is full, so that the kernel drops what comes.
    const UniqueFd server = open_socket(SOCK_STREAM, "127.0.0.1", 0);
    std::vector<UniqueFd> queued;
    for (int i = 0; i < 2; ++i) {
        queued.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const SocketAddress to = with_port(parse_ip_address("127.0.0.1").value(), port_of(server));
        [[maybe_unused]] const int ignored = ::connect(queued.back().get(), to.get(), to.size);
    }
    const uint16_t entry = allow("a.example", port_of(server));
    options.limits.connect_timeout = 100ms;
    start();
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    EXPECT_EQ(wait_for(Act::refused).reason, "not connected: ETIMEDOUT");
}

TEST_F(BrokerTest, ConnectionsWithoutTrafficEnd) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    options.limits.idle_timeout = 100ms;
    start();
    const UniqueFd client = connect_to(entry);
    const UniqueFd peer = accept_from(server);
    EXPECT_EQ(receive_all(client), "ECONNRESET");
    EXPECT_EQ(receive_all(peer), "ECONNRESET");
    EXPECT_EQ(wait_for(Act::closed).reason, "idle");
}

TEST_F(BrokerTest, ACutConnectionIsCutForTheOtherSideToo) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    const UniqueFd client = connect_to(entry);
    UniqueFd peer = accept_from(server);
    send_all(client, "x");
    EXPECT_EQ(receive(peer, 1), "x");
    const linger at_once{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    peer.reset();
    EXPECT_EQ(receive_all(client), "ECONNRESET") << "an end would look as if it were all";
    EXPECT_EQ(wait_for(Act::closed).reason, "broken");
}

TEST_F(BrokerTest, ItsEndEndsAllConnectionsAndReportsThem) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    const UniqueFd client = connect_to(entry);
    const UniqueFd peer = accept_from(server);
    send_all(client, "four");
    EXPECT_EQ(receive(peer, 4), "four");
    broker.reset();
    EXPECT_EQ(receive_all(client), "ECONNRESET");
    EXPECT_EQ(receive_all(peer), "ECONNRESET");
    const Report closed = wait_for(Act::closed);
    EXPECT_EQ(closed.sent, 4U);
    EXPECT_EQ(closed.reason, "the jail has ended");
}

TEST_F(BrokerTest, OneConnectionTooManyIsRefusedAndTheOthersGoOn) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    options.limits.connections = 3;
    start();
    std::vector<std::pair<UniqueFd, UniqueFd>> open;
    for (int i = 0; i < 3; ++i) {
        UniqueFd client = connect_to(entry);
        UniqueFd peer = accept_from(server);
        open.emplace_back(std::move(client), std::move(peer));
    }
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    EXPECT_EQ(wait_for(Act::refused).reason, "more than 3 connections");
    for (const auto& [client, peer] : open) {
        send_all(client, "x");
        EXPECT_EQ(receive(peer, 1), "x");
    }
    open.clear();
    wait_for(Act::closed);
    const UniqueFd client = connect_to(entry);
    const UniqueFd peer = accept_from(server);
    send_all(client, "y");
    EXPECT_EQ(receive(peer, 1), "y");
}

// The attack: 10,000 connections as fast as they can be made.
TEST_F(BrokerTest, AFloodOfConnectionsIsOneLineInTheReports) {
    options.refuses = why_refused;
    options.limits.report_delay = 60s;
    options.limits.accepts = 10'000;
    const uint16_t entry = allow("a.example", 443);
    start();
    constexpr uint64_t kFlood = 10'000;
    for (uint64_t i = 0; i < kFlood; ++i) receive_all(connect_to(entry));
    broker->flush();
    EXPECT_EQ(count(Act::refused), kFlood);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(told, 1);
    EXPECT_LE(all.size(), 2U);
    EXPECT_LT(lookups, 100) << "the host's name servers are not asked each time";
}

/// How much a server can send that nobody takes.
size_t sent_until_full(const UniqueFd& fd) {
    const std::string bytes(65536, 'x');
    size_t sent = 0;
    pollfd entry{fd.get(), POLLOUT, 0};
    while (::poll(&entry, 1, 500) == 1) {
        const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent += static_cast<size_t>(n);
    }
    return sent;
}

// The attack: connections that nobody reads, so that this host's memory is full of what is on its way.
TEST_F(BrokerTest, WhatNobodyReadsStaysWithWhoHasSentIt) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const int small = 16 << 10U;
    ::setsockopt(server.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const uint16_t entry = allow("a.example", port_of(server));
    start();
    std::vector<UniqueFd> open;
    for (size_t i = 0; i < kUnboundedConnections; ++i) {
        open.push_back(connect_to(entry));
        open.push_back(accept_from(server));
    }
    const UniqueFd client = connect_to(entry);
    EXPECT_LT(sent_until_full(accept_from(server)), size_t{2} << 20U);
}

// The attack: so many connections that nothing else of this process can be opened, as what measures a jail
// is.
TEST_F(BrokerTest, DescriptorsAreLeftForOthers) {
    const UniqueFd server = open_socket(SOCK_STREAM, "127.0.0.1", 1024);
    const uint16_t entry = allow("a.example", port_of(server));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 100; ++i) clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // As for a process that has nothing open but what the broker and the test have.
    const int next = UniqueFd(::dup(server.get())).get();
    start();
    rlimit few = before;
    few.rlim_cur = static_cast<rlim_t>(next) + 2 * kReservedDescriptors;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(entry);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (const UniqueFd& client : clients)
        [[maybe_unused]] const int ignored =
            ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    EXPECT_EQ(wait_for(Act::refused).reason, "too many descriptors are open");
    EXPECT_GT(count(Act::connected), 0U);
    std::vector<UniqueFd> others;
    for (int i = 0; i < kReservedDescriptors; ++i) others.emplace_back(::dup(server.get()));
    EXPECT_TRUE(others.back().valid());
    others.clear();
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

/// As if another process of this user watched as much as may be: for all threads, and for ever.
bool can_watch_no_more() {
    std::array<sock_filter, 6> code{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_ADD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

// The attack: a jail of this user watches so many descriptors that nobody else of the user can.
TEST_F(BrokerTest, WhatCannotBeWatchedIsRefusedAndTheOthersGoOn) {
    const pid_t child = ::fork();
    if (child == 0) {
        const UniqueFd server = open_socket(SOCK_STREAM);
        const uint16_t entry = allow("a.example", port_of(server));
        start();
        const UniqueFd earlier = connect_to(entry);
        const UniqueFd peer = accept_from(server);
        wait_for(Act::connected);
        EXPECT_TRUE(can_watch_no_more());
        EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
        EXPECT_EQ(wait_for(Act::refused).reason, kNotWatched);
        receive_all(connect_to(dns_port));
        send_all(earlier, "x");
        EXPECT_EQ(receive(peer, 1), "x");
        ::_exit(HasFailure() ? 1 : 0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(BrokerTest, NothingIsConnectedThatCouldNotBeRecorded) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    std::atomic<bool> can_record = false;
    options.admits = [&can_record] { return can_record.load(); };
    start();
    EXPECT_EQ(receive_all(connect_to(entry)), "ECONNRESET");
    EXPECT_EQ(wait_for(Act::refused).reason, "it could not be recorded");
    can_record = true;
    const UniqueFd client = connect_to(entry);
    EXPECT_TRUE(accept_from(server).valid());
}

TEST_F(BrokerTest, ConnectionsBeyondTheRateWaitForTheirTurn) {
    const UniqueFd server = open_socket(SOCK_STREAM);
    const uint16_t entry = allow("a.example", port_of(server));
    options.limits.accepts = 2;
    options.limits.window = 20ms;
    start();
    for (int i = 0; i < 10; ++i) {
        const UniqueFd client = connect_to(entry);
        const UniqueFd peer = accept_from(server);
        send_all(client, "x");
        EXPECT_EQ(receive(peer, 1), "x");
    }
}

/// A query for the address of `name`.
std::string query(const std::string& name) {
    std::string bytes("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
    for (size_t begin = 0; begin < name.size();) {
        const size_t end = std::min(name.find('.', begin), name.size());
        bytes += static_cast<char>(end - begin);
        bytes += name.substr(begin, end - begin);
        begin = end + 1;
    }
    return bytes + std::string("\0\0\x01\0\x01", 5);
}

std::string with_length(const std::string& message) {
    return std::string{static_cast<char>(message.size() >> 8U), static_cast<char>(message.size() & 0xffU)} +
           message;
}

TEST_F(BrokerTest, TheNameServerKnowsTheAllowedNames) {
    allow("a.example", 443);
    start();
    const std::string expected = answer_query(query("a.example"), {{"a.example", 0x7f000001}}).message;
    const UniqueFd client = connect_to(datagram_port, SOCK_DGRAM);
    send_all(client, query("a.example"));
    EXPECT_EQ(receive(client, kMaxAnswer), expected);

    const UniqueFd connection = connect_to(dns_port);
    const std::string question = with_length(query("a.example"));
    // In pieces, and two at a time.
    for (const char byte : question) send_all(connection, {&byte, 1});
    EXPECT_EQ(receive(connection, expected.size() + 2), with_length(expected));
    send_all(connection, question + question);
    EXPECT_EQ(receive(connection, 2 * expected.size() + 4), with_length(expected) + with_length(expected));
}

TEST_F(BrokerTest, NamesThatWereAskedForInVainAreReportedPrintable) {
    allow("a.example", 443);
    start();
    const UniqueFd client = connect_to(datagram_port, SOCK_DGRAM);
    for (int i = 0; i < 3; ++i) {
        send_all(client, query("secret.\x1b[31m.evil.example"));
        receive(client, kMaxAnswer);
    }
    broker->flush();
    const Report report = wait_for(Act::unknown_name);
    EXPECT_THAT(report.host, HasSubstr("evil.example"));
    EXPECT_EQ(report.host.find('\x1b'), std::string::npos);
}

// The attack: data in the names that are asked for, as fast as can be.
TEST_F(BrokerTest, AFloodOfNamesIsBoundedInTheReportsAndOthersAreAnswered) {
    allow("a.example", 443);
    options.limits.report_delay = 60s;
    start();
    const UniqueFd client = connect_to(datagram_port, SOCK_DGRAM);
    for (int i = 0; i < 2000; ++i) send_all(client, query("x" + std::to_string(i) + ".evil.example"));
    const UniqueFd other = connect_to(dns_port);
    send_all(other, with_length(query("a.example")));
    EXPECT_EQ(receive(other, 2).size(), 2U);
    // Behind all that found room in the socket's buffer; where there was none for this, once more.
    const UniqueFd last = connect_to(datagram_port, SOCK_DGRAM);
    pollfd answer{last.get(), POLLIN, 0};
    for (int i = 0; i < 200 && answer.revents == 0; ++i) {
        send_all(last, query("a.example"));
        ::poll(&answer, 1, 100);
    }
    EXPECT_EQ(answer.revents, POLLIN);
    broker->flush();
    const std::lock_guard lock(mutex);
    EXPECT_LE(all.size(), kMaxReports + 1);
    EXPECT_TRUE(
        std::any_of(all.begin(), all.end(), [](const Report& report) { return report.host.empty(); }));
}

// The attack: names that are made up, so that there is no room for what was really done.
TEST(Reports, NamesAskedForInVainCrowdOutNoConnection) {
    Reports reports;
    for (int i = 0; i < 1000; ++i)
        reports.add({Act::unknown_name, std::to_string(i) + ".evil.example", 0, "", ""});
    Report closed{Act::closed, "a.example", 443, "9.9.9.1", "ended"};
    closed.sent = 7;
    reports.add(closed);
    reports.add(closed);
    const std::vector<Report> told = reports.take();
    ASSERT_EQ(told.size(), kMaxUnknownNames + 2);
    EXPECT_EQ(told[kMaxUnknownNames].host, "");
    EXPECT_EQ(told[kMaxUnknownNames].count, 1000 - kMaxUnknownNames);
    EXPECT_EQ(told.back().host, "a.example");
    EXPECT_EQ(told.back().sent, 14U);
}

TEST(Pace, TellsLessOftenOfWhatDoesNotStop) {
    Pace pace(500ms, 4s);
    Pace::Clock::time_point now = Pace::Clock::now();
    std::vector<std::chrono::milliseconds> delays;
    for (int i = 0; i < 6; ++i) {
        delays.push_back(pace.next(now));
        now += delays.back();
        pace.told(now);
    }
    EXPECT_THAT(delays, ElementsAre(500ms, 1s, 2s, 4s, 4s, 4s));
    EXPECT_EQ(pace.next(now + 8s), 500ms) << "after quiet";
}

TEST_F(BrokerTest, DnsConnectionsThatMakeNoSenseOrNoUseAreClosed) {
    allow("a.example", 443);
    options.limits.dns_idle_timeout = 100ms;
    start();
    for (const std::string& bytes : {std::string("\xff\xff", 2), std::string("\0\0", 2),
                                     std::string("\0\x03"
                                                 "abc",
                                                 5)}) {
        const UniqueFd client = connect_to(dns_port);
        send_all(client, bytes);
        EXPECT_EQ(receive_all(client), "");
    }
    EXPECT_EQ(receive_all(connect_to(dns_port)), "") << "idle";
    // More than there may be at once: the others are closed, and later ones answered.
    std::vector<UniqueFd> many;
    for (int i = 0; i < 50; ++i) many.push_back(connect_to(dns_port));
    for (const UniqueFd& client : many) receive_all(client);
    const UniqueFd client = connect_to(dns_port);
    send_all(client, with_length(query("a.example")));
    EXPECT_EQ(receive(client, 2).size(), 2U);
}

TEST_F(BrokerTest, NothingIsReportedWhereNothingHappens) {
    allow("a.example", 443);
    start();
    broker->flush();
    broker.reset();
    EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace cellblock::network
