// From events of a session to records.
#include "session/audit.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/check.hpp"
#include "base/printable.hpp"
#include "build_info.hpp"
#include "observe/places.hpp"
#include "protocol/json_scan.hpp"
#include "session/trace_context.hpp"

namespace cellblock::session {
namespace {

namespace fs = std::filesystem;
using observe::Barrier;
using observe::Entry;
using observe::Members;

/// Kinds of refused calls in one record; there are not many more in the policy.
constexpr size_t kMaxCalls = 100;
/// Cells whose outputs are followed after their ends, and how many outputs they may have together.
constexpr size_t kMaxEnded = 32;
constexpr size_t kMaxEndedOutputs = 100'000;
/// Of the settings' section "limits", each at most once for a cell.
constexpr size_t kMaxLimits = 16;
/// Of one record, so that the longest names find room.
constexpr size_t kMaxNetworkEvents = 8;
static_assert(network::kMaxReports / kMaxNetworkEvents + 1 <= observe::kMaxAtOnce);
static_assert(kMaxEnded + kMaxLimits + 2 <= observe::kMaxAtOnce,
              "they are written together with a cell's own record, and that of the time before it");
/// CPU time between cells that is worth a record; an idle interpreter takes less for many cells together.
constexpr int64_t kLeastBetweenUs = 10'000;
/// A user's name is asked for once; large directories of users answer slowly, not at length.
constexpr size_t kMaxUserEntry = 16 * 1024;

std::string user_name() {
    std::array<char, kMaxUserEntry> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return "";
    return entry.pw_name;
}

std::string_view to_text(LimitHit::Unit unit) {
    switch (unit) {
        case LimitHit::Unit::bytes:
            return "bytes";
        case LimitHit::Unit::microseconds:
            return "us";
        case LimitHit::Unit::count:
            return "count";
    }
    UNREACHABLE();
}

Members limit_members(const LimitHit& hit) {
    Members members;
    members.text("limit", hit.limit).text("unit", to_text(hit.unit)).integer("allowed", hit.allowed);
    if (hit.measured) members.integer("measured", *hit.measured);
    if (hit.count > 0) members.integer("count", hit.count);
    return members;
}

Members network_members(const network::Report& report) {
    Members members;
    members.text("event", network::to_text(report.act)).integer("count", static_cast<int64_t>(report.count));
    // Without a name: different ones together.
    if (!report.host.empty()) members.text("host", report.host);
    if (report.port != 0) members.integer("port", report.port);
    if (!report.address.empty()) members.text("address", report.address);
    if (!report.reason.empty()) members.text("reason", report.reason);
    if (report.act == network::Act::closed)
        members.integer("sent_bytes", static_cast<int64_t>(report.sent))
            .integer("received_bytes", static_cast<int64_t>(report.received));
    return members;
}

void add_known(int64_t& sum, int64_t more) {
    if (more >= 0) sum = std::max<int64_t>(sum, 0) + more;
}

// `own`: what the peak is of where it is not the session's.
Members usage_members(const jail::Counters& used, PeakOf peak_of, std::string_view own) {
    Members members;
    const auto add = [&](std::string_view key, int64_t value) {
        if (value >= 0) members.integer(key, value);
    };
    add("cpu_us", used.cpu_time_us);
    add("io_read_bytes", used.io_read);
    add("io_write_bytes", used.io_written);
    if (used.memory_peak >= 0)
        members.integer("memory_peak", used.memory_peak)
            .text("memory_peak_of", peak_of == PeakOf::cell ? own : "session");
    add("refused_processes", used.process_limit_hits);
    add("oom_kills", used.oom_kills);
    return members;
}

int64_t in_microseconds(std::chrono::steady_clock::duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

// What the hash of a cell's outputs is, as members of a record.
Members outputs_members(const Outputs& outputs, const Outputs::Hashes& hashes) {
    Members members;
    members.hash("outputs_sha256", hashes.plain);
    if (hashes.obeyed) members.hash("outputs_obeyed_sha256", *hashes.obeyed);
    if (!outputs.trouble().empty()) members.text("incomparable", outputs.trouble());
    return members;
}

}  // namespace

Result<std::string> parse_audit_path(const std::string& text) {
    if (text == "none") return std::string();
    if (text == "default" || text.starts_with('/')) return text;
    return Error("write the audit log to " + in_quotes(text) +
                 ": an absolute path, default or none is expected");
}

Result<observe::TrailOptions> place_trail(const AuditOptions& options, const Variables& variable) {
    observe::TrailOptions trail;
    trail.on_error = options.on_error;
    trail.log.sync = options.sync;
    trail.log.directory =
        options.path == "default" ? TRY(observe::default_log_directory(variable)) : options.path;
    trail.log.keys_directory = TRY(observe::default_keys_directory(variable));
    return trail;
}

Members user_members() {
    return Members().integer("uid", ::getuid()).text("user", user_name());
}

Result<AuditConfig> make_audit_config(const AuditOptions& options) {
    AuditConfig config;
    config.trail = TRY(place_trail(options, environment_variable));
    config.code = options.code;
    config.notebook = environment_variable("JPY_SESSION_NAME");
    return config;
}

std::string environment_digest(const PythonEnvironment& python) {
    std::vector<std::string> packages;
    for (const std::string& directory : python.site_packages) {
        std::error_code error;
        for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
             entry.increment(error)) {
            const std::string name = entry->path().filename();
            if (name.ends_with(".dist-info") || name.ends_with(".egg-info")) packages.push_back(name);
        }
    }
    std::ranges::sort(packages);
    observe::Sha256 sha;
    sha.add(python.interpreter + "\n" + python.version + "\n");
    for (const std::string& package : packages) sha.add(package + "\n");
    return "sha256:" + observe::to_hex(sha.finish());
}

Audit::Audit(AuditConfig config) : config_(std::move(config)), trail_(config_.trail) {}

Members Audit::kernel_names() const {
    Members members;
    members.text("kernel", config_.kernel);
    if (!config_.notebook.empty()) members.text("notebook", config_.notebook);
    return members;
}

void Audit::kernel_started(std::vector<Degradation> degradations) {
    Entry entry{"kernel_start", kernel_names()};
    entry.members.integer("pid", ::getpid()).append(user_members());
    entry.members.text("version", kVersion).text("level", config_.level).text("backend", config_.backend);
    entry.members.text("network", config_.network);
    if (!config_.allowed.empty()) entry.members.text("allowed", config_.allowed);
    entry.members.text("python", config_.python).text("environment", config_.environment);
    if (!config_.profile.empty()) entry.members.text("policy", config_.profile);
    entry.members.text("sync", observe::to_text(config_.trail.log.sync));
    entry.members.text("on_error", config_.trail.on_error == observe::OnError::stop ? "stop" : "continue");
    std::vector<Entry> entries{std::move(entry)};

    if (config_.trail.on_error == observe::OnError::go_on)
        degradations.push_back(
            {"fail_closed", "audit.on_error is \"continue\": cells run while the log cannot be written"});
    if (trail_.is_signed() == false)
        degradations.push_back({"signatures", "there is no key; \"cellblock audit init\" makes one"});
    for (const Degradation& degradation : degradations) {
        entries.push_back({"degradation", kernel_names()});
        entries.back().members.text("lacks", degradation.lacks).text("reason", degradation.reason);
    }
    trail_.note(std::move(entries), Barrier::cell);
}

void Audit::kernel_stopped() {
    std::vector<Entry> entries = changed_outputs();
    if (auto between = used_between_cells(0)) entries.push_back(*std::move(between));
    entries.push_back({"kernel_stop", kernel_names()});
    trail_.note(std::move(entries), Barrier::cell);
    trail_.checkpoint();
}

Result<void> Audit::cell_begins(uint64_t id, const protocol::Request& request) {
    Cell cell;
    cell.began = std::chrono::steady_clock::now();
    cell.names = kernel_names();
    cell.names.integer("cell", static_cast<int64_t>(id)).text("msg_id", request.msg_id);
    cell.names.text("session", request.session)
        .text("username", protocol::text_member(request.header, "username"));
    if (!request.subshell_id.empty()) cell.names.text("subshell", request.subshell_id);
    if (const std::string cell_id = protocol::text_member(request.metadata, "cellId"); !cell_id.empty())
        cell.names.text("cell_id", cell_id);
    if (const std::string traceparent = traceparent_of(request); !traceparent.empty())
        cell.names.text("traceparent", traceparent);
    const std::string code = protocol::text_member(request.content, "code");
    cell.code.hash("code_sha256", observe::Sha256::of(code));
    Entry entry{"cell_start", cell.names};
    entry.members.append(cell.code);
    entry.members.integer("code_bytes", static_cast<int64_t>(code.size()));
    if (config_.code == RecordedCode::full) entry.members.text("code", code, observe::kMaxCode);
    TRY(trail_.admit({entry}));
    const std::lock_guard lock(mutex_);
    cells_[id] = std::move(cell);
    return {};
}

void Audit::output(uint64_t id, std::string_view msg_type, std::string_view content) {
    static constexpr std::array<std::string_view, 7> kTypes{
        "stream",       "display_data", "execute_result", "error", "update_display_data",
        "clear_output", "comm_msg"};
    if (std::ranges::find(kTypes, msg_type) == kTypes.end()) return;
    const std::lock_guard lock(mutex_);
    if (const auto cell = cells_.find(id); cell != cells_.end()) {
        cell->second.outputs.add(msg_type, content, displays_);
        if (msg_type == "comm_msg") return;
        ++cell->second.messages;
        cell->second.output_bytes += content.size();
    } else if (const auto ended = std::ranges::find(ended_, id, &Ended::id); ended != ended_.end()) {
        ended->outputs.add(msg_type, content, displays_);
        has_late_output_ = true;
    } else if (msg_type == "update_display_data") {
        Outputs().add(msg_type, content, displays_);  // of a comm message or a cell that is long over
    }
}

void Audit::cell_used(uint64_t id, const jail::Evidence& evidence, const jail::Counters& used,
                      PeakOf peak_of) {
    const std::lock_guard lock(mutex_);
    const auto cell = cells_.find(id);
    if (cell == cells_.end()) return;  // no cell, but some other request
    Members& usage = cell->second.usage;
    usage = usage_members(used, peak_of, "cell");
    if (!evidence.exit) return;
    if (evidence.exit->signal != 0)
        usage.integer("signal", evidence.exit->signal);
    else
        usage.integer("exit_code", evidence.exit->code);
}

void Audit::between_cells(std::chrono::steady_clock::duration duration, const jail::Counters& used,
                          PeakOf peak_of) {
    const std::lock_guard lock(mutex_);
    ++between_.intervals;
    between_.duration += duration;
    between_.peak_of = peak_of;
    jail::Counters& sum = between_.used;
    sum.memory_peak = std::max(sum.memory_peak, used.memory_peak);
    add_known(sum.oom_kills, used.oom_kills);
    add_known(sum.process_limit_hits, used.process_limit_hits);
    add_known(sum.cpu_time_us, used.cpu_time_us);
    add_known(sum.io_read, used.io_read);
    add_known(sum.io_written, used.io_written);
}

std::optional<Entry> Audit::used_between_cells(int64_t least_cpu_us) {
    const std::lock_guard lock(mutex_);
    const jail::Counters& used = between_.used;
    const bool counts = used.cpu_time_us >= least_cpu_us || used.io_read > 0 || used.io_written > 0 ||
                        used.oom_kills > 0 || used.process_limit_hits > 0;
    if (between_.intervals == 0 || !counts) return {};
    Entry entry{"between_cells", kernel_names()};
    entry.members.integer("intervals", static_cast<int64_t>(between_.intervals))
        .integer("wall_us", in_microseconds(between_.duration))
        .append(usage_members(used, between_.peak_of, "between"));
    between_ = {};
    return entry;
}

void Audit::limit_met(uint64_t id, const LimitHit& hit) {
    const std::lock_guard lock(mutex_);
    const auto cell = cells_.find(id);
    if (cell == cells_.end()) return;  // no cell, but some other request
    std::vector<LimitHit>& limits = cell->second.limits;
    if (limits.size() < kMaxLimits && std::ranges::find(limits, hit.limit, &LimitHit::limit) == limits.end())
        limits.push_back(hit);
}

Audit::Cell Audit::take_cell(uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = cells_.find(id);
    CHECK(found != cells_.end());
    Cell cell = std::move(found->second);
    cells_.erase(found);
    return cell;
}

std::string Audit::cell_ended(uint64_t id, jail::Verdict verdict) {
    Cell cell = take_cell(id);
    const auto wall = std::chrono::steady_clock::now() - cell.began;
    Members outcome;
    outcome.text("verdict", jail::to_text(verdict));
    outcome.integer("wall_us", in_microseconds(wall));
    outcome.append(cell.usage);
    if (!config_.profile.empty()) outcome.text("policy", config_.profile);

    Entry entry{"cell_end", cell.names};
    entry.members.append(cell.code).append(outcome);
    entry.members.integer("outputs", static_cast<int64_t>(cell.messages));
    entry.members.integer("output_bytes", static_cast<int64_t>(cell.output_bytes));
    std::vector<Entry> entries = changed_outputs();
    if (auto between = used_between_cells(kLeastBetweenUs)) entries.push_back(*std::move(between));
    for (const LimitHit& hit : cell.limits) {
        entries.push_back({"limit_hit", cell.names});
        entries.back().members.append(limit_members(hit));
    }
    {
        const std::lock_guard lock(mutex_);  // displays change in the loop's thread
        const Outputs::Hashes hashes = cell.outputs.hashes();
        entry.members.append(outputs_members(cell.outputs, hashes));
        keep(id, std::move(cell), hashes.plain);
    }
    entries.push_back(std::move(entry));
    if (const auto position = trail_.note(std::move(entries), Barrier::cell))
        outcome.hash("record", position->hash);
    return outcome.object();
}

// Caller holds mutex_.
void Audit::keep(uint64_t id, Cell cell, const observe::Hash& recorded) {
    cell.names.append(cell.code);
    ended_.push_back({id, std::move(cell.names), std::move(cell.outputs), recorded});
    size_t outputs = 0;
    for (const Ended& ended : ended_) outputs += ended.outputs.count();
    while (ended_.size() > kMaxEnded || (outputs > kMaxEndedOutputs && ended_.size() > 1)) {
        outputs -= ended_.front().outputs.count();
        ended_.pop_front();
    }
}

std::vector<Entry> Audit::changed_outputs() {
    std::vector<Entry> entries;
    const std::lock_guard lock(mutex_);
    if (!has_late_output_ && recorded_changes_ == displays_.changes()) return entries;
    has_late_output_ = false;
    recorded_changes_ = displays_.changes();
    for (Ended& ended : ended_) {
        const Outputs::Hashes hashes = ended.outputs.hashes();
        if (hashes.plain == ended.recorded) continue;
        ended.recorded = hashes.plain;
        entries.push_back({"outputs_changed", ended.names});
        entries.back().members.append(outputs_members(ended.outputs, hashes));
    }
    return entries;
}

void Audit::calls_refused(uint64_t id, const std::vector<jail::Denial>& denials) {
    std::vector<Members> calls;
    for (const jail::Denial& denial : denials)
        if (calls.size() < kMaxCalls)
            calls.push_back(
                Members().text("call", denial.call).integer("count", static_cast<int64_t>(denial.count)));
    Entry entry{"denial", kernel_names()};
    entry.members.integer("cell", static_cast<int64_t>(id)).list("calls", calls);
    trail_.note({entry}, Barrier::none);
}

std::vector<Entry> network_entries(const std::vector<network::Report>& reports, const Members& names) {
    std::vector<Entry> entries;
    for (size_t begin = 0; begin < reports.size(); begin += kMaxNetworkEvents) {
        std::vector<Members> events;
        for (size_t i = begin; i < std::min(reports.size(), begin + kMaxNetworkEvents); ++i)
            events.push_back(network_members(reports[i]));
        entries.push_back({"network", names});
        entries.back().members.list("events", events);
    }
    return entries;
}

void Audit::network_used(const std::vector<network::Report>& reports) {
    trail_.note(network_entries(reports, kernel_names()), Barrier::none);
}

void Audit::interrupted(const std::vector<uint64_t>& ids) {
    std::vector<Entry> entries;
    for (const uint64_t id : ids) {
        if (entries.size() == observe::kMaxAtOnce) break;
        entries.push_back({"interrupt", kernel_names()});
        entries.back().members.integer("cell", static_cast<int64_t>(id));
    }
    if (!entries.empty()) trail_.note(std::move(entries), Barrier::none);
}

void Audit::worker_replaced() {
    trail_.note({Entry{"worker_restart", kernel_names()}}, Barrier::none);
}

}  // namespace cellblock::session
