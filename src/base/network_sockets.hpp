// NetworkSockets: what crosses from who makes a network namespace to who answers in it. The sockets belong to
// that namespace for ever, whichever process holds them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/endpoint.hpp"
#include "base/unique_fd.hpp"

namespace cellblock {

/// Connections to `address`, which stands for the endpoint's name inside.
struct EndpointListener {
    Endpoint endpoint;
    uint32_t address = 0;  ///< IPv4, in the host's byte order
    UniqueFd socket;       ///< listens; does not block
};

/// None valid where nothing is allowed.
struct NetworkSockets {
    UniqueFd dns_datagrams;    ///< UDP, bound; does not block
    UniqueFd dns_connections;  ///< TCP, listens; does not block
    std::vector<EndpointListener> listeners;
};

}  // namespace cellblock
