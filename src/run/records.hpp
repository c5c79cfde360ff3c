// What a run writes into the audit log: that it begins, and how it ended. docs/audit-log.md describes the
// records.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/user_directories.hpp"
#include "network/reports.hpp"
#include "observe/trail.hpp"
#include "run/runner.hpp"
#include "session/audit.hpp"

namespace cellblock::run {

class Records {
  public:
    /// Of a run of `job`. Without a path in `options` nothing is recorded.
    static Result<Records> open(const session::AuditOptions& options, const Variables& variable,
                                const Job& job, std::string policy);

    /// Before anything of the program is built or run: an error means that it must not be.
    Result<void> begins();
    /// The hash of its record; empty without a log, or while it cannot be written.
    std::string ended(const Outcome& outcome, const Collector& output);
    void failed(const Error& error);
    /// Names that the program asked for, and connections that it made.
    void network_used(const std::vector<network::Report>& reports);
    /// An error while what happens could not be recorded. Any thread.
    [[nodiscard]] Result<void> permit() const { return trail_ ? trail_->permit() : Result<void>(); }

  private:
    Records() = default;
    std::unique_ptr<observe::Trail> trail_;
    observe::Members names_;  ///< in each record: which run
    observe::Members about_;  ///< what is run, and as whom
};

}  // namespace cellblock::run
