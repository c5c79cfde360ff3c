// From a job and its outcome to records.
#include "run/records.hpp"

#include <array>
#include <random>

#include "base/hex.hpp"
#include "build_info.hpp"
#include "observe/hash.hpp"

namespace cellblock::run {
namespace {

using observe::Barrier;
using observe::Entry;
using observe::Members;

/// Kinds of refused calls in one record; there are not many more in the policy.
constexpr size_t kMaxCalls = 100;
constexpr size_t kIdBytes = 16;

/// Tells runs of one log apart; nobody has to be kept from guessing it.
std::string new_id() {
    std::random_device random;
    std::string id;
    for (size_t i = 0; i < kIdBytes; ++i) append_hex(id, static_cast<unsigned char>(random()));
    return id;
}

observe::Hash hash_of(const Program& program) {
    observe::Sha256 sha;
    for (const std::string_view part : parts_of(program)) {
        sha.add(std::to_string(part.size()) + ":");
        sha.add(part);
    }
    return sha.finish();
}

Members usage_members(const Usage& usage) {
    Members members;
    members.integer("wall_us", usage.wall.count());
    const auto known = [&](std::string_view key, int64_t value) {
        if (value >= 0) members.integer(key, value);
    };
    known("cpu_us", usage.cpu_us);
    known("memory_peak", usage.memory_peak);
    known("io_read_bytes", usage.io_read);
    known("io_write_bytes", usage.io_written);
    known("processes_peak", usage.processes_peak);
    members.integer("oom_kills", usage.oom_kills).integer("refused_processes", usage.process_limit_hits);
    return members;
}

}  // namespace

Result<Records> Records::open(const session::AuditOptions& options, const Variables& variable, const Job& job,
                              std::string policy) {
    Records records;
    if (options.path.empty()) return records;
    records.trail_ = std::make_unique<observe::Trail>(TRY(session::place_trail(options, variable)));
    records.names_.text("run", new_id());
    records.about_.append(session::user_members()).text("version", kVersion);
    records.about_.text("language", job.program.language).text("entry", job.program.entry);
    records.about_.hash("program_sha256", hash_of(job.program));
    records.about_.text("toolchain", job.toolchain.path);
    records.about_.text("level", jail::to_text(job.plan.level))
        .text("backend", jail::to_text(job.plan.backend));
    records.about_.text("network", jail::to_text(job.plan.network)).text("policy", policy);
    std::string allowed;
    for (const Endpoint& endpoint : job.plan.allowed)
        allowed += (allowed.empty() ? "" : " ") + to_text(endpoint);
    if (!allowed.empty()) records.about_.text("allowed", allowed);
    std::vector<Members> volumes;
    for (const jail::Mount& mount : job.plan.mounts)
        volumes.push_back(Members()
                              .text("source", mount.source)
                              .text("target", mount.target)
                              .text("access", mount.access == jail::Access::read_write ? "rw" : "ro"));
    if (!volumes.empty()) records.about_.list("volumes", volumes);
    return records;
}

Result<void> Records::begins() {
    if (!trail_) return {};
    Entry entry{"run_start", names_};
    entry.members.append(about_);
    return trail_->admit({std::move(entry)});
}

std::string Records::ended(const Outcome& outcome, const Collector& output) {
    if (!trail_) return "";
    Entry entry{"run_end", names_};
    entry.members.text("verdict", to_text(outcome.verdict)).integer("exit_code", outcome.exit_status());
    if (outcome.compile) entry.members.flag("compile_cached", outcome.compile->cached);
    if (outcome.ending) {
        entry.members.append(usage_members(outcome.ending->usage));
        entry.members.integer("stdout_bytes", static_cast<int64_t>(outcome.ending->out.bytes))
            .hash("stdout_sha256", observe::Sha256::of(output.out()));
        entry.members.integer("stderr_bytes", static_cast<int64_t>(outcome.ending->err.bytes))
            .hash("stderr_sha256", observe::Sha256::of(output.err()));
        std::vector<Members> calls;
        for (const jail::Denial& denial : outcome.ending->denials)
            if (calls.size() < kMaxCalls)
                calls.push_back(
                    Members().text("call", denial.call).integer("count", static_cast<int64_t>(denial.count)));
        if (!calls.empty()) entry.members.list("calls", calls);
    }
    const auto position = trail_->note({std::move(entry)}, Barrier::cell);
    trail_->checkpoint();
    return position ? observe::to_hex(position->hash) : "";
}

void Records::network_used(const std::vector<network::Report>& reports) {
    if (trail_) trail_->note(session::network_entries(reports, names_), Barrier::none);
}

void Records::failed(const Error& error) {
    if (!trail_) return;
    Entry entry{"run_end", names_};
    entry.members.text("verdict", to_text(Verdict::internal)).text("reason", error.sentence());
    trail_->note({std::move(entry)}, Barrier::cell);
    trail_->checkpoint();
}

}  // namespace cellblock::run
