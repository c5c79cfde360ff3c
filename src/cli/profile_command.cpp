// `cellblock profile`: the settings that a kernel would have here, and where each comes from.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/json_output.hpp"
#include "cli/kernel_options.hpp"
#include "cli/table.hpp"
#include "profile/layers.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
    profile::Arguments arguments;
    std::string directory;
    std::string notebook;
    std::string print;
    bool json = false;
};

std::string text_of(const profile::Effective& effective) {
    Table table({"SETTING", "VALUE", "FROM"});
    for (const profile::Line& line : effective.lines)
        table.add({std::string(line.setting->key), line.value, line.origin});
    std::string text = table.text() + "\nProfile " + effective.profile + ", " + effective.digest + "\n";
    for (const std::string& note : effective.notes) text += "note: " + note + "\n";
    return text;
}

std::string json_of(const profile::Effective& effective) {
    nlohmann::ordered_json report;
    report["profile"] = effective.profile;
    report["digest"] = effective.digest;
    for (const profile::Line& line : effective.lines)
        report["settings"][std::string(line.setting->key)] = {{"value", line.value}, {"from", line.origin}};
    report["notes"] = effective.notes;
    return json_output(report);
}

Result<int> show(const Options& options, const Context& context) {
    profile::Places places = profile::places_of(context.variable);
    std::error_code error;
    if (!options.print.empty()) {
        const std::string text = profile::shipped_profile(options.print);
        if (text.empty())
            return Error("there is no shipped profile \"" + options.print + "\"")
                .with_remedy("There are: default, strict, data-science.");
        context.out << text;
        return 0;
    }
    places.notebook = options.notebook.empty() ? "" : fs::absolute(options.notebook, error).string();
    // A kernel starts where its notebook lies.
    if (!places.notebook.empty()) places.project = fs::path(places.notebook).parent_path().string();
    if (!options.directory.empty()) places.project = options.directory;
    if (!fs::is_directory(places.project, error)) return Error(places.project + " is no directory");
    if (!places.notebook.empty() && !fs::exists(places.notebook, error))
        return Error("there is no notebook " + places.notebook);
    const profile::Effective effective = TRY(profile::resolve(places, options.arguments));
    context.out << (options.json ? json_of(effective) : text_of(effective));
    return 0;
}

}  // namespace

Action declare_profile(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n"
        "  cellblock profile --notebook analysis.ipynb\n"
        "  cellblock profile --profile strict --memory 1GiB\n"
        "  cellblock profile --print strict > ~/.config/cellblock/profiles/mine.toml");
    auto options = std::make_shared<Options>();
    app.add_option("--directory", options->directory, "where the kernel would start (default: here)")
        ->type_name("DIRECTORY");
    app.add_option("--notebook", options->notebook, "the notebook that it would run (default: none)")
        ->type_name("FILE");
    app.add_flag("--json", options->json, "print JSON");
    app.add_option("--print", options->print, "print the file of a shipped profile, to start one's own from")
        ->type_name("NAME");
    declare_kernel_options(
        app, "As if the kernelspec had",
        [options](const profile::Setting& setting, const std::string& text) {
            options->arguments.settings.emplace_back(&setting, text);
        },
        [options](const std::string& name) { options->arguments.profile = name; });
    return [options, &context] { return show(*options, context); };
}

}  // namespace cellblock::cli
