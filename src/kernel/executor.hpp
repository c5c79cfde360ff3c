// Executor: a thread that answers requests one after the other. The one of the main shell runs a xeus kernel,
// which decides which handler a request gets and puts `busy` and `idle` around it; the texts of messages
// never pass through it, because its JSON reorders keys and loses big integers. Those of subshells and of the
// control channel do the same by themselves.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

#include "kernel/zmq_front.hpp"
#include "protocol/message.hpp"
#include "session/session.hpp"

namespace cellblock::kernel {

using RequestPtr = std::shared_ptr<const protocol::Request>;

/// What the executor does with a request; implemented by Kernel. Called in the executor's thread.
class RequestHandler {
  public:
    /// Content of the reply, or of an error reply. Blocks as long as it takes.
    virtual session::Reply answer(Channel channel, const RequestPtr& request) = 0;
    /// Sends a message. `reply.status` tells what follows for queued requests.
    virtual void send_reply(Channel channel, const RequestPtr& request, const session::Reply& reply) = 0;
    virtual void publish_status(const protocol::Request& parent, std::string_view state) = 0;

  protected:
    ~RequestHandler() = default;
};

class Executor {
  public:
    using Task = std::function<void()>;
    enum class Engine { xeus, own };

    Executor(Channel channel, Engine engine, RequestHandler& handler);
    /// Waits for the request under way; unblock it first.
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    void start();
    /// Any thread. Tasks and requests keep their order.
    void push(RequestPtr request);
    void push(Task task);
    /// Runs `task` before everything that is queued. Any thread.
    void push_front(Task task);
    /// Takes the queued requests that `wanted` picks out, in order. Any thread.
    std::vector<RequestPtr> take_queued(const std::function<bool(const protocol::Request&)>& wanted);
    [[nodiscard]] size_t queued() const;
    /// Any thread, once. What is queued is dropped.
    void stop();
    /// Whether its thread has nothing more to do, so that the destructor does not wait. Any thread.
    [[nodiscard]] bool ended() const;

  private:
    friend class XeusServer;
    friend class XeusInterpreter;

    void run_until_stopped();
    void dispatch(const RequestPtr& request);
    session::Reply answer_current();
    void send_current_reply();

    class Xeus;  // keeps xeus headers out of this one

    const Channel channel_;
    RequestHandler& handler_;
    std::unique_ptr<Xeus> xeus_;
    RequestPtr current_;
    std::unique_ptr<session::Reply> current_reply_;
    bool replied_ = false;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::variant<RequestPtr, Task>> queue_;
    bool stopped_ = false;
    bool ended_ = false;
    std::thread thread_;
};

}  // namespace cellblock::kernel
