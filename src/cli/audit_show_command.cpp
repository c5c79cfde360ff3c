// `cellblock audit show`, `tail` and `stats`: reading the log.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "base/bytes.hpp"
#include "base/printable.hpp"
#include "cli/audit.hpp"
#include "cli/json_output.hpp"
#include "cli/table.hpp"

namespace cellblock::cli {
namespace {

/// How often `tail --follow` looks for more.
constexpr std::chrono::milliseconds kFollowInterval{200};
/// Notebooks that `stats` names, those with the most cells first.
constexpr size_t kNotebooksInStats = 20;
constexpr size_t kShownKernel = 8;

std::string bytes_text(std::optional<int64_t> bytes) {
    return bytes && *bytes >= 0 ? to_text(Bytes{static_cast<uint64_t>(*bytes)}) : "";
}

std::string memory_text(const ShownRecord& record) {
    const std::string text = bytes_text(record.memory_peak);
    return text.empty() || record.is_own_peak ? text : "<= " + text;
}

std::vector<std::string> row_of(const ShownRecord& record) {
    return {record.seq,
            record.time.substr(0, 19),
            record.type,
            record.kernel.substr(0, kShownKernel),
            record.notebook,
            record.verdict,
            duration_text(record.wall_us),
            duration_text(record.cpu_us),
            memory_text(record),
            bytes_text(record.io_read),
            bytes_text(record.io_written),
            record.details};
}

Table empty_table() {
    return Table({"RECORD", "TIME (UTC)", "TYPE", "KERNEL", "NOTEBOOK", "VERDICT", "WALL", "CPU", "MEMORY",
                  "READ", "WRITTEN", "DETAILS"});
}

void warn_of_damage(const AuditRecords& records, const Context& context) {
    if (records.damaged() > 0)
        context.err
            << "note: " << records.damaged()
            << " lines are no records, or not what was written; \"cellblock audit verify\" says more\n";
}

Result<int> show(const std::string& directory, const AuditFilter& filter, bool json, const Context& context) {
    AuditRecords records = TRY(AuditRecords::open(directory, filter));
    Table table = empty_table();
    ShownRecord record;
    while (TRY(records.next(record))) {
        if (json && record.intact)
            context.out << printable_json(record.line) << "\n";
        else if (!json)
            table.add(row_of(record));
    }
    if (!json) context.out << table.text();
    warn_of_damage(records, context);
    return 0;
}

struct TailOptions {
    size_t count = 10;
    bool follow = false;
    bool json = false;
};

Result<int> tail(const std::string& directory, const AuditFilter& filter, const TailOptions& options,
                 const Context& context) {
    AuditRecords records = TRY(AuditRecords::open(directory, filter));
    std::deque<ShownRecord> last;
    ShownRecord record;
    while (TRY(records.next(record))) {
        last.push_back(record);
        if (last.size() > options.count) last.pop_front();
    }
    const auto print = [&](const auto& some) {
        Table table = empty_table();
        for (const ShownRecord& one : some) {
            if (options.json && one.intact) context.out << printable_json(one.line) << "\n";
            table.add(row_of(one));
        }
        if (!options.json) context.out << table.text();
        context.out.flush();
    };
    print(last);
    while (options.follow && context.out.good()) {
        std::this_thread::sleep_for(kFollowInterval);
        TRY(records.refresh());
        std::vector<ShownRecord> more;
        while (TRY(records.next(record))) more.push_back(record);
        if (!more.empty()) print(more);
    }
    warn_of_damage(records, context);
    return 0;
}

struct Sums {
    uint64_t cells = 0;
    uint64_t not_ok = 0;
    int64_t wall_us = 0;
    int64_t cpu_us = 0;
    int64_t memory_peak = 0;
    int64_t io_read = 0;
    int64_t io_written = 0;

