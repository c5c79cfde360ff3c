// Installed and removed kernels in the audit log.
#pragma once

#include <memory>

#include "cli/commands.hpp"
#include "observe/log.hpp"
#include "session/audit.hpp"

namespace cellblock::cli {

class InstallRecords {
  public:
    /// The log that the kernel's settings ask for; where they ask for none, the user's own if "cellblock
    /// audit init" has been run, and else none. An error means that nothing may be installed or removed;
    /// where the settings do not ask for that, it is a warning.
    static Result<InstallRecords> open(const session::AuditOptions& options, const Context& context);

    /// What has been done, with who did it and the version of this program. An error, as of open(), means
    /// that it has to be undone.
    Result<void> add(std::string_view type, observe::Members members);

  private:
    InstallRecords(const Context& context, bool must) : context_(context), must_(must) {}
    Result<void> fail(Error error) const;

    const Context& context_;
    bool must_;
    std::unique_ptr<observe::Log> log_;  // null: none
};

}  // namespace cellblock::cli
