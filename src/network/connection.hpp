// Connection: one that a jail's process has made to an allowed name, from its acceptance to its end: looked
// up, judged, connected, relayed.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.hpp"
#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"
#include "network/address_policy.hpp"
#include "network/limits.hpp"
#include "network/lookups.hpp"
#include "network/reports.hpp"

namespace cellblock::network {

/// What all connections of a broker share; outlives them.
struct ConnectionContext {
    EventLoop& loop;
    Lookups& lookups;
    const AddressPolicy& refuses;
    const BrokerLimits& limits;
    std::function<void(Report)> report;
};

inline constexpr const char* kTooManyDescriptors = "too many descriptors are open";
/// fs.epoll.max_user_watches, which a jail of the same user can use up.
inline constexpr const char* kNotWatched = "this user can watch no more descriptors";

/// So that a connection that was cut or refused does not look like one that was complete.
void reset_at_close(int socket);

/// For the loop's thread.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    using Clock = std::chrono::steady_clock;

    enum class Buffers { as_linux_likes, bounded };  ///< of the socket outside

    /// `inside` does not block.
    Connection(ConnectionContext& context, Endpoint endpoint, UniqueFd inside, Buffers buffers);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start();
    /// Ends what has waited too long.
    void check_deadlines(Clock::time_point now);
    /// Reports what it has carried so far.
    void end(std::string_view reason);
    [[nodiscard]] bool ended() const { return state_ == State::ended; }

  private:
    enum class State { looking_up, connecting, relaying, ended };

    /// One way; bytes that were read and not yet written lie in [begin, end).
    struct Direction {
        UniqueFd* from = nullptr;
        UniqueFd* to = nullptr;
        std::vector<char> buffer;
        size_t begin = 0;
        size_t end = 0;
        bool read_all = false;  ///< the end has come
        bool told_end = false;  ///< and was passed on
        uint64_t bytes = 0;
        [[nodiscard]] bool is_blocked() const { return begin != end; }
    };
    enum class Moved { all, more, broken };

    void choose(const Result<Addresses>& addresses);
    void connect_next();
    void on_connected();
    void begin_relay();
    void on_ready(UniqueFd& fd, uint32_t events);
    Moved move(Direction& direction);
    void wait_for_what_is_next();
    void watch_for(UniqueFd& fd, const Direction& in, const Direction& out);
    void refuse(std::string reason);
    void close(bool reset);

    ConnectionContext& context_;
    const Endpoint endpoint_;
    const Buffers buffers_;
    UniqueFd inside_;
    UniqueFd outside_;
    State state_ = State::looking_up;
    Addresses addresses_;  ///< that are left to try; the next one is the last
    std::string address_;  ///< the one that is tried, or was reached
    std::string failure_;  ///< of the last one tried
    Clock::time_point decide_until_;
    Clock::time_point address_until_;
    Clock::time_point last_moved_;
    Direction sent_;
    Direction received_;
    std::array<UniqueFd*, 2> hung_up_{};  ///< not watched any more: there is nothing new to hear of them
};

}  // namespace cellblock::network
