// How `--help` looks: what the command is for, its usage, its options in groups, and examples, 100 columns
// wide.
#pragma once

#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cellblock::cli {

/// Makes `app` and every subcommand added to it later answer --help with help_text().
void use_own_help(CLI::App& app);

/// The text for the command `name`, e.g. "cellblock install".
std::string help_text(const CLI::App& app, const std::string& name);

/// How an option is written: "-f, --connection-file FILE".
std::string option_syntax(const CLI::Option& option);

}  // namespace cellblock::cli
