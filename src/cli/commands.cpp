// The table of commands, and the frame around them: help, version, errors, exit statuses.
#include "cli/commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <ostream>

#include "base/spelling.hpp"
#include "build_info.hpp"
#include "cli/help.hpp"

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

bool is_command(const std::string& name) {
    return std::any_of(kCommands.begin(), kCommands.end(),
                       [&](const Command& command) { return command.name == name; });
}

/// The option that a word of the command line was probably meant to be; empty when there is none like it.
std::string suggestion(const CLI::App& app, const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
        const std::string name = argument.substr(0, argument.find('='));
        if (!name.starts_with("--") || app.get_option_no_throw(name)) continue;
        for (const CLI::Option* option : app.get_options())
            for (const std::string& known : option->get_lnames())
                if (is_misspelt(name, "--" + known))
                    return "there is no option " + name + ". Did you mean --" + known + "?";
    }
    return "";
}

}  // namespace

std::span<const Command> commands() {
    return kCommands;
}

int run(const std::vector<std::string>& arguments, const Context& context) {
    CLI::App app(kDescription, "cellblock");
    app.set_version_flag("--version", std::string("cellblock ") + kVersion, "print the version");
    app.set_help_flag("-h,--help", "print this help");
    use_own_help(app);
    // No more than one: further words belong to the command, also when they look like another.
    app.require_subcommand(0, 1);

    std::map<CLI::App*, Action> actions;
    for (const Command& command : kCommands) {
        CLI::App* subcommand = app.add_subcommand(std::string(command.name), std::string(command.summary));
        actions[subcommand] = command.declare(*subcommand, context);
    }
    app.footer(kExamples);  // after the commands, which would take it over

    if (arguments.empty()) {
        context.err << help_text(app, "cellblock");
        return kUsage;
    }
    const std::string& first = arguments.front();
    if (!first.starts_with("-") && !is_command(first)) {
        context.err << "cellblock: there is no command \"" << first
                    << "\". \"cellblock --help\" lists them.\n";
        return kUsage;
    }
    const std::string name = is_command(first) ? "cellblock " + first : "cellblock";
    try {
        // CLI11 takes arguments from the back.
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::Success& success) {
        // --help and --version
        return app.exit(success, context.out, context.err);
    } catch (const CLI::ParseError& error) {
        const auto chosen = app.get_subcommands();
        const std::string meant = chosen.empty() ? "" : suggestion(*chosen.front(), arguments);
        context.err << name << ": " << (meant.empty() ? error.what() : meant) << "\n\"" << name
                    << " --help\" explains the options.\n";
        return kUsage;
    }
    const auto chosen = app.get_subcommands();
    if (chosen.size() != 1) {
        context.err << "cellblock: one command is expected. \"cellblock --help\" lists them.\n";
        return kUsage;
    }
    const Result<int> result = actions.at(chosen.front())();
    if (result) return *result;
    // It may quote a stranger's file.
    context.err << name << ": " << result.error().sentence() << "\n";
    return kFailed;
}

}  // namespace cellblock::cli
