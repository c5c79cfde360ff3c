// What `cellblock doctor` makes of the jail's probes.
#pragma once

#include <string>
#include <vector>

#include "jail/jail.hpp"
#include "jail/probes.hpp"

namespace cellblock::cli {

/// What is asked of the host.
struct Demand {
    jail::Level level = jail::Level::full;
    jail::LandlockUse landlock = jail::LandlockUse::required;
    std::string profile{};  ///< that says so; empty: none was named
    jail::Backend backend = jail::Backend::native;
};

/// Would such a jail start?
bool can_enforce(const std::vector<jail::Probe>& probes, const Demand& demand);

/// For people: a table, what to do, and which levels can be had.
std::string diagnosis_text(const std::vector<jail::Probe>& probes, const Demand& asked);
/// The same for programs.
std::string diagnosis_json(const std::vector<jail::Probe>& probes, const Demand& asked);

}  // namespace cellblock::cli
