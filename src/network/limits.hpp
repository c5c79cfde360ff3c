// What a broker does at most, whatever a jail asks of it: its memory, descriptors and CPU time are the kernel
// process's, which the jail's own limits do not count.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace cellblock::network {

/// Of one jail. Tests make them smaller.
struct BrokerLimits {
    size_t connections = 128;     ///< open at the same time, of two descriptors each; one more is reset
    size_t dns_connections = 16;  ///< to the name server over TCP
    unsigned accepts = 256;       ///< connections in a window; more wait in the kernel's queue
    unsigned queries = 500;       ///< DNS queries in a window; more wait, and then are lost
    std::chrono::milliseconds window{100};
    std::chrono::milliseconds connect_timeout{5'000};  ///< for one address
    std::chrono::milliseconds decide_timeout{20'000};  ///< from a connection to the one that it stands for
    std::chrono::milliseconds idle_timeout{600'000};   ///< without a byte in either direction
    std::chrono::milliseconds dns_idle_timeout{10'000};
    /// From the first of several reports to when they are told.
    std::chrono::milliseconds report_delay{500};
    /// The same while one follows the other: twice as long each time, so that a jail that goes on for days
    /// does not fill a log.
    std::chrono::milliseconds most_report_delay{10'000};
};

/// What Linux may hold of each direction of a connection, on either side: it counts as nobody's memory, and
/// would hold megabytes of what a jail does not read. Outside only of those that are made while there are
/// kUnboundedConnections; a few may be as fast as a long way needs.
inline constexpr int kSocketBuffer = 128 << 10U;
inline constexpr size_t kUnboundedConnections = 8;
/// Of those that this process may open: what measures and ends a jail, asks for names and writes records
/// needs some, too.
inline constexpr int kReservedDescriptors = 32;
/// Whether that many are left. The lowest number that is free is given out first, so `fd` tells.
bool leaves_descriptors(int fd);

/// Of each direction of a connection, while there is something that the other side does not take.
inline constexpr size_t kRelayBuffer = size_t{32} << 10U;
/// Buffers that one connection moves before others have their turn.
inline constexpr int kRelayRounds = 4;
/// How often deadlines are looked at.
inline constexpr std::chrono::milliseconds kSweepInterval{100};

/// So many acts in each window.
class Rate {
  public:
    using Clock = std::chrono::steady_clock;
    Rate(unsigned most, std::chrono::milliseconds window) : most_(most), window_(window) {}

    /// False when there were as many as may be; then resume_in() says how long that stays so.
    bool take() {
        const auto now = Clock::now();
        if (now >= end_) {
            end_ = now + window_;
            taken_ = 0;
        }
        if (taken_ == most_) return false;
        ++taken_;
        return true;
    }
    [[nodiscard]] std::chrono::nanoseconds resume_in() const { return end_ - Clock::now(); }

  private:
    const unsigned most_;
    const std::chrono::milliseconds window_;
    unsigned taken_ = 0;
    Clock::time_point end_;
};

/// How long to wait before the next telling: longer each time while there is no quiet in between.
class Pace {
  public:
    using Clock = std::chrono::steady_clock;
    Pace(std::chrono::milliseconds least, std::chrono::milliseconds most) : least_(least), most_(most) {}

    /// When something is to be told.
    std::chrono::milliseconds next(Clock::time_point now) {
        delay_ = now < told_ + 2 * delay_ ? std::min(2 * delay_, most_) : least_;
        return delay_;
    }
    void told(Clock::time_point now) { told_ = now; }

  private:
    const std::chrono::milliseconds least_;
    const std::chrono::milliseconds most_;
    std::chrono::milliseconds delay_{0};
    Clock::time_point told_;
};

}  // namespace cellblock::network
