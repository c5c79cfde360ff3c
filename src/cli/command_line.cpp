// The frame around commands: help, version, errors, exit statuses.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "base/installation.hpp"
#include "base/printable.hpp"
#include "base/spelling.hpp"
#include "build_info.hpp"
#include "cli/commands.hpp"
#include "cli/help.hpp"

namespace cellblock::cli {
namespace {

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

bool is_command(std::span<const Command> table, const std::string& name) {
    return std::ranges::find(table, name, &Command::name) != table.end();
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

int run(std::span<const Command> table, const std::vector<std::string>& arguments, const Context& context) {
    CLI::App app(kDescription, "cellblock");
    app.set_version_flag("--version", std::string("cellblock ") + kVersion, "print the version");
    app.set_help_flag("-h,--help", "print this help");
    use_own_help(app);
    // No more than one: further words belong to the command, also when they look like another.
    app.require_subcommand(0, 1);

    // Where one is named, the others would take longer than most of what it does.
    const bool is_named = !arguments.empty() && is_command(table, arguments.front());
    Action action;
    for (const Command& command : table) {
        if (is_named && arguments.front() != command.name) continue;
        CLI::App* subcommand = app.add_subcommand(std::string(command.name), std::string(command.summary));
        if (is_named) action = command.declare(*subcommand, context);
    }
    app.footer(kExamples);  // after the commands, which would take it over

    if (arguments.empty()) {
        context.err << help_text(app, "cellblock");
        return kUsage;
    }
    const std::string& first = arguments.front();
    if (!first.starts_with("-") && !is_named) {
        context.err << "cellblock: there is no command " << in_quotes(first)
                    << ". \"cellblock --help\" lists them.\n";
        return kUsage;
    }
    const std::string name = is_named ? "cellblock " + first : "cellblock";
    try {
        // CLI11 takes arguments from the back.
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::Success& success) {
        // --help and --version
        return app.exit(success, context.out, context.err);
    } catch (const CLI::ParseError& error) {
        const auto chosen = app.get_subcommands();
        const std::string meant = chosen.empty() ? "" : suggestion(*chosen.front(), arguments);
        context.err << name << ": " << printable_sentence(meant.empty() ? error.what() : meant) << "\n\""
                    << name << " --help\" explains the options.\n";
        return kUsage;
    }
    if (!is_named) {
        context.err << "cellblock: one command is expected. \"cellblock --help\" lists them.\n";
        return kUsage;
    }
    const Result<int> result = action();
    if (result) return *result;
    // It may quote a stranger's file.
    context.err << name << ": " << result.error().sentence() << "\n";
    return kFailed;
}

int run_program(std::span<const Command> table, const std::vector<std::string>& arguments,
                const ProbeHost& probe_host, const RunKernel& run_kernel) {
    const auto root = installation_root();
    if (!root) {
        std::cerr << "cellblock: " << root.error().sentence() << "\n";
        return kFailed;
    }
    const Context context{std::cout,
                          std::cerr,
                          environment_variable,
                          probe_host,
                          *root + "/bin/cellblock",
                          *root + "/lib/cellblock",
                          run_kernel};
    return run(table, arguments, context);
}

}  // namespace cellblock::cli
