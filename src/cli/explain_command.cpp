// `cellblock explain`: the policy of the jail, row by row with its reasons.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "jail/policy/tables.hpp"

namespace cellblock::cli {
namespace {

struct ExplainOptions {
    std::string table;
    bool markdown = false;
};

// As much as a table's cell can carry without being read as something else.
std::string markdown_cell(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (std::string_view("|*_<>`\\").find(c) != std::string_view::npos) escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string markdown_row(const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const std::string& cell : cells) line += " " + markdown_cell(cell) + " |";
    return line + "\n";
}

std::string markdown(const jail::policy::Table& table) {
    std::string text =
        "## " + table.title + "\n\n" + table.about + "\n\n" + markdown_row(table.heading) + "|";
    for (size_t i = 0; i < table.heading.size(); ++i) text += "---|";
    text += "\n";
    for (const auto& row : table.rows) text += markdown_row(row);
    return text + "\n";
}

std::string plain(const jail::policy::Table& table) {
    Table shown(table.heading);
    for (const auto& row : table.rows) shown.add(row);
    return table.title + "\n" + table.about + "\n\n" + shown.text() + "\n";
}

Result<int> explain(const ExplainOptions& options, const Context& context) {
    const auto tables = jail::policy::tables(jail::Level::full, jail::Limits{});
    const bool known =
        options.table.empty() || std::any_of(tables.begin(), tables.end(),
                                             [&](const auto& table) { return table.name == options.table; });
    if (!known) {
        std::string names;
        for (const auto& table : tables) names += (names.empty() ? "" : ", ") + table.name;
        return std::move(Error("there is no table \"" + options.table + "\""))
            .with_remedy("There are: " + names + ".");
    }
    if (options.markdown && options.table.empty())
        context.out << "# What the jail allows and refuses\n\nWritten by `cellblock explain --markdown` from "
                       "the tables "
                       "that the jail applies.\n\n";
    for (const auto& table : tables)
        if (options.table.empty() || table.name == options.table)
            context.out << (options.markdown ? markdown(table) : plain(table));
    return 0;
}

}  // namespace

Action declare_explain(CLI::App& app, const Context& context) {
    app.footer("Examples:\n  cellblock explain | less\n  cellblock explain refused-calls");
    auto options = std::make_shared<ExplainOptions>();
    app.add_option("table", options->table,
                   "only this one: files, proc, landlock, calls, refused-calls, arguments, rlimits, quotas "
                   "or self-test")
        ->type_name("TABLE");
    app.add_flag("--markdown", options->markdown, "for a page of documentation");
    return [options, &context] { return explain(*options, context); };
}

}  // namespace cellblock::cli
