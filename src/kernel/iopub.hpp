// Iopub: the broadcast socket. Nothing is lost while subscribers read: when one is full, messages wait in a
// bounded queue and the session stops reading the worker. A subscriber that does not read at all is given
// kStallDeadline; after that messages are dropped for it (and only for whoever is full at that moment), so
// that the others go on. For the loop's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "protocol/message.hpp"

namespace cellblock::kernel {

class Iopub {
  public:
    /// ZeroMQ's own queue a subscriber, in messages. Small: it counts messages, whatever their size.
    static constexpr int kHighWaterMark = 64;
    /// Beyond this much waiting, `on_pressure(true)` asks the producer to stop; below half of it, to go on.
    static constexpr size_t kPauseBytes = 1U << 20U;
    static constexpr size_t kPauseMessages = 1000;
    /// Bytes of big frames that ZeroMQ may hold for all subscribers together, since its own limit counts
    /// messages. A hostile worker's largest frames must not add up in this process, which no cgroup bounds.
    static constexpr size_t kMaxInFlight = 64U << 20U;
    static constexpr std::chrono::seconds kStallDeadline{10};
    /// Subscriptions handled before the loop goes on; while output waits they get no welcome.
    static constexpr int kSubscriptionsAtOnce = 16;
    /// Largest subscription that ZeroMQ may take in; real ones are a topic's prefix.
    static constexpr int64_t kMaxSubscription = 1024;
    /// How often a full queue is tried again when ZeroMQ does not wake us.
    static constexpr std::chrono::milliseconds kRetryInterval{2};

    using WelcomeMaker = std::function<protocol::Message(const std::string& topic)>;

    /// `socket` is a bound XPUB socket. `make_welcome` makes the iopub_welcome message (JEP 65) for a
    /// subscription.
    Iopub(zmq::socket_t socket, const protocol::Signer& signer, std::function<void(bool)> on_pressure,
          WelcomeMaker make_welcome);

    /// `message.identities` is the topic alone.
    void publish(protocol::Message message);
    /// Call when the socket or its descriptor is readable, and every kRetryInterval while backlogged().
    void serve();
    [[nodiscard]] bool backlogged() const { return !backlog_.empty(); }
    zmq::socket_t& socket() { return socket_; }

  private:
    struct Encoded {
        std::vector<std::string> frames;
        size_t size = 0;
    };
    void enqueue(protocol::Message message);
    void read_subscriptions();
    void flush();
    bool try_send(Encoded& message);
    void set_lossy(bool lossy);
    void update_pressure();

    zmq::socket_t socket_;
    const protocol::Signer& signer_;
    std::shared_ptr<std::atomic<size_t>> in_flight_ = std::make_shared<std::atomic<size_t>>(0);
    std::function<void(bool)> on_pressure_;
    WelcomeMaker make_welcome_;
    std::deque<Encoded> backlog_;
    size_t backlog_bytes_ = 0;
    bool pressure_ = false;
    bool lossy_ = false;
    bool stalled_before_ = false;
    std::chrono::steady_clock::time_point last_progress_;
};

/// Moves big frames into ZeroMQ without a copy. Returns false when the socket would block before the first
/// frame. `in_flight`, if given, counts the bytes of big frames until ZeroMQ lets go of them.
bool send_frames(zmq::socket_t& socket, std::vector<std::string>& frames,
                 const std::shared_ptr<std::atomic<size_t>>& in_flight = nullptr);

}  // namespace cellblock::kernel
