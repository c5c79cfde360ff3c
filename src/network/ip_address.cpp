// Between the forms that the C library knows.
#include "network/ip_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/printable.hpp"

namespace cellblock::network {
namespace {

size_t size_of(int family) {
    return family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
}

}  // namespace

IpAddress ip_address_of(const sockaddr& address) {
    CHECK(address.sa_family == AF_INET || address.sa_family == AF_INET6);
    IpAddress ip{address.sa_family, {}};
    const void* const full = &address;
    if (ip.family == AF_INET)
        std::memcpy(ip.bytes.data(), &static_cast<const sockaddr_in*>(full)->sin_addr, size_of(AF_INET));
    else
        std::memcpy(ip.bytes.data(), &static_cast<const sockaddr_in6*>(full)->sin6_addr, size_of(AF_INET6));
    return ip;
}

Result<IpAddress> parse_ip_address(const std::string& text) {
    for (const int family : {AF_INET, AF_INET6}) {
        IpAddress ip{family, {}};
        if (::inet_pton(family, text.c_str(), ip.bytes.data()) == 1) return ip;
    }
    return Error("read the address " + in_quotes(text) + ": it is none of IPv4 or IPv6");
}

std::string to_text(const IpAddress& address) {
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(address.family, address.bytes.data(), text, sizeof text);
}

const sockaddr* SocketAddress::get() const {
    const void* const pointer = &storage;
    return static_cast<const sockaddr*>(pointer);
}

sockaddr* SocketAddress::get() {
    void* const pointer = &storage;
    return static_cast<sockaddr*>(pointer);
}

SocketAddress with_port(const IpAddress& address, uint16_t port) {
    SocketAddress full;
    if (address.family == AF_INET) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, address.bytes.data(), sizeof in.sin_addr);
        std::memcpy(&full.storage, &in, sizeof in);
        full.size = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(port);
        std::memcpy(&in.sin6_addr, address.bytes.data(), sizeof in.sin6_addr);
        std::memcpy(&full.storage, &in, sizeof in);
        full.size = sizeof in;
    }
    return full;
}

}  // namespace cellblock::network
