// One reading serves the end of one thing and the beginning of another: nothing falls between them.
#include "session/usage_meter.hpp"

#include <algorithm>

namespace cellblock::session {

void UsageMeter::watch(jail::Jail* jail) {
    // The counters go with the jail.
    end_pause(read());
    jail_ = jail;
    if (jail_ && recorded_cells_ == 0) begin_pause(read());
}

jail::Counters UsageMeter::read() {
    if (!jail_) return {};
    const auto counters = jail_->counters();
    if (!counters) return {};
    // Cells of several shells share the jail, and what it restarts: each has seen what all have.
    for (auto& [id, meter] : meters_) meter.peak = std::max(meter.peak, counters->memory_peak);
    if (pause_) pause_->peak = std::max(pause_->peak, counters->memory_peak);
    return *counters;
}

jail::Counters UsageMeter::begin(uint64_t id, Recorded recorded) {
    const jail::Counters counters = read();
    if (recorded == Recorded::yes && recorded_cells_++ == 0) end_pause(counters);
    peaks_restart_ = jail_ && jail_->restart_memory_peak();
    meters_[id] = {-1, recorded};
    return counters;
}

jail::Counters UsageMeter::end(uint64_t id) {
    jail::Counters counters = read();
    const auto meter = meters_.extract(id);
    if (!meter) return counters;
    if (meter.mapped().recorded == Recorded::yes && --recorded_cells_ == 0) begin_pause(counters);
    counters.memory_peak = meter.mapped().peak;
    return counters;
}

// `counters` have just been read.
void UsageMeter::begin_pause(const jail::Counters& counters) {
    peaks_restart_ = jail_ && jail_->restart_memory_peak();
    pause_ = Pause{std::chrono::steady_clock::now(), counters};
}

// `counters` have just been read.
void UsageMeter::end_pause(jail::Counters counters) {
    if (!pause_) return;
    counters.memory_peak = pause_->peak;
    if (tell_between_)
        tell_between_(std::chrono::steady_clock::now() - pause_->began,
                      jail::used_since(pause_->before, counters), peak_of());
    pause_.reset();
}

}  // namespace cellblock::session
