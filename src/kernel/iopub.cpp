// XPUB with XPUB_NODROP (zmq_setsockopt(3)): a send fails with EAGAIN, before its first frame is taken, while
// any matching subscriber's queue is full.
#include "kernel/iopub.hpp"

#include <memory>

#include "observe/diagnostics.hpp"

namespace cellblock::kernel {
namespace {

// Smaller frames are copied and not counted as in flight: with the high-water mark and a message's frame
// limit they cannot add up to more than about as much again.
constexpr size_t kCopyBelow = 1024;
// What goes out in one round while messages are dropped for a stalled subscriber: healthy ones must be able
// to drain their queues between two rounds.
constexpr size_t kLossyBatch = Iopub::kHighWaterMark / 2;

// What ZeroMQ holds on to; destroyed in one of its threads.
struct Held {
    std::string bytes;
    std::shared_ptr<std::atomic<size_t>> in_flight;

    Held(std::string text, std::shared_ptr<std::atomic<size_t>> counter)
        : bytes(std::move(text)), in_flight(std::move(counter)) {
        if (in_flight) *in_flight += bytes.size();
    }
    ~Held() {
        if (in_flight) *in_flight -= bytes.size();
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
};

zmq::message_t to_zmq(std::string& frame, const std::shared_ptr<std::atomic<size_t>>& in_flight) {
    if (frame.size() < kCopyBelow) return zmq::message_t(frame.data(), frame.size());
    auto held = std::make_unique<Held>(std::move(frame), in_flight);
    char* const data = held->bytes.data();
    const size_t size = held->bytes.size();
    return zmq::message_t(
        data, size, [](void*, void* hint) { delete static_cast<Held*>(hint); }, held.release());
}

}  // namespace

bool send_frames(zmq::socket_t& socket, std::vector<std::string>& frames,
                 const std::shared_ptr<std::atomic<size_t>>& in_flight) {
    for (size_t i = 0; i < frames.size(); ++i) {
        const bool more = i + 1 < frames.size();
        // The first frame is small (an identity or a topic) and copied, so a refused message is still whole.
        zmq::message_t frame =
            i == 0 ? zmq::message_t(frames[0].data(), frames[0].size()) : to_zmq(frames[i], in_flight);
        const auto flags =
            zmq::send_flags::dontwait | (more ? zmq::send_flags::sndmore : zmq::send_flags::none);
        if (!socket.send(frame, flags)) return false;
    }
    return true;
}

Iopub::Iopub(zmq::socket_t socket, const protocol::Signer& signer, std::function<void(bool)> on_pressure,
             WelcomeMaker make_welcome)
    : socket_(std::move(socket)),
      signer_(signer),
      on_pressure_(std::move(on_pressure)),
      make_welcome_(std::move(make_welcome)) {}

void Iopub::publish(protocol::Message message) {
    // A new subscriber hears its welcome first (JEP 65), also when this message is quicker than the loop.
    read_subscriptions();
    enqueue(std::move(message));
}

void Iopub::enqueue(protocol::Message message) {
    Encoded encoded{protocol::encode(std::move(message), signer_)};
    if (backlog_.empty() && try_send(encoded)) return;
    for (const std::string& frame : encoded.frames) encoded.size += frame.size();
    if (backlog_.empty()) last_progress_ = std::chrono::steady_clock::now();
    backlog_bytes_ += encoded.size;
    backlog_.push_back(std::move(encoded));
    update_pressure();
}

void Iopub::serve() {
    read_subscriptions();
    flush();
}

void Iopub::read_subscriptions() {
    zmq::message_t event;
    // Anybody who can connect can subscribe, endlessly: never at the expense of everything else.
    for (int i = 0; i < kSubscriptionsAtOnce && socket_.recv(event, zmq::recv_flags::dontwait); ++i) {
        if (event.empty() || event.data<char>()[0] != 1 || backlogged()) continue;
        enqueue(make_welcome_(std::string(event.data<char>() + 1, event.size() - 1)));
    }
}

void Iopub::flush() {
    size_t sent = 0;
    while (!backlog_.empty()) {
        if (lossy_ && sent == kLossyBatch) break;
        if (!try_send(backlog_.front())) break;
        backlog_bytes_ -= backlog_.front().size;
        backlog_.pop_front();
        ++sent;
    }
    const auto now = std::chrono::steady_clock::now();
    if (sent > 0) last_progress_ = now;
    if (backlog_.empty()) set_lossy(false);
    // Who has stalled once is given less time again, or every flood would halt for the whole deadline.
    const auto deadline =
        stalled_before_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(kStallDeadline);
    if (!backlog_.empty() && now - last_progress_ > deadline) set_lossy(true);
    update_pressure();
}

bool Iopub::try_send(Encoded& message) {
    // A stalled subscriber holds on to what fills the budget: then only letting go of this message makes
    // room.
    if (*in_flight_ > kMaxInFlight) return lossy_;
    return send_frames(socket_, message.frames, in_flight_);
}

void Iopub::set_lossy(bool lossy) {
    if (lossy_ == lossy) return;
    lossy_ = lossy;
    socket_.set(zmq::sockopt::xpub_nodrop, !lossy);
    if (lossy && !stalled_before_) {
        stalled_before_ = true;
        observe::report(observe::Severity::warning, "front_end_stalled",
                        "a front end has not read its messages for 10 s; it will miss some");
    }
}

void Iopub::update_pressure() {
    const bool high = backlog_bytes_ > kPauseBytes || backlog_.size() > kPauseMessages;
    const bool low = backlog_bytes_ < kPauseBytes / 2 && backlog_.size() < kPauseMessages / 2;
    if (pressure_ ? !low : !high) return;
    pressure_ = !pressure_;
    on_pressure_(pressure_);
}

}  // namespace cellblock::kernel
