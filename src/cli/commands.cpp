// The table of commands, and the frame around them: help, version, errors, exit statuses.
#include "cli/commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <ostream>

#include "build_info.hpp"

namespace cellblock::cli {
namespace {

// clang-format off
constexpr std::array kCommands{
    Command{"install",   "make a Python environment selectable in Jupyter as a sandboxed kernel", declare_install},
    Command{"list",      "show the installed kernels and whether they are healthy",               declare_list},
    Command{"uninstall", "remove an installed kernel",                                            declare_uninstall},
    Command{"doctor",    "say what this host can enforce, and what to do where it cannot",        declare_doctor},
    Command{"delegate",  "as root: let a user's kernels have hard limits (cgroups)",              declare_delegate},
    Command{"kernel",    "run a kernel; front ends do this, through the installed kernelspec",    declare_kernel},
};
// clang-format on

constexpr const char* kDescription =
    "Cellblock is a Jupyter kernel whose cells run in a jail: they cannot read your home directory, reach "
    "the\n"
    "network or eat the machine. Front ends show it as \"Python (sandboxed)\".";

constexpr const char* kExamples =
    "Examples:\n"
    "  cellblock doctor                               can this host enforce it?\n"
    "  cellblock install --python .venv/bin/python    for Jupyter of this user\n"
    "  cellblock install --python .venv/bin/python --prefix .venv --memory 4GiB\n"
    "  cellblock list\n"
    "\n"
    "\"cellblock COMMAND --help\" explains a command.";

}  // namespace

std::span<const Command> commands() {
    return kCommands;
}

int run(const std::vector<std::string>& arguments, const Context& context) {
    CLI::App app(kDescription, "cellblock");
    app.footer(kExamples);
    app.set_version_flag("--version", std::string("cellblock ") + kVersion);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.require_subcommand(1);
    app.get_formatter()->column_width(30);

    std::map<CLI::App*, Action> actions;
    for (const Command& command : kCommands) {
        CLI::App* subcommand = app.add_subcommand(std::string(command.name), std::string(command.summary));
        actions[subcommand] = command.declare(*subcommand, context);
    }

    try {
        // CLI11 takes arguments from the back.
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        // Also --help and --version, which CLI11 reports as errors with status 0.
        return app.exit(error, context.out, context.err) == 0 ? 0 : kUsage;
    }

    CLI::App* chosen = app.get_subcommands().front();
    const Result<int> result = actions.at(chosen)();
    if (result) return *result;
    context.err << "cellblock " << chosen->get_name() << ": " << result.error().sentence() << "\n";
    return kFailed;
}

}  // namespace cellblock::cli
