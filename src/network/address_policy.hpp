// Which addresses a jail is never connected to, whatever name leads there. A table with reasons, and what
// only this host knows: its own addresses.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "network/ip_address.hpp"

namespace cellblock::network {

struct AddressRow {
    const char* prefix;
    int bits;
    const char* reason;
};

/// In the order in which they are tried.
std::span<const AddressRow> refused_addresses();

/// Why there is no connection to it; nothing for an address of the public internet.
using AddressPolicy = std::function<std::optional<std::string_view>(const IpAddress& address)>;

/// The table, and the host's own addresses.
std::optional<std::string_view> why_refused(const IpAddress& address);

}  // namespace cellblock::network
