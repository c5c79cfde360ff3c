// spdlog brings the levels, the lock and the stamp of time; what may be said how often is decided here.
#include "observe/diagnostics.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "base/printable.hpp"
#include "base/words.hpp"

namespace cellblock::observe {
namespace {

struct SeverityRow {
    std::string_view name;
    spdlog::level::level_enum level;
    /// OpenTelemetry's SeverityNumber (Logs Data Model, "Field: SeverityNumber").
    int number;
};
// In the order of the enumeration.
constexpr std::array kSeverities{
    SeverityRow{"error", spdlog::level::err, 17},
    SeverityRow{"warning", spdlog::level::warn, 13},
    SeverityRow{"info", spdlog::level::info, 9},
    SeverityRow{"debug", spdlog::level::debug, 5},
};
// The same.
constexpr std::array<std::string_view, 2> kFormats{"text", "json"};

const SeverityRow& row_of(Severity severity) {
    return kSeverities.at(static_cast<size_t>(severity));
}

class Reporter {
  public:
    explicit Reporter(DiagnosticsOptions options) : options_(std::move(options)) {}

    [[nodiscard]] bool reports(Severity severity) const { return severity <= options_.least; }

    void report(Severity severity, std::string_view event, std::string_view message, const Members& fields) {
        if (!reports(severity)) return;
        const std::lock_guard lock(mutex_);
        const LineBudget::Turn turn = budgets_[event].take(LineBudget::Clock::now());
        if (turn.granted) write(severity, event, message, fields, turn.left_out);
    }

    void tell_left_out() {
        const std::lock_guard lock(mutex_);
        for (auto& [event, budget] : budgets_)
            if (const uint64_t left_out = budget.take_left_out(); left_out > 0)
                write(Severity::warning, "lines_left_out",
                      "lines about " + std::string(event) + " were left out", {}, left_out);
    }

  private:
    // Made when there is something to say: most kernels never touch those pages.
    spdlog::logger& logger() {
        if (!logger_) {
            logger_ = std::make_unique<spdlog::logger>("cellblock",
                                                       std::make_shared<spdlog::sinks::stderr_sink_st>());
            logger_->set_level(row_of(options_.least).level);
            logger_->set_pattern(
                options_.format == LineFormat::json ? "%v" : "[%L %Y-%m-%d %H:%M:%S.%e cellblock] %v");
            // Before a crash, too.
            logger_->flush_on(spdlog::level::debug);
        }
        return *logger_;
    }

    void write(Severity severity, std::string_view event, std::string_view message, const Members& fields,
               uint64_t left_out) {
        logger().log(row_of(severity).level, spdlog::string_view_t("{}"),
                     format_line(options_, std::chrono::system_clock::now(), severity, event, message, fields,
                                 left_out));
    }

    const DiagnosticsOptions options_;
    std::mutex mutex_;  // for what follows
    std::unique_ptr<spdlog::logger> logger_;
    std::map<std::string_view, LineBudget> budgets_;  // events are constants
};

// For the life of the process: other threads may report until its very end.
Reporter* g_reporter = nullptr;

}  // namespace

Result<Severity> parse_severity(std::string_view text) {
    return static_cast<Severity>(TRY(find_row(text, kSeverities, &SeverityRow::name)));
}

Result<LineFormat> parse_line_format(std::string_view text) {
    return static_cast<LineFormat>(TRY(find_word(text, kFormats)));
}

LineBudget::Turn LineBudget::take(Clock::time_point now) {
    if (now - window_began_ >= kLineWindow) {
        window_began_ = now;
        told_ = 0;
    }
    if (told_ == kLinesPerWindow) {
        ++left_out_;
        return {};
    }
    ++told_;
    return {true, take_left_out()};
}

std::string format_line(const DiagnosticsOptions& options, Time time, Severity severity,
                        std::string_view event, std::string_view message, const Members& fields,
                        uint64_t left_out) {
    if (options.format == LineFormat::text)
        return printable_sentence(message.substr(0, kMaxText)) +
               (left_out > 0 ? " (" + std::to_string(left_out) + " more of these before were left out)" : "");
    Members members;
    members.text("time", to_text(time)).text("severity_text", row_of(severity).name);
    members.integer("severity_number", row_of(severity).number)
        .text("event_name", event)
        .text("body", message);
    if (!options.kernel.empty()) members.text("kernel", options.kernel);
    members.append(fields);
    if (left_out > 0) members.integer("left_out", static_cast<int64_t>(left_out));
    return members.object();
}

void start_diagnostics(const DiagnosticsOptions& options) {
    CHECK(g_reporter == nullptr);
    g_reporter = new Reporter(options);
}

bool reports(Severity severity) {
    return g_reporter && g_reporter->reports(severity);
}

void end_diagnostics() {
    if (g_reporter) g_reporter->tell_left_out();
}

void report(Severity severity, std::string_view event, std::string_view message, const Members& fields) {
    if (g_reporter) g_reporter->report(severity, event, message, fields);
}

}  // namespace cellblock::observe
