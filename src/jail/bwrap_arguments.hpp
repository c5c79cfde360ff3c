// A mount view in bubblewrap's words.
#pragma once

#include <string>
#include <vector>

#include "jail/hand_over.hpp"
#include "jail/identity.hpp"
#include "jail/jail.hpp"
#include "jail/view.hpp"

namespace cellblock::jail {

/// Descriptors of the process that executes bubblewrap, beside given_fd.
namespace bwrap_fd {
inline constexpr int kArguments = given_fd::kFirstOther;
inline constexpr int kFirstText = kArguments + 1;  ///< contents of generated files
}  // namespace bwrap_fd

/// For root's jails: where trees that the jail's user could not reach by their paths are attached before
/// bubblewrap runs, by their index in View::trees, in a mount namespace of its own.
inline constexpr const char* kStaging = "/run";
std::string staged_path(size_t tree);

struct BwrapArguments {
    std::vector<std::string> options;
    std::vector<std::string>
        texts;  ///< contents of generated files: of the descriptors from bwrap_fd::kFirstText on
};

/// bubblewrap's options for this view: namespaces, ids, mounts. Looks at the host's /proc for what there is
/// to mask, and what is mounted there.
Result<BwrapArguments> bwrap_arguments(const Plan& plan, const Identity& identity, const View& view);
/// The mount points below /proc, of the text of /proc/PID/mountinfo (proc(5)).
std::vector<std::string> mounts_below_proc(const std::string& mount_info);

}  // namespace cellblock::jail
