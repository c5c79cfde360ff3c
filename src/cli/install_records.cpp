// The log is opened before anything is done and written when it is done: so what cannot be recorded is mostly
// refused beforehand, and what is recorded has happened. What cannot be recorded after all is taken back.
#include "cli/install_records.hpp"

#include <ostream>

#include "build_info.hpp"
#include "observe/key.hpp"
#include "observe/places.hpp"

namespace cellblock::cli {
namespace {

// Whether "cellblock audit init" has been run; a key that cannot be read is there, too.
bool has_key(const Context& context) {
    const auto directory = observe::default_keys_directory(context.variable);
    if (!directory) return false;
    const auto key = observe::SigningKey::load(*directory);
    return !key || key->has_value();
}

}  // namespace

Result<InstallRecords> InstallRecords::open(const session::AuditOptions& options, const Context& context) {
    session::AuditOptions chosen = options;
    if (options.path.empty()) chosen.path = "default";
    InstallRecords records(context, !options.path.empty() && options.on_error == observe::OnError::stop);
    if (options.path.empty() && !has_key(context)) return records;
    auto log = [&]() -> Result<std::unique_ptr<observe::Log>> {
        return observe::Log::open(TRY(session::place_trail(chosen, context.variable)).log);
    }();
    if (log)
        records.log_ = std::move(log).value();
    else
        TRY(records.fail(std::move(log).error()));
    return records;
}

Result<void> InstallRecords::add(std::string_view type, observe::Members members) {
    if (!log_) return {};
    observe::Entry entry{type, std::move(members)};
    entry.members.text("version", kVersion).append(session::user_members());
    auto written = log_->append(std::span(&entry, 1), observe::Barrier::cell);
    if (written && written->not_synced) return fail(*std::move(written->not_synced));
    return written ? Result<void>{} : fail(std::move(written).error());
}

Result<void> InstallRecords::fail(Error error) const {
    Error told = std::move(error).context("record in the audit log what is installed");
    if (must_) return told;
    context_.err << "warning: " << told.sentence() << "\n";
    return {};
}

}  // namespace cellblock::cli
