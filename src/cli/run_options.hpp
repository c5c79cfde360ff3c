// What `cellblock run` is asked for, and what follows from it: the job, within the settings of this host.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "cli/commands.hpp"
#include "profile/layers.hpp"
#include "run/runner.hpp"

namespace cellblock::cli {

struct RunOptions {
    // The program.
    std::string language;
    std::string code;
    bool has_code = false;
    std::vector<std::string> files;
    std::string program;  ///< a file, a directory or "-"
    std::string python;
    std::string program_template;
    std::vector<std::string> values;  ///< of its placeholders, "NAME=VALUE"
    std::vector<std::string> arguments;
    std::vector<std::string> variables;  ///< "NAME=value"
    std::string stdin_file;
    // Its surroundings.
    std::vector<std::string> volumes;
    std::string workspace;
    std::string working_directory;
    std::map<std::string, std::string> settings;  ///< by the setting's key
    std::string grace = "10ms";
    bool caches_results = false;
    bool keeps_no_builds = false;
    // The result.
    bool json = false;
    bool text = false;
    bool stream = false;
    std::string json_file;
    // Other things than running something.
    bool lists_languages = false;
    bool lists_workspaces = false;
    std::string removed_workspace;
};

/// Adds the options to `app`.
void declare_run_options(CLI::App& app, RunOptions& options);

/// The settings in force: those of the command line, within what the system and the user allow.
Result<profile::Effective> run_settings(const RunOptions& options, const Context& context);
/// Reads the program, finds its toolchain, checks volumes and the rest. Starts nothing.
Result<run::Job> make_job(const RunOptions& options, const profile::Effective& settings,
                          const Context& context);
/// What the program reads; invalid: nothing.
Result<UniqueFd> open_run_input(const RunOptions& options);
/// Where the result is written to (--json-file); invalid: nowhere. Opened, and emptied, before anything runs,
/// and not through a link: an earlier program may have laid it in a directory that was shown to it.
Result<UniqueFd> open_result_file(const RunOptions& options);
/// The program itself must not be able to exchange the file that says what it did.
Result<void> check_result_file(const RunOptions& options, const run::Job& job);
/// Where toolchains are looked for.
run::Search search_of(const RunOptions& options, const Context& context);

}  // namespace cellblock::cli
