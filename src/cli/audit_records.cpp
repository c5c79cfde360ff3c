// From lines of the log to what people read: filters, and the columns of tables.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/printable.hpp"
#include "cli/audit.hpp"
#include "observe/reader.hpp"
#include "profile/settings.hpp"

namespace cellblock::cli {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& record, const char* key) {
    const auto member = record.find(key);
    if (member == record.end()) return "";
    return member->is_string() ? member->get<std::string>()
                               : member->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<int64_t> number_of(const Json& record, const char* key) {
    const auto member = record.find(key);
    if (member == record.end() || !member->is_number_integer()) return {};
    return member->get<int64_t>();
}

// Of the record of a limit, which says in what its numbers are; else the number as it is.
std::string amount_text(int64_t amount, const std::string& unit) {
    if (unit == "us") return duration_text(amount);
    if (unit == "bytes" && amount >= 0) return to_text(Bytes{static_cast<uint64_t>(amount)});
    return std::to_string(amount);
}

// The members that have no column of their own, as far as they say something to a person.
std::string details_of(const Json& record) {
    static constexpr std::array kShown{
        "language",  "entry",      "calls",  "intervals", "events", "network",   "limit",
        "allowed",   "measured",   "count",  "lacks",     "name",   "directory", "reason",
        "exit_code", "signal",     "level",  "backend",   "late",   "missed",    "damaged_bytes",
        "last_seen", "last_found", "number", "completed", "cut"};
    const std::string unit = text_of(record, "unit");
    std::string text;
    for (const char* key : kShown) {
        std::string value = text_of(record, key);
        if (const auto amount = number_of(record, key);
            amount && !unit.empty() && key != std::string_view("count"))
            value = amount_text(*amount, unit);
        if (!value.empty()) text += (text.empty() ? "" : " ") + std::string(key) + "=" + value;
    }
    return text;
}

ShownRecord shown(std::string_view line, bool intact) {
    ShownRecord record;
    record.line = std::string(line);
    const Json json = intact ? Json::parse(line, nullptr, false) : Json(Json::value_t::discarded);
    record.intact = json.is_object();
    if (!record.intact) {
        record.seq = "?";
        record.type = "(no record)";
        return record;
    }
    record.seq = text_of(json, "seq");
    record.time = text_of(json, "time");
    record.type = text_of(json, "type");
    record.kernel = text_of(json, "kernel");
    record.notebook = text_of(json, "notebook");
    record.verdict = text_of(json, "verdict");
    record.limit = text_of(json, "limit");
    record.wall_us = number_of(json, "wall_us");
    record.cpu_us = number_of(json, "cpu_us");
    record.memory_peak = number_of(json, "memory_peak");
    record.is_own_peak = text_of(json, "memory_peak_of") == "cell";
    record.io_read = number_of(json, "io_read_bytes");
    record.io_written = number_of(json, "io_write_bytes");
    record.details = details_of(json);
    return record;
}

bool passes(const ShownRecord& record, const AuditFilter& filter) {
    return record.kernel.starts_with(filter.kernel) &&
           record.notebook.find(filter.notebook) != std::string::npos &&
           (filter.verdict.empty() || record.verdict == filter.verdict) &&
           (filter.type.empty() || record.type == filter.type) && record.time >= filter.since;
}

// "2h" is two hours ago; everything else is compared with the times of records as it is.
std::string time_since(const std::string& text) {
    const auto ago = profile::parse_duration(text);
    if (ago) return observe::to_text(std::chrono::system_clock::now() - *ago);
    if (text.size() < 4 || text.find_first_not_of("0123456789-:.TZ") != std::string::npos)
        throw CLI::ValidationError("--since", in_quotes(text) +
                                                  " is neither a duration such as 2h nor a time such as "
                                                  "2026-01-31T12:00 (UTC)");
    return text;
}

}  // namespace

struct AuditRecords::State {
    observe::Reader reader;
    AuditFilter filter;
    size_t damaged = 0;
};

AuditRecords::AuditRecords(std::unique_ptr<State> state) : state_(std::move(state)) {}
AuditRecords::~AuditRecords() = default;
AuditRecords::AuditRecords(AuditRecords&&) noexcept = default;

Result<AuditRecords> AuditRecords::open(const std::string& directory, AuditFilter filter) {
    // Not make_unique: aggregates have no constructor for it (clang 14).
    std::unique_ptr<State> state(new State{TRY(observe::Reader::open(directory)), std::move(filter), 0});
    return AuditRecords(std::move(state));
}

Result<bool> AuditRecords::next(ShownRecord& record) {
    observe::Reader::Line line;
    while (TRY(state_->reader.next(line))) {
        const bool intact = line.whole && observe::parse_intact(line.text);
        if (!intact) ++state_->damaged;
        record = shown(line.text, intact);
        if (passes(record, state_->filter)) return true;
    }
    return false;
}

Result<void> AuditRecords::refresh() {
    return state_->reader.refresh();
}

size_t AuditRecords::damaged() const {
    return state_->damaged;
}

std::shared_ptr<AuditFilter> add_filter(CLI::App& app) {
    auto filter = std::make_shared<AuditFilter>();
    app.add_option("--kernel", filter->kernel, "only records of this kernel: its id, or the beginning of it")
        ->type_name("ID");
    app.add_option("--notebook", filter->notebook, "only records of notebooks whose path contains this")
        ->type_name("TEXT");
    app.add_option("--verdict", filter->verdict, "only cells that ended so, e.g. ok or limit.memory")
        ->type_name("WORD");
    app.add_option("--type", filter->type, "only records of this type, e.g. cell_end or denial")
        ->type_name("TYPE");
    app.add_option_function<std::string>(
           "--since", [filter](const std::string& text) { filter->since = time_since(text); },
           "only records since then: a duration such as 2h, or a time (UTC) such as 2026-01-31T12:00")
        ->type_name("TIME");
    return filter;
}

std::string duration_text(std::optional<int64_t> microseconds) {
    if (!microseconds) return "";
    std::array<char, 32> text{};
    const auto value = static_cast<double>(*microseconds);
    if (value < 1e6)
        std::snprintf(text.data(), text.size(), "%.1f ms", value / 1e3);
    else
        std::snprintf(text.data(), text.size(), "%.1f s", value / 1e6);
    return text.data();
}

}  // namespace cellblock::cli
