// What usage_request is answered with: the jail's use of its limits, under the keys that ipykernel uses for
// the host's, because front ends (jupyter-resource-usage) show those.
#pragma once

#include <chrono>
#include <string>

#include "session/session.hpp"

namespace cellblock::kernel {

/// Remembers the last reading: CPU use is a difference. Keys whose value this host cannot tell are left out.
class UsageMeter {
  public:
    using Clock = std::chrono::steady_clock;
    /// usage_reply's content, for a reading taken `now`.
    std::string content(const session::Usage& usage, Clock::time_point now);

  private:
    int64_t last_cpu_us_ = -1;
    Clock::time_point last_;
};

}  // namespace cellblock::kernel
