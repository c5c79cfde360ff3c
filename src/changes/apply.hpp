// Carries changes over to the host's directory. The changes were written by hostile code: no symbolic link is
// followed or made, no device, FIFO, setuid bit or extended attribute is carried over, nothing outside of the
// directory is reached, and a file is either the old one or the new one at every moment.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "changes/set.hpp"

namespace cellblock::changes {

struct Selection {
    /// Paths of files, or of directories with what lies below; empty: everything. A protected path is taken
    /// only when it is named itself.
    std::vector<std::string> paths;
    bool over_conflicts = false;  ///< also where the host's file has changed since
    bool dry_run = false;         ///< only say what would happen
};

enum class Answer {
    applied,
    conflict,        ///< the host's file is not the one any more that the cell changed
    protected_name,  ///< it has to be named
    refused,         ///< nothing of its kind is ever carried over, or its contents were not kept
    failed,          ///< the system did not let us
};
std::string_view to_text(Answer answer);

struct Outcome {
    std::string path;
    Answer answer = Answer::applied;
    std::string reason;  ///< empty when applied
};

/// True when `selection` covers `path`.
bool is_selected(const Selection& selection, const std::string& path);

/// One outcome for each selected change. What was applied is taken off the set, unless this is a dry run.
/// Files get the owner of what they replace, or of their directory. `directory_fd` is the host's directory.
/// The set's lock must be held. The error says that the set could not be written.
Result<std::vector<Outcome>> apply(Set& set, int directory_fd, const Selection& selection);

}  // namespace cellblock::changes
