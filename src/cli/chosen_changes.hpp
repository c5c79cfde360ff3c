// Which changes `cellblock diff`, `apply` and `discard` are about: those of a directory, or a set by its
// name.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "changes/set.hpp"
#include "cli/commands.hpp"

namespace cellblock::cli {

struct ChangesOptions {
    std::string directory;  ///< empty: the current one
    std::string id;         ///< one set; empty: all of the directory
    bool everywhere = false;
};

/// Adds --directory and --changes to `app`.
void declare_changes_options(CLI::App& app, ChangesOptions& options);

/// The sets that are meant and not empty, oldest first, each locked. An error when the one named is not
/// there.
Result<std::vector<changes::Set>> open_changes(const ChangesOptions& options, const Context& context);

/// Exactly one of them, for commands that change something.
Result<changes::Set> open_one(const ChangesOptions& options, const Context& context);

/// Paths as a person types them (relative to the set's directory, or absolute below it) as a Change has them.
Result<std::vector<std::string>> read_paths(const std::vector<std::string>& typed,
                                            const std::string& directory);

/// Opens the directory that a set is about.
Result<UniqueFd> open_directory(const changes::Set& set);

}  // namespace cellblock::cli
