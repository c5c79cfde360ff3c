// `cellblock audit match`: a saved notebook against the log.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json_text.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "cli/audit.hpp"
#include "cli/json_output.hpp"
#include "cli/notebook_match.hpp"
#include "cli/table.hpp"
#include "observe/reader.hpp"
#include "observe/record.hpp"

namespace cellblock::cli {
namespace {

/// Of a cell's code in the table.
constexpr size_t kShownSource = 24;

Result<std::vector<MatchedCell>> match(const std::string& notebook, const std::string& log) {
    const std::string text = TRY(sys::read_file(notebook, kMaxNotebook));
    auto match = NotebookMatch::read(text);
    if (!match) return std::move(match).error().context("read " + printable(notebook));
    observe::Reader reader = TRY(observe::Reader::open(log));
    observe::Reader::Line line;
    while (TRY(reader.next(line))) {
        if (!line.whole) continue;
        if (const auto record = observe::parse_intact(line.text)) match->add_record(record->type, line.text);
    }
    return match->cells();
}

bool is_good(const MatchedCell& cell) {
    return cell.state == MatchState::match || cell.state == MatchState::empty;
}

void print_table(const std::vector<MatchedCell>& cells, std::ostream& out) {
    Table table({"CELL", "CODE", "STATE", "WHEN (UTC)", "VERDICT", "RECORD", "WHY"});
    size_t good = 0;
    for (const MatchedCell& cell : cells) {
        good += is_good(cell) ? 1U : 0U;
        const auto first_line = std::string_view(cell.source).substr(0, cell.source.find('\n'));
        const MatchedRecord record = cell.record.value_or(MatchedRecord());
        table.add({std::to_string(cell.number), std::string(whole_prefix(first_line, kShownSource)),
                   std::string(to_text(cell.state)), record.time.substr(0, 19), record.verdict, record.seq,
                   cell.reason});
    }
    if (!cells.empty()) out << table.text();
    out << good << " of " << cells.size() << " code cells are what was recorded.\n";
}

void print_json(const std::vector<MatchedCell>& cells, std::ostream& out) {
    auto list = nlohmann::ordered_json::array();
    for (const MatchedCell& cell : cells) {
        nlohmann::ordered_json one{{"cell", cell.number},
                                   {"id", cell.id},
                                   {"state", to_text(cell.state)},
                                   {"reason", cell.reason},
                                   {"record", nullptr}};
        if (cell.record)
            one["record"] = {{"seq", cell.record->seq},
                             {"time", cell.record->time},
                             {"verdict", cell.record->verdict},
                             {"kernel", cell.record->kernel},
                             {"hash", cell.record->hash}};
        list.push_back(std::move(one));
    }
    const nlohmann::ordered_json json{{"ok", std::ranges::all_of(cells, is_good)}, {"cells", list}};
    out << json_output(json);
}

}  // namespace

Action declare_audit_match(CLI::App& app, const Context& context) {
    auto notebook = std::make_shared<std::string>();
    app.add_option("NOTEBOOK", *notebook, "the saved notebook")->required()->type_name("NOTEBOOK");
    const auto path = add_log_path(app);
    auto json = std::make_shared<bool>(false);
    app.add_flag("--json", *json, "print JSON");
    return [=, &context]() -> Result<int> {
        const std::string log = TRY(log_directory(*path, context));
        // What is compared with an altered log says nothing.
        if (!TRY(check_log(log, context))) return kAltered;
        const std::vector<MatchedCell> cells = TRY(match(*notebook, log));
        if (*json)
            print_json(cells, context.out);
        else
            print_table(cells, context.out);
        return std::ranges::all_of(cells, is_good) ? 0 : kFailed;
    };
}

}  // namespace cellblock::cli
