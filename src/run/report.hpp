// The result of a run as JSON: docs/run.md says what each member means, docs/run-result.schema.json is the
// exact form.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network/reports.hpp"
#include "run/runner.hpp"

namespace cellblock::run {

inline constexpr int kResultVersion = 1;

/// What is said beside the outcome itself.
struct Circumstances {
    std::string language;  ///< empty where it is not known
    jail::Limits limits;
    Bounds bounds;
    std::string network;  ///< "none", "localhost", "allow"
    bool cached = false;  ///< the program did not run now: it is an earlier result of the same
    std::vector<network::Report> network_events;  ///< what it did on the network, folded
    std::string audit_record;                     ///< the hash of its record; empty without an audit log
};

/// One JSON object, without line feed.
std::string result_json(const Outcome& outcome, const Collector& output, const Circumstances& circumstances);
/// The same for a run that there was none of, because `error`.
std::string failure_json(const Error& error, int exit_status, const Circumstances& circumstances);

/// "exit 0 · 0.31 s · CPU 0.29 s · memory 41.2 MiB · 3 processes", for a terminal.
std::string metrics_line(const Outcome& outcome);

}  // namespace cellblock::run
