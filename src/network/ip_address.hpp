// IpAddress: an address of either version, without a port.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace cellblock::network {

struct IpAddress {
    int family = AF_INET;             ///< or AF_INET6
    std::array<uint8_t, 16> bytes{};  ///< of AF_INET the first four
    auto operator<=>(const IpAddress&) const = default;
};

/// Of what getaddrinfo(3) answers; the family is one of the two.
IpAddress ip_address_of(const sockaddr& address);
Result<IpAddress> parse_ip_address(const std::string& text);
std::string to_text(const IpAddress& address);

/// As connect(2) takes it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    [[nodiscard]] const sockaddr* get() const;
    sockaddr* get();
};
SocketAddress with_port(const IpAddress& address, uint16_t port);

}  // namespace cellblock::network
