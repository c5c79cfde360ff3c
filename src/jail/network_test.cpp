// What a jail has of a network: nothing, a loopback of its own, or sockets that somebody outside answers.
#include "jail/network.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "jail/harness.hpp"

namespace cellblock::jail::testing {
namespace {

class JailNetwork : public JailTest {};
INSTANTIATE_IN_MODES(JailNetwork, modes_providing(policy::Guarantee::allowed_names));

sockaddr_in address_of(const std::string& address, const std::string& port) {
    sockaddr_in full{};
    full.sin_family = AF_INET;
    full.sin_port = htons(static_cast<uint16_t>(std::stoi(port)));
    ::inet_pton(AF_INET, address.c_str(), &full.sin_addr);
    return full;
}

const char* said(int result) {
    return result >= 0 ? "done" : ::strerrorname_np(errno);
}

// type, address, port
INSIDE(connect) {
    const int fd = ::socket(AF_INET, arguments[0] == "udp" ? SOCK_DGRAM : SOCK_STREAM, 0);
    const sockaddr_in address = address_of(arguments[1], arguments[2]);
    std::cout << said(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
    char answer[16] = {};
    if (arguments.size() > 3 && ::send(fd, "ping", 4, 0) == 4 && ::recv(fd, answer, sizeof answer - 1, 0) > 0)
        std::cout << " " << answer;
    return 0;
}

// The same, with all that makes sharing easier.
INSIDE(bind) {
    const int fd = ::socket(AF_INET, arguments[0] == "udp" ? SOCK_DGRAM : SOCK_STREAM, 0);
    const int on = 1;
    for (const int option : {SO_REUSEADDR, SO_REUSEPORT})
        ::setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
    const sockaddr_in address = address_of(arguments[1], arguments[2]);
    int result = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (result == 0 && arguments[0] != "udp") result = ::listen(fd, 1);
    std::cout << said(result);
    return 0;
}

std::unique_ptr<Jail> start(Plan plan, Network network, std::vector<Endpoint> allowed = {}) {
    plan.network = network;
    plan.allowed = std::move(allowed);
    auto jail = Jail::start(plan);
    if (!jail) {
        ADD_FAILURE() << jail.error().sentence();
        std::_Exit(1);
    }
    return *std::move(jail);
}

std::string output(Jail& jail, const char* function, const std::vector<std::string>& arguments) {
    return inside(jail, function, arguments).output;
}

std::string dotted(uint32_t address) {
    const in_addr in{htonl(address)};
    return ::inet_ntoa(in);
}

TEST_P(JailNetwork, NoneHasNotEvenALoopback) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan, Network::none);
        EXPECT_EQ(output(*jail, "connect", {"tcp", "127.0.0.1", "80"}), "ENETUNREACH");
        EXPECT_EQ(output(*jail, "connect", {"tcp", "198.18.0.1", "80"}), "ENETUNREACH");
        EXPECT_FALSE(jail->take_network_sockets().dns_datagrams.valid());
    });
}

TEST_P(JailNetwork, LocalhostLeadsNowhereElse) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan, Network::localhost);
        EXPECT_EQ(output(*jail, "connect", {"tcp", "127.0.0.1", "80"}), "ECONNREFUSED");
        EXPECT_EQ(output(*jail, "connect", {"tcp", "198.18.0.1", "80"}), "ENETUNREACH");
        EXPECT_EQ(shell(*jail, "cat /etc/resolv.conf").output, "");
        EXPECT_FALSE(jail->take_network_sockets().dns_datagrams.valid());
    });
}

TEST_P(JailNetwork, AllowedEndpointsAreAnsweredOutside) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan, Network::allow,
                          {{"a.example", 443}, {"b.example", 80}, {"a.example", 8443}, {"a.example", 443}});
        const NetworkSockets sockets = jail->take_network_sockets();
        ASSERT_EQ(sockets.listeners.size(), 3U) << "an endpoint that is there twice has one socket";
        EXPECT_EQ(sockets.listeners[0].endpoint, (Endpoint{"a.example", 443}));
        EXPECT_EQ(sockets.listeners[1].endpoint, (Endpoint{"b.example", 80}));
        EXPECT_EQ(sockets.listeners[2].endpoint, (Endpoint{"a.example", 8443}));
        EXPECT_EQ(sockets.listeners[0].address, sockets.listeners[2].address) << "one name, one address";
        EXPECT_NE(sockets.listeners[0].address, sockets.listeners[1].address);
        for (const EndpointListener& listener : sockets.listeners) {
            std::thread server([&] {
                pollfd entry{listener.socket.get(), POLLIN, 0};
                ::poll(&entry, 1, 10'000);
                const UniqueFd peer(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
                char question[8] = {};
                EXPECT_EQ(::recv(peer.get(), question, sizeof question, 0), 4) << question;
                EXPECT_EQ(::send(peer.get(), "pong", 4, MSG_NOSIGNAL), 4);
            });
            EXPECT_EQ(
                output(*jail, "connect",
                       {"tcp", dotted(listener.address), std::to_string(listener.endpoint.port), "ask"}),
                "done pong");
            server.join();
        }
        EXPECT_EQ(shell(*jail, "cat /etc/resolv.conf").output, "nameserver 127.0.0.53\n");
    });
}

