// Kernel: the role `cellblock kernel`. It joins a front (sockets), executors (main shell, subshells, control)
// and a session (the jailed Python), and decides when the process ends.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "kernel/control_turns.hpp"
#include "kernel/executor.hpp"
#include "kernel/replies.hpp"
#include "kernel/subshells.hpp"
#include "kernel/usage.hpp"
#include "kernel/zmq_front.hpp"
#include "protocol/connection_file.hpp"
#include "session/session.hpp"

namespace cellblock::kernel {

/// Requests that may wait for the shell executor; beyond it the shell socket is not read.
inline constexpr size_t kMaxQueuedRequests = 4096;
/// How long exit handlers of the worker may run when the kernel is shut down.
inline constexpr std::chrono::milliseconds kExitGrace{1000};
/// How long the process stays after a cell that called exit(). jupyter_console asks whether the process lives
/// before it reads the reply, up to 0.1 s late, and loses the payload of a kernel that is already gone.
inline constexpr std::chrono::milliseconds kExitReplyPickup{500};

class Kernel final : private FrontListener, private session::Host, private RequestHandler {
  public:
    /// Binds the sockets and starts the jail with the worker. Nothing is left behind on error.
    static Result<std::unique_ptr<Kernel>> create(const protocol::ConnectionFile& connection,
                                                  session::Config config, ProfileInForce profile,
                                                  EventLoop& loop);
    ~Kernel();

    /// Serves until a shutdown_request or terminate(). The value is the process's exit status.
    int run();
    /// Shuts down in good order, as a shutdown_request does. Any thread.
    void terminate();
    /// As an interrupt_request. Any thread.
    void interrupt() { session_->interrupt(); }

  private:
    explicit Kernel(EventLoop& loop);

    void on_message(Channel channel, protocol::Request request) override;
    void on_pressure(bool high) override;

    void publish(session::Publication publication) override;
    void ask_input(uint64_t id, const protocol::Request& request, std::string content) override;
    void cell_awaits(const protocol::Request& request) override;
    void forget_input(uint64_t id) override;
    void worker_lost_while_idle() override;
    void calls_refused(const protocol::Request& request, const std::vector<jail::Denial>& denials) override;
    void network_used(const std::vector<network::Report>& reports) override;

    session::Reply answer(Channel channel, const RequestPtr& request) override;
    void send_reply(Channel channel, const RequestPtr& request, const session::Reply& reply) override;
    void publish_status(const protocol::Request& parent, std::string_view state) override;

    session::Reply run(const RequestPtr& request);
    session::Reply answer_here(const RequestPtr& request);
    session::Reply kernel_info();
    session::Reply create_subshell();
    session::Reply delete_subshell(const protocol::Request& request);
    session::Reply list_subshells();
    void without_subshell(const RequestPtr& request);
    void refuse_unknown_subshell(const protocol::Request& request);
    void interrupt_from_shell(const RequestPtr& request);
    void forward_beside_cell(const RequestPtr& request);
    void on_input_reply(const protocol::Request& reply);
    void wait_for_worker();
    void abort_queued_cells(const std::string& subshell_id);
    void abort_cell(const protocol::Request& request);
    void with_shell(const std::string& subshell_id, const std::function<void(Executor&)>& use);
    void answer_at_once(const protocol::Request& request, std::string_view reply_type,
                        const session::Reply& reply);
    /// `asked_by` is the header of the shutdown_request; empty when nobody sent one.
    /// False when the end has begun before.
    bool shut_down(bool restart, const std::string& asked_by);
    void throttle_requests();
    protocol::Message make_reply(const protocol::Request& request, std::string_view reply_type,
                                 const session::Reply& reply);
    protocol::Message make_iopub(const std::string& topic, const std::string& msg_type, std::string parent,
                                 std::string content);
    std::string default_topic(std::string_view msg_type) const;

    EventLoop& loop_;
    protocol::HeaderFactory headers_;
    protocol::ConnectionFile connection_;
    ProfileInForce profile_;
    std::unique_ptr<ZmqFront> front_;
    std::unique_ptr<session::Session> session_;
    std::unique_ptr<LoopTimer> exit_timer_;  // after a cell's exit()
    std::unique_ptr<ControlTurns> turns_;
    // Last, so that their threads end before what they use.
    std::unique_ptr<Executor> shell_;
    std::unique_ptr<Subshells> subshells_;
    std::unique_ptr<Executor> control_;
    UsageMeter usage_;  // control executor's thread

    std::mutex info_mutex_;
    std::condition_variable info_changed_;
    std::optional<std::string> info_;  // kernel_info_reply, once the worker is ready
    std::atomic<bool> ending_ = false;
    std::atomic<int> exit_status_ = 0;

    // Loop's thread: the question that waits for an answer on stdin.
    uint64_t input_id_ = 0;
    std::vector<std::string> input_identities_;
};

}  // namespace cellblock::kernel
