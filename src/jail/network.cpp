// Addresses are handed out in the order in which names first appear in the plan, so that both sides of the
// clone agree without a word.
#include "jail/network.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/check.hpp"
#include "jail/child_socket.hpp"
#include "jail/control.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

// Of a namespace's own, which is the first interface of each.
constexpr int kLoopbackIndex = 1;
constexpr uint16_t kDnsPort = 53;
// Connections that wait until they are looked at; what comes beyond tries again.
constexpr int kBacklog = 128;
static_assert(kMaxAllowedEndpoints <= kMaxMounts, "one message takes so many descriptors");

sockaddr_in address_of(uint32_t address, uint16_t port) {
    sockaddr_in full{};
    full.sin_family = AF_INET;
    full.sin_port = htons(port);
    full.sin_addr.s_addr = htonl(address);
    return full;
}

/// The n-th name's.
uint32_t address_of_name(const std::vector<Endpoint>& endpoints, const std::string& name) {
    std::vector<std::string_view> names;
    for (const Endpoint& endpoint : endpoints)
        if (std::ranges::find(names, endpoint.host) == names.end()) names.push_back(endpoint.host);
    const auto place = std::ranges::find(names, name) - names.begin();
    // Not the first address, which some programs take for a network's.
    return kAllowedAddresses + 1 + static_cast<uint32_t>(place);
}

/// Each once, in order.
std::vector<Endpoint> distinct(const std::vector<Endpoint>& endpoints) {
    std::vector<Endpoint> once;
    for (const Endpoint& endpoint : endpoints)
        if (std::ranges::find(once, endpoint) == once.end()) once.push_back(endpoint);
    return once;
}

// Makes the whole range addresses of this namespace's own: whatever has a socket there answers, the rest is
// refused at once.
int route_allowed_addresses() {
    struct {
        nlmsghdr header;
        rtmsg route;
        rtattr destination_header;
        uint32_t destination;
        rtattr interface_header;
        int32_t interface;
    } request{};
    request.header = {sizeof request, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1,
                      0};
    request.route.rtm_family = AF_INET;
    request.route.rtm_dst_len = kAllowedAddressBits;
    request.route.rtm_table = RT_TABLE_LOCAL;
    request.route.rtm_protocol = RTPROT_STATIC;
    request.route.rtm_scope = RT_SCOPE_HOST;
    request.route.rtm_type = RTN_LOCAL;
    request.destination_header = {RTA_LENGTH(sizeof request.destination), RTA_DST};
    request.destination = htonl(kAllowedAddresses);
    request.interface_header = {RTA_LENGTH(sizeof request.interface), RTA_OIF};
    request.interface = kLoopbackIndex;

    const int fd =
        static_cast<int>(raw::call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (fd < 0) return fd;
    long n = raw::call(SYS_sendto, fd, &request, sizeof request, 0, nullptr, 0);
    struct {
        nlmsghdr header;
        nlmsgerr error;
        char rest[512];  // the kernel quotes the request
    } answer{};
    if (n >= 0) n = raw::read(fd, &answer, sizeof answer);
    raw::close(fd);
    if (n < 0) return static_cast<int>(n);
    if (n < static_cast<long>(sizeof answer.header + sizeof answer.error) ||
        answer.header.nlmsg_type != NLMSG_ERROR)
        return -EBADMSG;
    return answer.error.error;
}

int open_socket(const SocketPlan& plan) {
    const int fd =
        static_cast<int>(raw::call(SYS_socket, AF_INET, plan.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0) return fd;
    // Without SO_REUSEADDR and SO_REUSEPORT: so nobody inside can bind the same.
    long e = raw::call(SYS_bind, fd, &plan.address, sizeof plan.address);
    if (e == 0 && plan.type == SOCK_STREAM) e = raw::call(SYS_listen, fd, kBacklog);
    if (e == 0) return fd;
    raw::close(fd);
    return static_cast<int>(e);
}

}  // namespace

NetworkPlan compile_network(const Plan& plan) {
    NetworkPlan network;
    network.network = plan.network;
    if (plan.network != Network::allow) return network;
    const uint32_t name_server = ntohl(::inet_addr(kNameServer));
    network.sockets.push_back({SOCK_DGRAM, address_of(name_server, kDnsPort)});
    network.sockets.push_back({SOCK_STREAM, address_of(name_server, kDnsPort)});
    for (const Endpoint& endpoint : distinct(plan.allowed))
        network.sockets.push_back(
            {SOCK_STREAM, address_of(address_of_name(plan.allowed, endpoint.host), endpoint.port)});
    network.descriptors.assign(network.sockets.size(), -1);
    return network;
}

NetworkSockets name_sockets(const Plan& plan, std::vector<UniqueFd> sockets) {
    NetworkSockets named;
    if (sockets.empty()) return named;
    const std::vector<Endpoint> endpoints = distinct(plan.allowed);
    CHECK(sockets.size() == kDnsSockets + endpoints.size());
    named.dns_datagrams = std::move(sockets[0]);
    named.dns_connections = std::move(sockets[1]);
    for (size_t i = 0; i < endpoints.size(); ++i)
        named.listeners.push_back({endpoints[i], address_of_name(plan.allowed, endpoints[i].host),
                                   std::move(sockets[kDnsSockets + i])});
    return named;
}

int bring_up_loopback(const NetworkPlan& plan) {
    if (plan.network == Network::none) return 0;
    const int fd = static_cast<int>(raw::call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd < 0) return fd;
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", 3);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const long e = raw::call(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
    raw::close(fd);
    return static_cast<int>(e);
}

int hand_over_network(NetworkPlan& plan, int control_fd, const char*& detail) {
    if (plan.sockets.empty()) return 0;
    detail = "route";
    if (const int e = route_allowed_addresses(); e < 0) return e;
    detail = "socket";
    for (size_t i = 0; i < plan.sockets.size(); ++i) {
        plan.descriptors[i] = open_socket(plan.sockets[i]);
        if (plan.descriptors[i] < 0) return plan.descriptors[i];
    }
    detail = "hand over";
    const int* const descriptors = plan.descriptors.data();
    const size_t others = plan.descriptors.size() - kDnsSockets;
    if (const int e = send_descriptors(control_fd, descriptors, kDnsSockets); e < 0) return e;
    if (const int e = send_descriptors(control_fd, descriptors + kDnsSockets, others); e < 0) return e;
    for (const int fd : plan.descriptors) raw::close(fd);
    return 0;
}

}  // namespace cellblock::jail
