// What a session writes into the audit log: its beginning and end, each cell's beginning and end, limits that
// were met, refused calls, interrupts and lost workers. docs/audit-log.md describes the records; this file
// decides when they are written.
//
// Threads: any, at the same time.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/user_directories.hpp"
#include "jail/jail.hpp"
#include "jail/verdict.hpp"
#include "network/reports.hpp"
#include "observe/trail.hpp"
#include "protocol/message.hpp"
#include "session/outputs.hpp"
#include "session/python_env.hpp"
#include "session/usage_meter.hpp"

namespace cellblock::session {

/// Whether the code of cells is recorded. Its hash always is.
enum class RecordedCode { full, hash };

/// What a user asks for; see the settings of the section "audit".
struct AuditOptions {
    std::string path;  ///< the log's directory; "default": the user's own; empty: no log
    observe::OnError on_error = observe::OnError::stop;
    observe::Sync sync = observe::Sync::cell;
    RecordedCode code = RecordedCode::hash;
};

/// "none", "default" or an absolute path.
Result<std::string> parse_audit_path(const std::string& text);

struct AuditConfig {
    observe::TrailOptions trail;
    RecordedCode code = RecordedCode::hash;
    std::string kernel;       ///< the kernel's id, as the front end knows it
    std::string notebook;     ///< $JPY_SESSION_NAME; empty when the front end does not say
    std::string python;       ///< path of the interpreter
    std::string environment;  ///< digest of the Python environment
    std::string profile;      ///< digest of the settings in force; empty when it is not known
    std::string level;
    std::string backend;
    std::string network;
    std::string allowed;  ///< names with ports, separated by spaces
};
/// "sha256:…" over the interpreter, its version and the names and versions of the installed packages.
std::string environment_digest(const PythonEnvironment& python);
/// Where the log lies and what does not change during the life of a kernel. The kernel's id and the profile
/// are filled in by whoever knows them.
Result<AuditConfig> make_audit_config(const AuditOptions& options);

/// The log's place and its rules; not whether one is asked for. `variable` is the environment's.
Result<observe::TrailOptions> place_trail(const AuditOptions& options, const Variables& variable);
/// Who this process acts for: "uid" and "user".
observe::Members user_members();

/// Records of type "network", each beginning with `names`.
std::vector<observe::Entry> network_entries(const std::vector<network::Report>& reports,
                                            const observe::Members& names);

/// A limit that a cell has met. docs/audit-log.md says for each what the numbers are.
struct LimitHit {
    enum class Unit { bytes, microseconds, count };

    std::string_view limit;  ///< the setting's key in the section "limits"
    Unit unit = Unit::bytes;
    int64_t allowed = 0;
    std::optional<int64_t> measured;
    int64_t count = 0;  ///< of what was refused, stopped or left out because of it; 0: that is not counted
};

/// Something that a session has when nothing is given up, and this one has not.
struct Degradation {
    std::string_view lacks;  ///< a word
    std::string_view reason;
};

class Audit {
  public:
    explicit Audit(AuditConfig config);

    /// What the log itself lacks is added to `degradations`.
    void kernel_started(std::vector<Degradation> degradations);
    void kernel_stopped();
    /// An error means that the cell must not run, and says why. `id` is the request's in this session.
    Result<void> cell_begins(uint64_t id, const protocol::Request& request);
    /// For requests without a record, which run users' code too: an error while cells could not be recorded.
    [[nodiscard]] Result<void> permits() const { return trail_.permit(); }
    /// A message on its way into the notebook.
    void output(uint64_t id, std::string_view msg_type, std::string_view content);
    /// What is known when it has ended, and what the jail has used since it began.
    void cell_used(uint64_t id, const jail::Evidence& evidence, const jail::Counters& used, PeakOf peak_of);
    /// No cell has run for `duration`; what the jail has used meanwhile, as for a cell. Added up, and
    /// recorded with the end of the next cell once it is worth a record, at the latest with the kernel's.
    void between_cells(std::chrono::steady_clock::duration duration, const jail::Counters& used,
                       PeakOf peak_of);
    /// Recorded with the cell's end, the first one of each limit.
    void limit_met(uint64_t id, const LimitHit& hit);
    /// Writes the cell's record. The value is the object "cellblock" of the reply's metadata.
    std::string cell_ended(uint64_t id, jail::Verdict verdict);
    void calls_refused(uint64_t id, const std::vector<jail::Denial>& denials);
    void network_used(const std::vector<network::Report>& reports);
    void interrupted(const std::vector<uint64_t>& ids);
    /// A worker takes the place of a lost one.
    void worker_replaced();
    /// The last record's trouble, or empty.
    [[nodiscard]] std::string trouble() const { return trail_.trouble(); }

  private:
    struct Cell {
        observe::Members names;  // what all records of a cell begin with
        observe::Members code;   // and what those are about that notebooks are compared with
        observe::Members usage;
        std::vector<LimitHit> limits;
        std::chrono::steady_clock::time_point began;
        uint64_t messages = 0;
        uint64_t output_bytes = 0;
        Outputs outputs;
    };
    /// What was used between cells and is not recorded yet.
    struct Between {
        uint64_t intervals = 0;
        std::chrono::steady_clock::duration duration{0};
        jail::Counters used;
        PeakOf peak_of = PeakOf::cell;
    };
    /// A cell whose outputs may still change: text of its threads and child processes, updates of its
    /// displays.
    struct Ended {
        uint64_t id = 0;
        observe::Members names;
        Outputs outputs;
        observe::Hash recorded{};
    };
    [[nodiscard]] observe::Members kernel_names() const;
    Cell take_cell(uint64_t id);
    void keep(uint64_t id, Cell cell, const observe::Hash& recorded);
    std::vector<observe::Entry> changed_outputs();
    std::optional<observe::Entry> used_between_cells(int64_t least_cpu_us);

    const AuditConfig config_;
    observe::Trail trail_;
    std::mutex mutex_;
    std::map<uint64_t, Cell> cells_;  // those that run
    Between between_;
    std::deque<Ended> ended_;  // the newest is the last
    Displays displays_;
    uint64_t recorded_changes_ = 0;  // of displays_
    bool has_late_output_ = false;
};

}  // namespace cellblock::session
