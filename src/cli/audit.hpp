// What the subcommands of `cellblock audit` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands.hpp"

namespace cellblock::cli {

/// Exit status of `audit verify`: the log can be read, and is not what was written.
inline constexpr int kAltered = 3;

/// Adds --path. The value is empty when it is not given.
std::shared_ptr<std::string> add_log_path(CLI::App& app);
/// `path`, or the user's own log.
Result<std::string> log_directory(const std::string& path, const Context& context);

/// Which records are shown. What is empty does not matter.
struct AuditFilter {
    std::string kernel;    ///< beginning of the kernel's id
    std::string notebook;  ///< a part of the notebook's path
    std::string verdict;
    std::string type;
    std::string since;  ///< as records write times, or a beginning of that
};
std::shared_ptr<AuditFilter> add_filter(CLI::App& app);

/// A record as people read it.
struct ShownRecord {
    std::string line;  ///< as it stands in the log
    bool intact = true;
    std::string seq;
    std::string time;
    std::string type;
    std::string kernel;
    std::string notebook;
    std::string verdict;
    std::string limit;
    std::optional<int64_t> wall_us;
    std::optional<int64_t> cpu_us;
    std::optional<int64_t> memory_peak;
    bool is_own_peak = false;  ///< else it is an upper bound
    std::optional<int64_t> io_read;
    std::optional<int64_t> io_written;
    std::string details;
};

/// All records of a log that pass a filter, one after the other.
class AuditRecords {
  public:
    static Result<AuditRecords> open(const std::string& directory, AuditFilter filter);
    ~AuditRecords();
    AuditRecords(AuditRecords&&) noexcept;
    AuditRecords& operator=(AuditRecords&&) = delete;

    /// False at the end.
    Result<bool> next(ShownRecord& record);
    /// What was written since is read too.
    Result<void> refresh();
    /// Lines so far that are no records.
    [[nodiscard]] size_t damaged() const;

  private:
    struct State;
    explicit AuditRecords(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// "1.2 s", "340 ms"; empty for nothing.
std::string duration_text(std::optional<int64_t> microseconds);

/// Checks the log as `audit verify` does without options. Prints what is wrong to context.err and returns
/// false when it is not what was written.
Result<bool> check_log(const std::string& directory, const Context& context);

Action declare_audit_init(CLI::App& app, const Context& context);
Action declare_audit_verify(CLI::App& app, const Context& context);
Action declare_audit_show(CLI::App& app, const Context& context);
Action declare_audit_tail(CLI::App& app, const Context& context);
Action declare_audit_stats(CLI::App& app, const Context& context);
Action declare_audit_match(CLI::App& app, const Context& context);

}  // namespace cellblock::cli
