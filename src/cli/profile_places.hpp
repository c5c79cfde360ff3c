// Where commands that belong to no project look for profiles.
#pragma once

#include "cli/commands.hpp"
#include "profile/layers.hpp"

namespace cellblock::cli {

/// The system's and the user's, without those of the directory in which the command happens to run.
inline profile::Places host_places(const Context& context) {
    profile::Places places = profile::places_of(context.variable);
    places.project.clear();
    places.notebook.clear();
    return places;
}

}  // namespace cellblock::cli