    void add(const ShownRecord& record) {
        ++cells;
        not_ok += record.verdict != "ok" ? 1U : 0U;
        wall_us += std::max<int64_t>(0, record.wall_us.value_or(0));
        cpu_us += std::max<int64_t>(0, record.cpu_us.value_or(0));
        memory_peak = std::max(memory_peak, record.memory_peak.value_or(0));
        io_read += std::max<int64_t>(0, record.io_read.value_or(0));
        io_written += std::max<int64_t>(0, record.io_written.value_or(0));
    }
};

struct Statistics {
    std::map<std::string, uint64_t> types;
    std::map<std::string, uint64_t> verdicts;
    std::map<std::string, uint64_t> limits;
    std::map<std::string, Sums> notebooks;
    Sums all;
    Sums between;  // cells
};

void print_statistics(const Statistics& statistics, std::ostream& out) {
    Table types({"TYPE", "RECORDS"});
    for (const auto& [type, count] : statistics.types) types.add({type, std::to_string(count)});
    Table verdicts({"VERDICT", "CELLS"});
    for (const auto& [verdict, count] : statistics.verdicts) verdicts.add({verdict, std::to_string(count)});
    Table limits({"LIMIT", "CELLS"});
    for (const auto& [limit, count] : statistics.limits) limits.add({limit, std::to_string(count)});
    Table notebooks({"NOTEBOOK", "CELLS", "NOT OK", "WALL", "CPU", "MEMORY", "READ", "WRITTEN"});
    const auto add = [&](const std::string& name, const Sums& sums) {
        const bool of_cells = &sums != &statistics.between;
        notebooks.add({name, of_cells ? std::to_string(sums.cells) : "",
                       of_cells ? std::to_string(sums.not_ok) : "", duration_text(sums.wall_us),
                       duration_text(sums.cpu_us), bytes_text(sums.memory_peak), bytes_text(sums.io_read),
                       bytes_text(sums.io_written)});
    };
    std::vector<std::pair<std::string, Sums>> busiest(statistics.notebooks.begin(),
                                                      statistics.notebooks.end());
    std::ranges::stable_sort(busiest, std::greater(), [](const auto& entry) { return entry.second.cells; });
    busiest.resize(std::min(busiest.size(), kNotebooksInStats));
    for (const auto& [name, sums] : busiest) add(name.empty() ? "(none)" : name, sums);
    add("all together", statistics.all);
    if (statistics.between.wall_us > 0) add("between cells", statistics.between);
    out << types.text() << "\n" << verdicts.text() << "\n";
    if (!statistics.limits.empty()) out << limits.text() << "\n";
    out << notebooks.text();
}

void print_json(const Statistics& statistics, std::ostream& out) {
    const auto sums_json = [](const Sums& sums) {
        return nlohmann::ordered_json{{"cells", sums.cells},
                                      {"not_ok", sums.not_ok},
                                      {"wall_us", sums.wall_us},
                                      {"cpu_us", sums.cpu_us},
                                      {"memory_peak", sums.memory_peak},
                                      {"io_read_bytes", sums.io_read},
                                      {"io_write_bytes", sums.io_written}};
    };
    nlohmann::ordered_json between = sums_json(statistics.between);
    for (const char* of_cells : {"cells", "not_ok"}) between.erase(of_cells);
    nlohmann::ordered_json notebooks = nlohmann::ordered_json::object();
    for (const auto& [name, sums] : statistics.notebooks) notebooks[name] = sums_json(sums);
    const nlohmann::ordered_json json{{"types", statistics.types},        {"verdicts", statistics.verdicts},
                                      {"limits", statistics.limits},      {"notebooks", notebooks},
                                      {"all", sums_json(statistics.all)}, {"between_cells", between}};
    out << json_output(json);
}

Result<int> stats(const std::string& directory, const AuditFilter& filter, bool json,
                  const Context& context) {
    AuditRecords records = TRY(AuditRecords::open(directory, filter));
    Statistics statistics;
    ShownRecord record;
    while (TRY(records.next(record))) {
        ++statistics.types[record.type];
        if (record.type == "limit_hit") ++statistics.limits[record.limit];
        if (record.type == "between_cells") statistics.between.add(record);
        if (record.type != "cell_end") continue;
        ++statistics.verdicts[record.verdict];
        statistics.notebooks[record.notebook].add(record);
        statistics.all.add(record);
    }
    if (json)
        print_json(statistics, context.out);
    else
        print_statistics(statistics, context.out);
    warn_of_damage(records, context);
    return 0;
}

}  // namespace

Action declare_audit_show(CLI::App& app, const Context& context) {
    const auto path = add_log_path(app);
    const auto filter = add_filter(app);
    auto json = std::make_shared<bool>(false);
    app.add_flag("--json", *json, "print the records as they are, one a line");
    return [=, &context]() -> Result<int> {
        return show(TRY(log_directory(*path, context)), *filter, *json, context);
    };
}

Action declare_audit_tail(CLI::App& app, const Context& context) {
    const auto path = add_log_path(app);
    const auto filter = add_filter(app);
    auto options = std::make_shared<TailOptions>();
    app.add_option("-n,--lines", options->count, "how many of the last records (default: 10)")
        ->type_name("N")
        ->check(CLI::Range(size_t{0}, size_t{1'000'000}).description(""));
    app.add_flag("-f,--follow", options->follow,
                 "go on with those that are written from now on, until interrupted");
    app.add_flag("--json", options->json, "print the records as they are, one a line");
    return [=, &context]() -> Result<int> {
        return tail(TRY(log_directory(*path, context)), *filter, *options, context);
    };
}

Action declare_audit_stats(CLI::App& app, const Context& context) {
    const auto path = add_log_path(app);
    const auto filter = add_filter(app);
    auto json = std::make_shared<bool>(false);
    app.add_flag("--json", *json, "print JSON");
    return [=, &context]() -> Result<int> {
        return stats(TRY(log_directory(*path, context)), *filter, *json, context);
    };
}

}  // namespace cellblock::cli
