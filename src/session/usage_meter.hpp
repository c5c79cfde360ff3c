// What requests use: the jail's counters before and after each. The peak of memory is restarted for each, so
// it is the request's own. What is used while no recorded cell runs is told of, too: by processes and threads
// that cells leave behind, by requests without a record, by an interpreter that starts.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "jail/jail.hpp"

namespace cellblock::session {

/// What the highest memory is about: a cell, or all of the jail's life until its end.
enum class PeakOf { cell, session };

/// Whether a request has records in the audit log.
enum class Recorded { no, yes };

class UsageMeter {
  public:
    /// Told after each time in which no recorded cell ran.
    using Between = std::function<void(std::chrono::steady_clock::duration duration,
                                       const jail::Counters& used, PeakOf peak_of)>;
    void tell_between(Between tell) { tell_between_ = std::move(tell); }

    /// Another jail from now on, which stays until the next call; null: none.
    void watch(jail::Jail* jail);
    /// As they are now; nothing is known without a jail.
    jail::Counters read();
    /// The counters at the beginning of a request and at its end, where the peak is that of the time between.
    jail::Counters begin(uint64_t id, Recorded recorded);
    jail::Counters end(uint64_t id);
    [[nodiscard]] PeakOf peak_of() const { return peaks_restart_ ? PeakOf::cell : PeakOf::session; }

  private:
    struct Meter {
        int64_t peak = -1;  // of memory, up to its last restart
        Recorded recorded = Recorded::no;
    };
    /// The time in which no recorded cell runs.
    struct Pause {
        std::chrono::steady_clock::time_point began;
        jail::Counters before;
        int64_t peak = -1;
    };
    void begin_pause(const jail::Counters& counters);
    void end_pause(jail::Counters counters);

    jail::Jail* jail_ = nullptr;
    Between tell_between_;
    std::unordered_map<uint64_t, Meter> meters_;  // of requests that run
    bool peaks_restart_ = false;                  // else there is only the peak of the jail's life
    int recorded_cells_ = 0;                      // that run
    std::optional<Pause> pause_;                  // null while one runs
};

}  // namespace cellblock::session
