// The network of one jail: its interface, and with Network::allow the sockets that stand for the allowed
// names. The child makes them in its own network namespace while it may, and hands them out; nobody inside
// keeps one. So no process of the jail has a part in what is allowed, and none can take its place
// (docs/adr/0017-allowed-network-names.md).
#pragma once

#include <netinet/in.h>

#include <vector>

#include "base/network_sockets.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

/// Of the name server: one for datagrams, one for connections.
inline constexpr size_t kDnsSockets = 2;

struct SocketPlan {
    int type;  ///< SOCK_DGRAM, or SOCK_STREAM, which listens
    sockaddr_in address;
};

/// Complete before the clone, as ChildPlan.
struct NetworkPlan {
    Network network = Network::localhost;
    std::vector<SocketPlan> sockets;  ///< kDnsSockets first; empty without Network::allow
    std::vector<int> descriptors;     ///< child: as `sockets`
};

// Parent.
NetworkPlan compile_network(const Plan& plan);
/// What compile_network() has planned and the child has sent, with the names that they stand for.
NetworkSockets name_sockets(const Plan& plan, std::vector<UniqueFd> sockets);

// Child. Each returns 0 or -errno. Async-signal-safe.
int bring_up_loopback(const NetworkPlan& plan);
/// In two messages: kDnsSockets, and the others.
int hand_over_network(NetworkPlan& plan, int control_fd, const char*& detail);

}  // namespace cellblock::jail