TEST_P(JailNetwork, WhatIsNotAllowedIsRefusedAtOnce) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan, Network::allow, {{"a.example", 443}, {"b.example", 80}});
        EXPECT_EQ(output(*jail, "connect", {"tcp", "198.18.0.1", "80"}), "ECONNREFUSED") << "another port";
        EXPECT_EQ(output(*jail, "connect", {"tcp", "198.18.0.1", "22"}), "ECONNREFUSED") << "another port";
        EXPECT_EQ(output(*jail, "connect", {"tcp", "198.18.0.3", "443"}), "ECONNREFUSED")
            << "nobody's address";
        for (const char* type : {"tcp", "udp"})
            for (const char* address :
                 {"1.1.1.1", "8.8.8.8", "10.0.0.1", "169.254.169.254", "198.17.255.255", "198.20.0.0"})
                EXPECT_EQ(output(*jail, "connect", {type, address, "53"}), "ENETUNREACH") << type << address;
    });
}

TEST_P(JailNetwork, NobodyInsideTakesThePlaceOfASocket) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan, Network::allow, {{"a.example", 443}, {"a.example", 8443}});
        for (const char* type : {"tcp", "udp"}) {
            EXPECT_EQ(output(*jail, "bind", {type, "127.0.0.53", "53"}), "EACCES");
            EXPECT_EQ(output(*jail, "bind", {type, "0.0.0.0", "53"}), "EACCES");
            EXPECT_EQ(output(*jail, "bind", {type, "198.18.0.1", "443"}), "EACCES");
        }
        EXPECT_EQ(output(*jail, "bind", {"tcp", "198.18.0.1", "8443"}), "EADDRINUSE");
        EXPECT_EQ(output(*jail, "bind", {"tcp", "0.0.0.0", "8443"}), "EADDRINUSE");
        // A server of the jail's own on another address is its own business.
        EXPECT_EQ(output(*jail, "bind", {"tcp", "127.0.0.1", "8443"}), "done");
    });
}

TEST_P(JailNetwork, AsManyAsCanBeAllowed) {
    in_mode([](const Plan& plan) {
        std::vector<Endpoint> allowed;
        for (size_t i = 0; i < kMaxAllowedNames; ++i)
            for (const uint16_t port : kDefaultPorts)
                allowed.push_back({"a" + std::to_string(i) + ".example", port});
        const Footprint before = footprint();
        {
            auto jail = start(plan, Network::allow, allowed);
            EXPECT_EQ(jail->take_network_sockets().listeners.size(), kMaxAllowedEndpoints);
        }
        EXPECT_EQ(footprint(), before);
    });
}

TEST_P(JailNetwork, ARouteOrNamesWithoutTheNetworkForThemAreRefused) {
    in_mode([](Plan plan) {
        plan.allowed = {{"a.example", 443}};
        const auto jail = Jail::start(plan);
        ASSERT_FALSE(jail);
        EXPECT_NE(jail.error().sentence().find("the network is 'localhost'"), std::string::npos);
    });
}

class BwrapNetwork : public JailTest {};
INSTANTIATE_IN_MODES(BwrapNetwork, modes_of(Backend::bwrap));

TEST_P(BwrapNetwork, WhatItDoesNotProvideIsRefused) {
    in_mode([](Plan plan) {
        for (const Network network : {Network::none, Network::allow}) {
            plan.network = network;
            const auto jail = Jail::start(plan);
            ASSERT_FALSE(jail);
            EXPECT_NE(jail.error().sentence().find("does not provide the network"), std::string::npos);
        }
    });
}

TEST(Network, WordsAreReadAsTheyAreWritten) {
    for (const Network network : {Network::none, Network::localhost, Network::allow})
        EXPECT_EQ(*parse_network(to_text(network)), network);
    EXPECT_FALSE(parse_network("host"));
}

}  // namespace
}  // namespace cellblock::jail::testing
