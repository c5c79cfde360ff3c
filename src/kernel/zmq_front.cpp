// libzmq through cppzmq. zmq_poll waits for the sockets and for the event loop's descriptor together.
#include "kernel/zmq_front.hpp"

#include <unistd.h>

#include <array>

#include "observe/diagnostics.hpp"

namespace cellblock::kernel {
namespace {

using observe::Severity;

// Messages served from one channel before the others get their turn.
constexpr int kMessagesAtOnce = 64;
constexpr int kLingerMilliseconds = 1000;
// Clients send "ping".
constexpr int64_t kMaxHeartbeat = 1024;
// The sockets of a front end connect one by one, some 100 ms apart (ZMQ_RECONNECT_IVL), and its first cell
// may ask at once. ZeroMQ would drop that question, and the cell would wait for ever.
constexpr size_t kMaxWaitingQuestions = 64;
constexpr std::chrono::seconds kQuestionPatience{10};
constexpr std::chrono::milliseconds kQuestionRetry{20};

}  // namespace

Result<std::unique_ptr<ZmqFront>> ZmqFront::bind(const protocol::ConnectionFile& connection, EventLoop& loop,
                                                 FrontListener& listener, protocol::HeaderFactory& headers) {
    protocol::Signer signer(connection.key);
    std::unique_ptr<ZmqFront> front(new ZmqFront(loop, listener, std::move(signer)));
    TRY(front->bind_all(connection, headers));
    return front;
}

ZmqFront::ZmqFront(EventLoop& loop, FrontListener& listener, protocol::Signer signer)
    : loop_(loop), listener_(listener), signer_(std::move(signer)), context_(1) {}

ZmqFront::~ZmqFront() {
    // libzmq removes the socket files that it has bound, except when the process dies; so this only tidies up
    // after a failed start.
    iopub_.reset();
    for (const std::string& path : ipc_paths_) ::unlink(path.c_str());
}

Result<void> ZmqFront::bind_all(const protocol::ConnectionFile& connection,
                                protocol::HeaderFactory& headers) {
    // A reply is owed for every request that we took in: its queue is unlimited, since requests are limited.
    // Echoes of heartbeats are not worth that.
    constexpr int kUnlimited = 0;
    constexpr auto kMaxRequest = static_cast<int64_t>(protocol::kMaxMessage.count);
    using zmq::socket_type;
    shell_ = TRY(bind_socket({socket_type::router, "shell", kMaxRequest, kUnlimited}, connection,
                             connection.shell_port));
    control_ = TRY(bind_socket({socket_type::router, "control", kMaxRequest, kUnlimited}, connection,
                               connection.control_port));
    stdin_ = TRY(bind_socket({socket_type::router, "stdin", kMaxRequest, kUnlimited, true}, connection,
                             connection.stdin_port));
    heartbeat_ = TRY(bind_socket({socket_type::router, "heartbeat", kMaxHeartbeat, kMessagesAtOnce},
                                 connection, connection.hb_port));
    zmq::socket_t iopub =
        TRY(bind_socket({socket_type::xpub, "iopub", Iopub::kMaxSubscription, Iopub::kHighWaterMark},
                        connection, connection.iopub_port));
    iopub_ = std::make_unique<Iopub>(
        std::move(iopub), signer_, [this](bool high) { listener_.on_pressure(high); },
        [&headers](const std::string& topic) {
            protocol::Message welcome;
            welcome.identities = {topic};
            welcome.header = headers.make("iopub_welcome");
            // A topic is raw bytes of a subscriber; only printable ones are repeated.
            std::string shown;
            for (const char c : topic)
                if (c >= ' ' && c <= '~' && c != '"' && c != '\\') shown += c;
            welcome.content = "{\"subscription\": \"" + shown + "\"}";
            return welcome;
        });
    return {};
}

Result<zmq::socket_t> ZmqFront::bind_socket(const SocketPlan& plan,
                                            const protocol::ConnectionFile& connection, int port) {
    const std::string endpoint = connection.endpoint(port);
    try {
        zmq::socket_t socket(context_, plan.type);
        socket.set(zmq::sockopt::linger, kLingerMilliseconds);
        // What a peer may send before it has proved anything.
        socket.set(zmq::sockopt::maxmsgsize, plan.max_message);
        socket.set(zmq::sockopt::sndhwm, plan.send_limit);
        if (connection.ip.find(':') != std::string::npos) socket.set(zmq::sockopt::ipv6, true);
        if (plan.type == zmq::socket_type::router) {
            // A front end that reconnects under its old identity takes its place back, as in ipykernel.
            socket.set(zmq::sockopt::router_handover, true);
            // See ask(). Whoever has sent a request on the others was connected to it; if it is gone, nobody
            // misses the reply.
            if (plan.must_reach) socket.set(zmq::sockopt::router_mandatory, true);
        } else {
            socket.set(zmq::sockopt::xpub_nodrop, true);
            socket.set(zmq::sockopt::xpub_verbose, true);
        }
        if (!connection.curve_secretkey.empty()) {
            socket.set(zmq::sockopt::curve_server, true);
            socket.set(zmq::sockopt::curve_secretkey, connection.curve_secretkey);
            socket.set(zmq::sockopt::curve_publickey, connection.curve_publickey);
        }
        socket.bind(endpoint);
        if (connection.transport == protocol::Transport::ipc) ipc_paths_.push_back(endpoint.substr(6));
        return socket;
    } catch (const zmq::error_t& error) {
        Error failed(std::string("bind the ") + plan.name + " socket to " + endpoint, error.num());
        if (error.num() == EADDRINUSE)
            return std::move(failed).with_remedy(
                "Another program uses this port; let the front end write a new connection file.");
        return failed;
    }
}

zmq::socket_t& ZmqFront::socket_of(Channel channel) {
    switch (channel) {
        case Channel::shell:
            return shell_;
        case Channel::control:
            return control_;
        case Channel::stdin_:
            return stdin_;
    }
    UNREACHABLE();
}

void ZmqFront::run() {
    enum { kControl, kShell, kStdin, kHeartbeat, kIopub, kIopubFd, kLoop, kItems };
    const auto iopub_fd = iopub_->socket().get(zmq::sockopt::fd);
    while (!stopped_) {
        // ZeroMQ announces room in a full subscriber's queue only through its descriptor, so that is polled
        // as well.
        const bool backlogged = iopub_->backlogged();
        std::array<zmq::pollitem_t, kItems> items{{
            {control_.handle(), 0, ZMQ_POLLIN, 0},
            {shell_.handle(), 0, static_cast<short>(reading_shell_ ? ZMQ_POLLIN : 0), 0},
            {stdin_.handle(), 0, ZMQ_POLLIN, 0},
            {heartbeat_.handle(), 0, ZMQ_POLLIN, 0},
            {iopub_->socket().handle(), 0, ZMQ_POLLIN, 0},
            {nullptr, iopub_fd, static_cast<short>(backlogged ? ZMQ_POLLIN : 0), 0},
            {nullptr, loop_.fd(), ZMQ_POLLIN, 0},
        }};
        const auto idle = questions_.empty() ? std::chrono::milliseconds(-1) : kQuestionRetry;
        const auto timeout = backlogged ? Iopub::kRetryInterval : idle;
        try {
            zmq::poll(items.data(), items.size(), timeout);
        } catch (const zmq::error_t& error) {
            // Signals are blocked, but a debugger or SIGCONT still interrupts the wait.
            CHECK(error.num() == EINTR);
            continue;
        }
        if (items[kLoop].revents & ZMQ_POLLIN) loop_.run_ready();
        for (const Channel channel : {Channel::control, Channel::stdin_, Channel::shell})
            for (int i = 0; i < kMessagesAtOnce && receive_one(channel); ++i) {
            }
        if (items[kHeartbeat].revents & ZMQ_POLLIN) echo_heartbeats();
        iopub_->serve();
        ask_again();
    }
}

void ZmqFront::stop() {
    loop_.post([this] { stopped_ = true; });
}

bool ZmqFront::receive_one(Channel channel) {
    if (channel == Channel::shell && !reading_shell_) return false;
    zmq::socket_t& socket = socket_of(channel);
    // One more than any message that decode() accepts; the rest of a longer one is read and thrown away.
    constexpr size_t kMaxFrames = protocol::kMaxIdentities + 6 + protocol::kMaxBuffers;
    std::vector<zmq::message_t> frames;
    zmq::message_t frame;
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return false;
    bool more = frame.more();
    frames.push_back(std::move(frame));
    bool too_many = false;
    while (more) {
        zmq::message_t next;
        if (!socket.recv(next, zmq::recv_flags::dontwait)) break;
        more = next.more();
        too_many = too_many || frames.size() == kMaxFrames;
        if (!too_many) frames.push_back(std::move(next));
    }
    std::vector<std::string_view> views;
    views.reserve(frames.size());
    for (const zmq::message_t& part : frames) views.emplace_back(part.data<char>(), part.size());
    auto request = too_many ? Result<protocol::Request>(Error("it has too many frames"))
                            : protocol::decode(views, signer_, replays_);
    if (request) {
        listener_.on_message(channel, *std::move(request));
    } else {
        observe::report(Severity::warning, "message_dropped",
                        "a message from a front end was dropped: " + request.error().what());
    }
    return true;
}

void ZmqFront::drain(Channel channel) {
    while (receive_one(channel)) {
    }
}

void ZmqFront::set_reading(Channel channel, bool on) {
    CHECK(channel == Channel::shell);
    reading_shell_ = on;
}

void ZmqFront::echo_heartbeats() {
    for (int i = 0; i < kMessagesAtOnce; ++i) {
        zmq::message_t frame;
        if (!heartbeat_.recv(frame, zmq::recv_flags::dontwait)) return;
        while (true) {
            const bool more = frame.more();
            heartbeat_.send(
                frame, zmq::send_flags::dontwait | (more ? zmq::send_flags::sndmore : zmq::send_flags::none));
            if (!more) break;
            if (!heartbeat_.recv(frame, zmq::recv_flags::dontwait)) break;
        }
    }
}

void ZmqFront::send(Channel channel, protocol::Message message) {
    std::vector<std::string> frames = protocol::encode(std::move(message), signer_);
    if (channel == Channel::stdin_) return ask(std::move(frames));
    try {
        send_frames(socket_of(channel), frames);
    } catch (const zmq::error_t& error) {
        // The front end has gone (EHOSTUNREACH) …: there is nobody to tell.
        observe::report(Severity::info, "reply_not_sent",
                        std::string("a reply could not be sent: ") + error.what());
    }
}

void ZmqFront::ask(std::vector<std::string> frames) {
    if (questions_.empty() && try_to_ask(frames)) return;
    if (questions_.size() == kMaxWaitingQuestions) questions_.pop_front();
    questions_.push_back({std::move(frames), std::chrono::steady_clock::now() + kQuestionPatience});
}

/// False while no front end of that identity is connected.
bool ZmqFront::try_to_ask(std::vector<std::string>& frames) {
    try {
        return send_frames(stdin_, frames);
    } catch (const zmq::error_t& error) {
        if (error.num() == EHOSTUNREACH) return false;
        observe::report(Severity::warning, "question_not_sent",
                        std::string("a question could not be sent: ") + error.what());
        return true;
    }
}

void ZmqFront::ask_again() {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(questions_,
                  [&](Question& question) { return try_to_ask(question.frames) || question.until < now; });
}

}  // namespace cellblock::kernel
