// The table of commands.
#include "cli/commands.hpp"

#include <array>

namespace cellblock::cli {
namespace {

// clang-format off
constexpr std::array kCommands{
    Command{"install",   "make a Python environment selectable in Jupyter as a sandboxed kernel", declare_install},
    Command{"list",      "show the installed kernels and whether they are healthy",               declare_list},
    Command{"uninstall", "remove an installed kernel",                                            declare_uninstall},
    Command{"diff",      "show what cells have changed beside their notebook",                    declare_diff},
    Command{"apply",     "carry what cells have changed over to the host's directory",            declare_apply},
    Command{"discard",   "forget what cells have changed",                                        declare_discard},
    Command{"doctor",    "say what this host can enforce, and what to do where it cannot",        declare_doctor},
    Command{"profile",   "show the settings that a kernel would have, and where each comes from",  declare_profile},
    Command{"explain",   "show the jail's policy, row by row, with the reason of each",           declare_explain},
    Command{"delegate",  "as root: let a user's kernels have hard limits (cgroups)",              declare_delegate},
    Command{"run",       "run one program in a jail of its own: five languages, one result",      declare_run},
    Command{"audit",     "check and read the log of what ran",                                    declare_audit},
    kKernelCommand,
};
// clang-format on

}  // namespace

std::span<const Command> commands() {
    return kCommands;
}

}  // namespace cellblock::cli
