// What a request uses: the jail's counters before and after it. The peak of memory is restarted for each, so
// it is the request's own. In executors' threads.
#include <algorithm>

#include "session/session.hpp"

namespace cellblock::session {

// Caller holds jail_mutex_.
jail::Counters Session::read_counters() {
    if (!jail_) return {};
    auto counters = jail_->counters();
    // Cells of several shells share the jail, and what it restarts: each has seen what all have.
    for (auto& [id, peak] : peaks_)
        if (counters) peak = std::max(peak, counters->memory_peak);
    return counters ? *counters : jail::Counters{};
}

jail::Counters Session::begin_usage(uint64_t id) {
    const std::lock_guard lock(jail_mutex_);
    const jail::Counters counters = read_counters();
    peaks_restart_ = jail_ && jail_->restart_memory_peak();
    peaks_[id] = -1;
    return counters;
}

jail::Counters Session::end_usage(uint64_t id) {
    const std::lock_guard lock(jail_mutex_);
    jail::Counters counters = read_counters();
    if (const auto peak = peaks_.extract(id)) counters.memory_peak = peak.mapped();
    return counters;
}

PeakOf Session::peak_of() {
    const std::lock_guard lock(jail_mutex_);
    return peaks_restart_ ? PeakOf::cell : PeakOf::session;
}

}  // namespace cellblock::session
