// The words of a plan's choices, as settings, records and replies have them.
#include <array>

#include "base/check.hpp"
#include "base/words.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {
namespace {

// In the order of the enumerations.
constexpr std::array<std::string_view, 3> kBackends{"native", "bwrap", "runsc"};
constexpr std::array<std::string_view, 2> kLevels{"full", "namespaced"};

}  // namespace

std::string_view to_text(Backend backend) {
    return kBackends.at(static_cast<size_t>(backend));
}

Result<Backend> parse_backend(std::string_view text) {
    for (const Backend backend : {Backend::native, Backend::bwrap, Backend::runsc})
        if (text == to_text(backend)) return backend;
    return std::move(Error("unknown isolation backend '" + std::string(text) + "'"))
        .with_remedy("Choose 'native', 'bwrap' or 'runsc'.");
}

std::string_view to_text(Level level) {
    return kLevels.at(static_cast<size_t>(level));
}

Result<Level> parse_level(std::string_view text) {
    return static_cast<Level>(TRY(find_word(text, kLevels)));
}

std::string_view to_text(Network network) {
    switch (network) {
        case Network::none:
            return "none";
        case Network::localhost:
            return "localhost";
        case Network::allow:
            return "allow";
    }
    UNREACHABLE();
}

Result<Network> parse_network(std::string_view text) {
    for (const Network network : {Network::none, Network::localhost, Network::allow})
        if (text == to_text(network)) return network;
    return std::move(Error("unknown network '" + std::string(text) + "'"))
        .with_remedy("Choose 'none', 'localhost' or 'allow'.");
}

}  // namespace cellblock::jail
