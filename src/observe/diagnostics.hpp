// What a process of ours tells whoever operates it: one line an event, on stderr, which servers of notebooks
// keep (in the form `text`, further lines of a quotation are indented). It is not the audit log (log.hpp):
// lines may be left out, nothing vouches for them, and no cell waits for them.
//
// The events are documented in docs/diagnostics.md. A line never carries code, values of environment
// variables, keys, or what a cell prints.
//
// Threads: any, at the same time, once start_diagnostics() has returned.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "observe/record.hpp"

namespace cellblock::observe {

/// From the gravest on. What is less grave than the chosen one is left out.
enum class Severity { error, warning, info, debug };
enum class LineFormat {
    text,  ///< for people, as Jupyter's own: [W 2026-01-31 12:00:00.000 cellblock] …
    json,  ///< one object a line, members as in OpenTelemetry's log data model where it has a name for them
};

Result<Severity> parse_severity(std::string_view text);
Result<LineFormat> parse_line_format(std::string_view text);

struct DiagnosticsOptions {
    Severity least = Severity::warning;
    LineFormat format = LineFormat::text;
    std::string kernel;  ///< the kernel's id, as the front end knows it; empty: none
};

/// So many lines of one event in one window; the rest is counted, and the count is told with the next line.
inline constexpr int kLinesPerWindow = 20;
inline constexpr std::chrono::seconds kLineWindow{10};
/// Once, before other threads exist. Without it, what report() is given is left out.
void start_diagnostics(const DiagnosticsOptions& options);
/// For what takes effort to put together.
[[nodiscard]] bool reports(Severity severity);
/// `event` is a constant of the program. `message` is for people and says all of it; it may hold what
/// strangers chose, which is made printable here. `fields` are for machines: the form `text` leaves them out.
void report(Severity severity, std::string_view event, std::string_view message, const Members& fields = {});

/// At the end of the process: tells how many lines were left out since the last one of their event.
void end_diagnostics();

/// How often an event may be told, apart from the clock, so that it can be tested.
class LineBudget {
  public:
    using Clock = std::chrono::steady_clock;
    struct Turn {
        bool granted = false;
        uint64_t left_out = 0;  ///< lines of this event that were not told since the last one that was
    };
    Turn take(Clock::time_point now);
    /// What no turn has told yet; then it is told.
    uint64_t take_left_out() { return std::exchange(left_out_, 0); }

  private:
    Clock::time_point window_began_{};
    int told_ = 0;
    uint64_t left_out_ = 0;
};

/// What stands in one line, without its end. In the form `text` spdlog puts severity and time before it.
std::string format_line(const DiagnosticsOptions& options, Time time, Severity severity,
                        std::string_view event, std::string_view message, const Members& fields,
                        uint64_t left_out);

}  // namespace cellblock::observe
