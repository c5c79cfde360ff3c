// `cellblock apply`: carries what cells have changed over to the host's directory.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "changes/apply.hpp"
#include "changes/names.hpp"
#include "cli/chosen_changes.hpp"
#include "cli/json_output.hpp"
#include "cli/table.hpp"

namespace cellblock::cli {
namespace {

struct Options {
    ChangesOptions chosen;
    std::vector<std::string> paths;
    bool over_conflicts = false;
    bool dry_run = false;
    bool json = false;
};

void print_table(const std::vector<changes::Outcome>& outcomes, bool dry_run, std::ostream& out) {
    Table table({dry_run ? "WOULD BE" : "RESULT", "PATH", "WHY"});
    for (const changes::Outcome& outcome : outcomes)
        table.add({std::string(to_text(outcome.answer)), changes::printable(outcome.path), outcome.reason});
    out << table.text();
}

void print_json(const std::vector<changes::Outcome>& outcomes, std::ostream& out) {
    auto list = nlohmann::ordered_json::array();
    for (const changes::Outcome& outcome : outcomes)
        list.push_back({{"path", changes::printable(outcome.path)},
                        {"encoded_path", changes::encode(outcome.path)},
                        {"result", to_text(outcome.answer)},
                        {"reason", outcome.reason}});
    out << json_output(list);
}

Result<int> apply(const Options& options, const Context& context) {
    changes::Set set = TRY(open_one(options.chosen, context));
    const UniqueFd directory = TRY(open_directory(set));
    const changes::Selection selection{TRY(read_paths(options.paths, set.header().directory)),
                                       options.over_conflicts, options.dry_run};
    const auto outcomes = TRY(changes::apply(set, directory.get(), selection));
    if (outcomes.empty()) return Error("no cell has changed anything of that name");
    if (options.json)
        print_json(outcomes, context.out);
    else
        print_table(outcomes, options.dry_run, context.out);
    const bool finished = set.changes().empty() && set.header().complete;
    if (finished && !set.is_running()) TRY(set.remove());
    const bool all = std::ranges::all_of(
        outcomes, [](const changes::Outcome& outcome) { return outcome.answer == changes::Answer::applied; });
    return all ? 0 : kFailed;
}

}  // namespace

Action declare_apply(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n"
        "  cellblock apply --dry-run               what would be carried over to this directory\n"
        "  cellblock apply results plots/a.png     these only\n"
        "  cellblock apply --over-conflicts a.csv  also over what was changed meanwhile");
    auto options = std::make_shared<Options>();
    app.add_option("PATH", options->paths,
                   "only these files and directories; a protected file is taken only when it is named")
        ->type_name("PATH");
    declare_changes_options(app, options->chosen);
    app.add_flag("--over-conflicts", options->over_conflicts,
                 "also where the host's file was changed meanwhile");
    app.add_flag("--dry-run", options->dry_run, "only say what would happen");
    app.add_flag("--json", options->json, "print JSON");
    return [options, &context]() { return apply(*options, context); };
}

}  // namespace cellblock::cli
