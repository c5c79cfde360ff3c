// What is a name, in the order in which mistakes are most likely.
#include "base/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/printable.hpp"

namespace cellblock {
namespace {

Error refused(std::string_view text, const std::string& why) {
    return Error("allow the network name " + in_quotes(text) + ": " + why);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// As lookups take it: decimal, octal or hexadecimal. Such a last label makes an address of the whole
/// (inet_aton(3): "127.1", "0x7f.1").
bool is_number(std::string_view label) {
    if (label.starts_with("0x"))
        return std::ranges::all_of(label.substr(2),
                                   [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
    return std::ranges::all_of(label, is_digit);
}

Result<void> check_label(std::string_view text, std::string_view label) {
    if (label.empty()) return refused(text, "there is nothing between two dots, or before the first");
    if (label.size() > kMaxHostLabel)
        return refused(text, "more than " + std::to_string(kMaxHostLabel) + " characters without a dot");
    const bool sound = std::ranges::all_of(
        label, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; });
    if (!sound) return refused(text, "a name has letters, digits, \"-\" and dots only");
    if (label.front() == '-' || label.back() == '-')
        return refused(text, "\"-\" stands at the beginning or the end of a part");
    return {};
}

Result<std::string> parse_host(std::string_view text, std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.find('*') != std::string_view::npos)
        return refused(text, "names are exact, there are no patterns")
            .with_remedy("Name each host; a host's subdomains are others.");
    if (std::ranges::any_of(host, [](char c) { return static_cast<unsigned char>(c) > 0x7f; }))
        return refused(text, "it has letters outside of ASCII")
            .with_remedy("Write it as it stands in the DNS: xn--…");
    if (host.find_first_of(":[]") != std::string_view::npos)
        return refused(text, "it is an address or has two ports, and only names can be allowed");
    std::string name(host);
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (name.empty()) return refused(text, "there is no name");
    if (name.size() > kMaxHostName)
        return refused(text, "it has more than " + std::to_string(kMaxHostName) + " characters");
    std::string_view last;
    for (size_t begin = 0; begin <= name.size();) {
        const size_t end = std::min(name.find('.', begin), name.size());
        last = std::string_view(name).substr(begin, end - begin);
        TRY(check_label(text, last));
        begin = end + 1;
    }
    if (is_number(last)) return refused(text, "it is an address, and only names can be allowed");
    if (last == "localhost")
        return refused(text,
                       "it is this machine, which no jail can reach; a jail has a localhost of its own");
    if (last.size() == name.size())
        return refused(text, "a name without a dot means another host at each site")
            .with_remedy("Write the full name.");
    return name;
}

}  // namespace

std::string to_text(const Endpoint& endpoint) {
    return endpoint.host + ":" + std::to_string(endpoint.port);
}

Result<std::vector<Endpoint>> parse_endpoints(std::string_view text) {
    if (text.find('/') != std::string_view::npos)
        return refused(text, "a name is expected, with a port or without, and no URL");
    const size_t colon = text.rfind(':');
    std::vector<Endpoint> endpoints;
    if (colon == std::string_view::npos) {
        const std::string host = TRY(parse_host(text, text));
        for (const uint16_t port : kDefaultPorts) endpoints.push_back({host, port});
        return endpoints;
    }
    std::string host = TRY(parse_host(text, text.substr(0, colon)));
    const std::string_view digits = text.substr(colon + 1);
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port == 0)
        return refused(text, in_quotes(digits) + " is no port: a number from 1 to 65535 is expected");
    endpoints.push_back({std::move(host), port});
    return endpoints;
}

Result<void> check_endpoints(const std::vector<Endpoint>& endpoints) {
    std::set<std::string_view> names;
    for (const Endpoint& endpoint : endpoints) names.insert(endpoint.host);
    if (names.size() > kMaxAllowedNames)
        return Error("allow " + std::to_string(names.size()) +
                     " network names: " + std::to_string(kMaxAllowedNames) + " are the most");
    if (endpoints.size() > kMaxAllowedEndpoints)
        return Error("allow " + std::to_string(endpoints.size()) + " network names with their ports: " +
                     std::to_string(kMaxAllowedEndpoints) + " are the most");
    return {};
}

}  // namespace cellblock
