// A jail in the words of the Open Container Initiative's runtime specification, for gVisor.
#pragma once

#include <string>

#include "jail/identity.hpp"
#include "jail/jail.hpp"
#include "jail/view.hpp"

namespace cellblock::jail {

/// Where gVisor's configuration and state lie, in a file system that hides an empty directory of the view.
/// Nobody inside sees them: their root is a copy of the view's mounts.
inline constexpr const char* kGvisorPlace = "/run";
inline constexpr const char* kRootForGvisor = "/run/root";
/// What is shown there instead: jail-init. (It needs a path, since the C library of a static program looks
/// for its own.)
inline constexpr const char* kShownPlace = "/run/shown";
inline constexpr const char* kJailInit = "/run/shown/jail-init";
inline constexpr const char* kJailInitInside = "/run/jail-init";

/// The option of runsc for it. Not Network::allow, see Guarantee::allowed_names.
std::string runsc_network(Network network);

/// config.json: the root is the finished view, and what takes writes in it is mounted once more to take them.
std::string runsc_config(const Plan& plan, const Identity& identity, const View& view);

}  // namespace cellblock::jail
