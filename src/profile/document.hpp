// A profile, checked against the table of settings: what a file or a notebook says, each value with its
// place. Reading is strict: what is not understood is an error, because it may have been meant to tighten.
#pragma once

#include <string>
#include <vector>

#include "profile/node.hpp"
#include "profile/settings.hpp"

namespace cellblock::profile {

struct Entry {
    const Setting* setting;
    std::string text;   ///< as apply() takes it; has been checked
    std::string place;  ///< "/etc/cellblock/cellblock.toml:3:10"
};

struct Document {
    std::string base;  ///< the profile that it starts from; empty: none was named
    std::string base_place;
    std::vector<Entry> entries;
    std::vector<Entry> ceilings;  ///< [ceiling.…]
};

/// What may be in a document besides settings.
enum class Extent {
    settings,          ///< nothing: projects and notebooks
    base,              ///< `profile = NAME`: users' files and profiles
    base_and_ceiling,  ///< and [ceiling.…]: the system's file
};

/// The error has the place, what was expected, and the key that was probably meant.
Result<Document> read_document(const Node& root, Extent extent);

}  // namespace cellblock::profile
