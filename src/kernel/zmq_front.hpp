// ZmqFront: the five sockets of a Jupyter kernel and the thread that owns them. It verifies what comes in,
// hands requests on, sends what it is given, echoes heartbeats, and runs the event loop's callbacks in the
// same thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <zmq.hpp>

#include "base/event_loop.hpp"
#include "kernel/iopub.hpp"
#include "protocol/connection_file.hpp"
#include "protocol/message.hpp"

namespace cellblock::kernel {

enum class Channel { shell, control, stdin_ };

/// What the front tells the kernel, in the loop's thread.
class FrontListener {
  public:
    virtual void on_message(Channel channel, protocol::Request request) = 0;
    virtual void on_pressure(bool high) = 0;

  protected:
    ~FrontListener() = default;
};

class ZmqFront {
  public:
    /// Binds all sockets. The error names the endpoint that could not be bound.
    static Result<std::unique_ptr<ZmqFront>> bind(const protocol::ConnectionFile& connection, EventLoop& loop,
                                                  FrontListener& listener, protocol::HeaderFactory& headers);
    ~ZmqFront();

    /// Serves until stop(). Everything below is for this thread, except stop().
    void run();
    /// Ends run(). Any thread; takes effect after the tasks that were posted to the loop before.
    void stop();

    void send(Channel channel, protocol::Message message);
    void publish(protocol::Message message) { iopub_->publish(std::move(message)); }
    /// Reads the requests that have already arrived on `channel`, so that they can be aborted.
    void drain(Channel channel);
    /// Back-pressure on requests: while off, they wait in ZeroMQ and in the sender.
    void set_reading(Channel channel, bool on);

  private:
    ZmqFront(EventLoop& loop, FrontListener& listener, protocol::Signer signer);
    Result<void> bind_all(const protocol::ConnectionFile& connection, protocol::HeaderFactory& headers);
    struct SocketPlan {
        zmq::socket_type type;
        const char* name;
        int64_t max_message;      // bytes of one incoming frame
        int send_limit;           // messages that wait for one peer; 0: unlimited
        bool must_reach = false;  // sending to a peer that is not connected is an error
    };
    Result<zmq::socket_t> bind_socket(const SocketPlan& plan, const protocol::ConnectionFile& connection,
                                      int port);
    zmq::socket_t& socket_of(Channel channel);
    bool receive_one(Channel channel);
    void ask(std::vector<std::string> frames);
    bool try_to_ask(std::vector<std::string>& frames);
    void ask_again();
    void echo_heartbeats();

    EventLoop& loop_;
    FrontListener& listener_;
    protocol::Signer signer_;
    protocol::ReplayWindow replays_;
    zmq::context_t context_;
    zmq::socket_t shell_;
    zmq::socket_t control_;
    zmq::socket_t stdin_;
    zmq::socket_t heartbeat_;
    std::unique_ptr<Iopub> iopub_;
    struct Question {
        std::vector<std::string> frames;
        std::chrono::steady_clock::time_point until;
    };
    std::deque<Question> questions_;  // whose front end has not connected to stdin yet
    std::vector<std::string> ipc_paths_;
    bool reading_shell_ = true;
    bool stopped_ = false;
};

}  // namespace cellblock::kernel
