// The routing table is asked, not the list of addresses: whole networks can be a host's own by a route. The
// source that a socket would have tells less: of a second address in one network it is the first one.
#include "network/host_route.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/unique_fd.hpp"

namespace cellblock::network {
namespace {

struct Question {
    nlmsghdr header;
    rtmsg route;
    rtattr destination;
    std::array<uint8_t, 16> address;
};

Question question_of(const IpAddress& address) {
    const size_t size = address.family == AF_INET ? 4 : 16;
    Question question{};
    question.header.nlmsg_len = static_cast<uint32_t>(offsetof(Question, address) + size);
    question.header.nlmsg_type = RTM_GETROUTE;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.route.rtm_family = static_cast<unsigned char>(address.family);
    question.route.rtm_dst_len = static_cast<unsigned char>(size * 8);
    question.destination = {static_cast<unsigned short>(RTA_LENGTH(size)), RTA_DST};
    question.address = address.bytes;
    return question;
}

Destination read_answer(const char* bytes, size_t size) {
    nlmsghdr header{};
    if (size < NLMSG_HDRLEN) return Destination::unknown;
    std::memcpy(&header, bytes, sizeof header);
    if (header.nlmsg_type == NLMSG_ERROR) {
        nlmsgerr answer{};
        if (size < NLMSG_LENGTH(sizeof answer)) return Destination::unknown;
        std::memcpy(&answer, bytes + NLMSG_HDRLEN, sizeof answer);
        const bool is_nowhere = answer.error == -ENETUNREACH || answer.error == -EHOSTUNREACH;
        return is_nowhere ? Destination::elsewhere : Destination::unknown;
    }
    rtmsg route{};
    if (header.nlmsg_type != RTM_NEWROUTE || size < NLMSG_LENGTH(sizeof route)) return Destination::unknown;
    std::memcpy(&route, bytes + NLMSG_HDRLEN, sizeof route);
    switch (route.rtm_type) {
        case RTN_UNICAST:
        case RTN_UNREACHABLE:
        case RTN_BLACKHOLE:
        case RTN_PROHIBIT:
            return Destination::elsewhere;
        default:
            return Destination::own;
    }
}

}  // namespace

Destination destination_of(const IpAddress& address) {
    const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    const Question question = question_of(address);
    if (!fd.valid() || ::send(fd.get(), &question, question.header.nlmsg_len, 0) < 0)
        return Destination::unknown;
    // The answer is there when send() returns.
    std::array<char, 4096> answer;
    const ssize_t n = ::recv(fd.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    return n < 0 ? Destination::unknown : read_answer(answer.data(), static_cast<size_t>(n));
}

}  // namespace cellblock::network
