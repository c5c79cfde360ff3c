// What `cellblock doctor` makes of the jail's probes.
#pragma once

#include <string>
#include <vector>

#include "jail/jail.hpp"
#include "jail/probes.hpp"

namespace cellblock::cli {

/// Would a jail of this level start?
bool can_enforce(const std::vector<jail::Probe>& probes, jail::Level level);

/// For people: a table, what to do, and which levels can be had.
std::string diagnosis_text(const std::vector<jail::Probe>& probes, jail::Level asked);
/// The same for programs.
std::string diagnosis_json(const std::vector<jail::Probe>& probes, jail::Level asked);

}  // namespace cellblock::cli
