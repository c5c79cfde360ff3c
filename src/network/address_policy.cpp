// The rows follow IANA's registries of special-purpose addresses; to them come the places where clouds keep
// their metadata.
#include "network/address_policy.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "network/host_route.hpp"

namespace cellblock::network {
namespace {

// clang-format off
constexpr AddressRow kRefused[] = {
    {"0.0.0.0", 8, "this host (unspecified)"},
    {"10.0.0.0", 8, "a private network"},
    {"100.64.0.0", 10, "a provider's network (shared address space); a cloud's metadata"},
    {"127.0.0.0", 8, "this host (loopback)"},
    {"168.63.129.16", 32, "a cloud's services for its machines"},
    {"169.254.0.0", 16, "the local link; clouds' metadata and credentials"},
    {"172.16.0.0", 12, "a private network"},
    {"192.0.0.0", 24, "protocols of IPv4 itself; a cloud's metadata"},
    {"192.0.2.0", 24, "documentation"},
    {"192.88.99.0", 24, "relays of 6to4"},
    {"192.168.0.0", 16, "a private network"},
    {"198.18.0.0", 15, "benchmarks; inside of jails the allowed names"},
    {"198.51.100.0", 24, "documentation"},
    {"203.0.113.0", 24, "documentation"},
    {"224.0.0.0", 4, "multicast"},
    {"240.0.0.0", 4, "reserved; broadcast"},

    {"::", 128, "this host (unspecified)"},
    {"::1", 128, "this host (loopback)"},
    {"::ffff:0:0", 96, "an IPv4 address in an IPv6 one (mapped)"},
    {"::", 96, "an IPv4 address in an IPv6 one (compatible)"},
    {"::ffff:0:0:0", 96, "an IPv4 address in an IPv6 one (translated)"},
    {"64:ff9b::", 96, "an IPv4 address in an IPv6 one (NAT64)"},
    {"64:ff9b:1::", 48, "an IPv4 address in an IPv6 one (NAT64 of a site)"},
    {"100::", 64, "discarded"},
    {"2001::", 32, "an IPv4 address in an IPv6 one (Teredo)"},
    {"2001::", 23, "protocols of IPv6 itself; benchmarks"},
    {"2001:db8::", 32, "documentation"},
    {"2002::", 16, "an IPv4 address in an IPv6 one (6to4)"},
    {"3fff::", 20, "documentation"},
    {"5f00::", 16, "segment routing"},
    {"fc00::", 7, "a private network (unique local); clouds' metadata"},
    {"fe80::", 10, "the local link"},
    {"fec0::", 10, "a private network (site local)"},
    {"ff00::", 8, "multicast"},
};
// clang-format on

constexpr AddressRow kGlobalUnicast{"2000::", 3, "no address of the public internet"};

bool is_in(const IpAddress& address, const AddressRow& row) {
    const IpAddress prefix = parse_ip_address(row.prefix).value();
    if (prefix.family != address.family) return false;
    const auto whole = static_cast<size_t>(row.bits / 8);
    if (!std::equal(prefix.bytes.begin(), prefix.bytes.begin() + row.bits / 8, address.bytes.begin()))
        return false;
    const auto rest = static_cast<unsigned>(row.bits % 8);
    return rest == 0 || (prefix.bytes[whole] ^ address.bytes[whole]) >> (8U - rest) == 0;
}

}  // namespace

std::span<const AddressRow> refused_addresses() {
    return kRefused;
}

std::optional<std::string_view> why_refused(const IpAddress& address) {
    for (const AddressRow& row : kRefused)
        if (is_in(address, row)) return row.reason;
    if (address.family == AF_INET6 && !is_in(address, kGlobalUnicast)) return kGlobalUnicast.reason;
    switch (destination_of(address)) {
        case Destination::elsewhere:
            return std::nullopt;
        case Destination::own:
            return "an address of this host";
        case Destination::unknown:
            return "it is not known whether it is an address of this host";
    }
    UNREACHABLE();
}

}  // namespace cellblock::network
