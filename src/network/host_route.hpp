// Where this host's packets to an address would go, as its own kernel answers.
#pragma once

#include "network/ip_address.hpp"

namespace cellblock::network {

enum class Destination {
    elsewhere,  ///< another host, or nowhere
    own,        ///< this host, or everybody on its link
    unknown,    ///< it cannot be asked at the moment
};

/// Asked anew each time, since addresses come and go. Without sending a packet.
Destination destination_of(const IpAddress& address);

}  // namespace cellblock::network
