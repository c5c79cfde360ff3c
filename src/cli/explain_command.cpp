// `cellblock explain`: the policy of the jail, row by row with its reasons.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "jail/policy/tables.hpp"
#include "network/address_policy.hpp"
#include "profile/settings.hpp"
#include "session/environment.hpp"

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

jail::policy::Table environment() {
    jail::policy::Table table{"environment",
                              "Environment variables of the worker",
                              "Nothing else of the kernel process's environment comes inside, unless the "
                              "settings environment.pass or "
                              "environment.set name it.",
                              {"variable", "value", "why"},
                              {}};
    for (const session::VariableRow& row : session::environment_rows())
        table.rows.push_back({std::string(row.name), std::string(row.what), std::string(row.reason)});
    return table;
}

jail::policy::Table addresses() {
    jail::policy::Table table{
        "addresses",
        "Addresses that no jail is connected to",
        "With the network 'allow': whatever name leads there. Besides these, the host's own addresses, and "
        "everything of IPv6 outside of 2000::/3.",
        {"addresses", "why"},
        {}};
    for (const network::AddressRow& row : network::refused_addresses())
        table.rows.push_back({std::string(row.prefix) + "/" + std::to_string(row.bits), row.reason});
    return table;
}

jail::policy::Table settings() {
    jail::policy::Table table{"settings",
                              "Settings",
                              "Keys of profiles, and the options of \"cellblock kernel\" and \"cellblock "
                              "install\" that mean the same.",
                              {"key", "option", "what can be written", "default", "tighter", "meaning"},
                              {}};
    for (const profile::Setting& setting : profile::settings())
        table.rows.push_back({std::string(setting.key), std::string(setting.flag), profile::expected(setting),
                              profile::default_of(setting), profile::tighter(setting),
                              std::string(setting.meaning)});
    return table;
}

std::vector<jail::policy::Table> all_tables() {
    auto tables = jail::policy::tables(jail::Level::full, jail::Limits{});
    tables.push_back(addresses());
    tables.push_back(environment());
    tables.push_back(settings());
    return tables;
}

Result<int> explain(const ExplainOptions& options, const Context& context) {
    const auto tables = all_tables();
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
    app.add_option(
           "table", options->table,
           "only this one: files, devices, proc, landlock, calls, refused-calls, arguments, memory-requests, "
           "rlimits, quotas, self-test, backends, addresses, environment or settings")
        ->type_name("TABLE");
    app.add_flag("--markdown", options->markdown, "for a page of documentation");
    return [options, &context] { return explain(*options, context); };
}

}  // namespace cellblock::cli
