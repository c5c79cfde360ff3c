// Endpoint: the name of a host and a port, as somebody allows a jail to reach it. The name is exact: no
// address, no pattern, nothing that only this machine or its site understands.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cellblock {

/// In one list. Each name has an address of its own inside, each endpoint a descriptor.
inline constexpr size_t kMaxAllowedNames = 64;
inline constexpr size_t kMaxAllowedEndpoints = 128;
/// Of the whole name, and of what is between two dots (RFC 1035).
inline constexpr size_t kMaxHostName = 253;
inline constexpr size_t kMaxHostLabel = 63;
/// What a name without a port stands for.
inline constexpr uint16_t kDefaultPorts[] = {443, 80};

struct Endpoint {
    std::string host;  ///< lower case, without a dot at the end
    uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};

/// "data.example.org:443"
std::string to_text(const Endpoint& endpoint);

/// Reads "host" (kDefaultPorts) or "host:port". The error says what cannot be allowed and why.
Result<std::vector<Endpoint>> parse_endpoints(std::string_view text);

/// Whether so many can be allowed together. Endpoints that are there twice count twice.
Result<void> check_endpoints(const std::vector<Endpoint>& endpoints);

}  // namespace cellblock
