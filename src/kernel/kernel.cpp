// Who does what with a message. The order that front ends rely on (busy, output, reply, idle) holds because
// all that leaves is handed to the loop's thread in the order in which it came about.
#include "kernel/kernel.hpp"

#include <cstdlib>
#include <future>

#include "kernel/replies.hpp"
#include "kernel/reports.hpp"

namespace cellblock::kernel {
namespace {

// As jupyter_client's sessions call themselves.
std::string user_name() {
    const char* name = std::getenv("USER");
    return name != nullptr && *name != '\0' ? name : "username";
}

}  // namespace

Result<std::unique_ptr<Kernel>> Kernel::create(const protocol::ConnectionFile& connection,
                                               session::Config config, ProfileInForce profile,
                                               EventLoop& loop) {
    std::unique_ptr<Kernel> kernel(new Kernel(loop));
    kernel->profile_ = std::move(profile);
    kernel->connection_ = connection;
    kernel->front_ = TRY(ZmqFront::bind(connection, loop, *kernel, kernel->headers_));
    kernel->session_ = TRY(session::Session::start(std::move(config), loop, *kernel));
    kernel->exit_timer_ = TRY(LoopTimer::create(loop, [raw = kernel.get()] { raw->terminate(); }));
    kernel->turns_ = TRY(ControlTurns::create(
        loop, [raw = kernel.get()](const RequestPtr& request) { raw->forward_beside_cell(request); }));
    RequestHandler& handler = *kernel;
    session::Session& session = *kernel->session_;
    kernel->shell_ = std::make_unique<Executor>(Channel::shell, Executor::Engine::xeus, handler);
    kernel->subshells_ = std::make_unique<Subshells>(
        handler, [&session](std::vector<std::string> ids) { session.set_subshells(std::move(ids)); });
    kernel->control_ = std::make_unique<Executor>(Channel::control, Executor::Engine::own, handler);
    return kernel;
}

Kernel::Kernel(EventLoop& loop) : loop_(loop), headers_(protocol::random_uuid(), user_name()) {}

Kernel::~Kernel() {
    if (session_) session_->abandon();
    ending_ = true;
    info_changed_.notify_all();
}

int Kernel::run() {
    // No `starting` status: whoever subscribes while it is being sent would hear it before its iopub_welcome
    // (JEP 65), and who subscribes later does not hear it at all.
    shell_->push([this] { wait_for_worker(); });
    shell_->start();
    control_->start();
    front_->run();
    return exit_status_;
}

void Kernel::wait_for_worker() {
    auto info = session_->wait_ready();
    if (ending_) return;
    auto content =
        info ? kernel_info_content(*info, session_->isolation(), profile_) : std::move(info).error();
    if (!content) {
        report_failed_interpreter(content.error());
        exit_status_ = 1;
        ending_ = true;
        info_changed_.notify_all();
        front_->stop();
        return;
    }
    report_start(session_->isolation(), profile_);
    const std::lock_guard lock(info_mutex_);
    info_ = *std::move(content);
    info_changed_.notify_all();
}

// ---- messages from front ends, in the loop's thread

void Kernel::on_message(Channel channel, protocol::Request request) {
    if (channel == Channel::stdin_) return on_input_reply(request);
    auto shared = std::make_shared<const protocol::Request>(std::move(request));
    if (channel == Channel::shell) {
        if (shared->msg_type == "interrupt_request") return interrupt_from_shell(shared);
        if (is_comm(shared->msg_type) && session_->run_beside(shared)) return;
        if (shared->subshell_id.empty())
            shell_->push(std::move(shared));
        else if (!subshells_->push(shared))
            return without_subshell(shared);
        return throttle_requests();
    }
    if (route_of(shared->msg_type).answerer == Answerer::worker) return turns_->push(std::move(shared));
    control_->push(std::move(shared));
}

void Kernel::on_pressure(bool high) {
    session_->set_paused(high);
}

void Kernel::throttle_requests() {
    const size_t queued = shell_->queued();
    const size_t beside = subshells_->queued();
    if (queued >= kMaxQueuedRequests || beside >= kMaxQueuedPerSubshell)
        front_->set_reading(Channel::shell, false);
    if (queued < kMaxQueuedRequests / 2 && beside < kMaxQueuedPerSubshell / 2)
        front_->set_reading(Channel::shell, true);
}

void Kernel::with_shell(const std::string& subshell_id, const std::function<void(Executor&)>& use) {
    if (subshell_id.empty())
        use(*shell_);
    else
        subshells_->with(subshell_id, use);
}

// JupyterLab deletes the subshell of a comm right behind its comm_close, on another channel: a comm message
// must not be lost by that.
void Kernel::without_subshell(const RequestPtr& request) {
    if (!is_comm(request->msg_type)) return refuse_unknown_subshell(*request);
    shell_->push(request);
    throttle_requests();
}

// As ipykernel: with busy and idle, which is all that a front end can wait for when a message has no reply.
void Kernel::refuse_unknown_subshell(const protocol::Request& request) {
    session::Reply refused;
    refused.status = protocol::ReplyStatus::error;
    refused.metadata = unrun_metadata(headers_.session(), "error");
    refused.content = "{\"status\": \"error\", \"ename\": \"UnknownSubshellError\", \"evalue\": " +
                      protocol::json_string(unknown_subshell(request.subshell_id)) + ", \"traceback\": []}";
    answer_at_once(request, request.msg_type.substr(0, request.msg_type.rfind('_')) + "_reply", refused);
}

// VS Code sent it here until November 2025. In the shell's queue it would wait for the cell that it is to
// interrupt.
void Kernel::interrupt_from_shell(const RequestPtr& request) {
    control_->push([this, request] { answer_at_once(*request, "interrupt_reply", answer_here(request)); });
}

// The worker answers it while a cell runs, so it must not keep the control executor from interrupts.
void Kernel::forward_beside_cell(const RequestPtr& request) {
    publish_status(*request, "busy");
    session_->forward(request, [this, request](session::Reply reply) {
        send_reply(Channel::control, request, reply);
        publish_status(*request, "idle");
        turns_->ended(request);
    });
}

void Kernel::on_input_reply(const protocol::Request& reply) {
    // Only the front end that was asked may answer, and only once.
    if (reply.msg_type != "input_reply" || input_id_ == 0 || reply.identities != input_identities_) return;
    const uint64_t id = std::exchange(input_id_, 0);
    session_->answer_input(id, reply.content);
}

// ---- what the session wants, in the loop's thread

void Kernel::publish(session::Publication publication) {
    protocol::Message message;
    message.identities = {publication.topic.empty() ? default_topic(publication.msg_type)
                                                    : std::move(publication.topic)};
    message.header = headers_.make(publication.msg_type);
    message.parent_header = std::move(publication.parent_header);
    message.metadata = std::move(publication.metadata);
    message.content = std::move(publication.content);
    message.buffers = std::move(publication.buffers);
    front_->publish(std::move(message));
}

std::string Kernel::default_topic(std::string_view msg_type) const {
    return "kernel." + headers_.session() + "." + std::string(msg_type);
}

void Kernel::ask_input(uint64_t id, const protocol::Request& request, std::string content) {
    input_id_ = id;
    input_identities_ = request.identities;
    protocol::Message message;
    message.identities = request.identities;
    message.header = headers_.make("input_request");
    message.parent_header = request.header;
    message.content = std::move(content);
    front_->send(Channel::stdin_, std::move(message));
}

// Those that came before it began to await, and so wait in the queue behind it.
void Kernel::cell_awaits(const protocol::Request& request) {
    with_shell(request.subshell_id, [this](Executor& shell) {
        const auto comms =
            shell.take_queued([](const protocol::Request& queued) { return is_comm(queued.msg_type); });
        for (const RequestPtr& comm : comms)
            if (!session_->run_beside(comm)) shell.push(comm);
    });
}

void Kernel::forget_input(uint64_t id) {
    if (input_id_ == id) input_id_ = 0;
}

void Kernel::calls_refused(const protocol::Request& request, const std::vector<jail::Denial>& denials) {
    report_refused_calls(request, denials);
}

void Kernel::network_used(const std::vector<network::Report>& reports) {
    report_network(reports);
}

void Kernel::worker_lost_while_idle() {
    report_lost_interpreter();
    shell_->push([this] { session_->recover_if_lost(); });
}

// ---- answers, in the executors' threads

session::Reply Kernel::answer(Channel channel, const RequestPtr& request) {
    if (channel == Channel::control) session_->note_control(*request);
    switch (route_of(request->msg_type).answerer) {
        case Answerer::worker:
            return run(request);
        case Answerer::kernel:
            return answer_here(request);
        case Answerer::nobody:
            return {};
    }
    UNREACHABLE();
}

session::Reply Kernel::run(const RequestPtr& request) {
    const auto began = std::chrono::steady_clock::now();
    session::Reply reply = session_->run_cell(request);
    report_end(*request, reply.verdict, std::chrono::steady_clock::now() - began);
    return reply;
}

session::Reply Kernel::answer_here(const RequestPtr& request) {
    session::Reply reply;
    reply.content = "{\"status\": \"ok\"}";
    if (request->msg_type == "kernel_info_request") return kernel_info();
    if (request->msg_type == "interrupt_request") session_->interrupt();
    if (request->msg_type == "shutdown_request")
        reply.content = shutdown_content(content_flag(*request, "restart", false));
    if (request->msg_type == "connect_request")
        reply.content = "{\"status\": \"ok\", \"shell_port\": " + std::to_string(connection_.shell_port) +
                        ", \"iopub_port\": " + std::to_string(connection_.iopub_port) +
                        ", \"stdin_port\": " + std::to_string(connection_.stdin_port) +
                        ", \"hb_port\": " + std::to_string(connection_.hb_port) +
                        ", \"control_port\": " + std::to_string(connection_.control_port) + "}";
    if (request->msg_type == "create_subshell_request") return create_subshell();
    if (request->msg_type == "delete_subshell_request") return delete_subshell(*request);
    if (request->msg_type == "list_subshell_request") return list_subshells();
    if (request->msg_type == "usage_request")
        reply.content = usage_.content(session_->usage(), UsageMeter::Clock::now());
    return reply;
}

session::Reply Kernel::create_subshell() {
    session::Reply reply;
    if (const auto id = subshells_->create())
        reply.content = "{\"status\": \"ok\", \"subshell_id\": " + protocol::json_string(*id) + "}";
    else
        reply = subshell_refusal(id.error());
    return reply;
}

session::Reply Kernel::delete_subshell(const protocol::Request& request) {
    const auto removed = subshells_->remove(content_text(request, "subshell_id"));
    if (!removed) return subshell_refusal(removed.error());
    // In the loop's thread, as all that has no executor.
    loop_.post([this, waiting = *removed] {
        for (const RequestPtr& unanswered : waiting) without_subshell(unanswered);
    });
    session::Reply reply;
    reply.content = "{\"status\": \"ok\"}";
    return reply;
}

session::Reply Kernel::list_subshells() {
    std::string ids;
    for (const std::string& id : subshells_->ids())
        ids += (ids.empty() ? "" : ", ") + protocol::json_string(id);
    session::Reply reply;
    reply.content = "{\"status\": \"ok\", \"subshell_id\": [" + ids + "]}";
    return reply;
}

session::Reply Kernel::kernel_info() {
    std::unique_lock lock(info_mutex_);
    info_changed_.wait(lock, [this] { return info_.has_value() || ending_; });
    session::Reply reply;
    if (info_) {
        reply.content = *info_;
    } else {
        reply.status = protocol::ReplyStatus::error;
        reply.content = error_content("SandboxUnavailable", "The kernel is going down.");
    }
    return reply;
}

void Kernel::send_reply(Channel channel, const RequestPtr& request, const session::Reply& reply) {
    const bool is_cell = channel == Channel::shell && request->msg_type == "execute_request";
    // Before the reply: a request that is sent in answer to it is not one of those that were queued.
    if (is_cell && reply.status == protocol::ReplyStatus::error &&
        content_flag(*request, "stop_on_error", true) && !content_flag(*request, "silent", false))
        abort_queued_cells(request->subshell_id);
    if (const auto reply_type = route_of(request->msg_type).reply_type; !reply_type.empty())
        loop_.post([this, channel, message = make_reply(*request, reply_type, reply)]() mutable {
            front_->send(channel, std::move(message));
        });
    if (channel == Channel::shell) loop_.post([this] { throttle_requests(); });
    if (request->msg_type == "shutdown_request" &&
        shut_down(content_flag(*request, "restart", false), request->header))
        // After the request's `idle`, which its executor publishes before it takes up anything else.
        (channel == Channel::shell ? shell_ : control_)->push_front([this] { front_->stop(); });
    if (is_cell && reply.exit_requested) loop_.post([this] { exit_timer_->arm(kExitReplyPickup); });
}

void Kernel::publish_status(const protocol::Request& parent, std::string_view state) {
    loop_.post([this, header = parent.header, content = status_content(state)]() mutable {
        publish(session::Publication{"status", "", std::move(header), "{}", std::move(content), {}});
    });
}

protocol::Message Kernel::make_reply(const protocol::Request& request, std::string_view reply_type,
                                     const session::Reply& reply) {
    protocol::Message message;
    message.identities = request.identities;
    message.header = headers_.make(reply_type);
    message.parent_header = request.header;
    message.metadata = reply.metadata;
    message.content = reply.content;
    message.buffers = reply.buffers;
    return message;
}

// Exactly the cells that have arrived by now: a window of time would hit the front end's next, unrelated
// request. Only those of the same shell; in its executor's thread.
void Kernel::abort_queued_cells(const std::string& subshell_id) {
    const auto drained = std::make_shared<std::promise<void>>();
    loop_.post([this, drained] {
        front_->drain(Channel::shell);
        drained->set_value();
    });
    // A loop that has ended runs no tasks any more.
    auto done = drained->get_future();
    while (done.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready)
        if (ending_) return;
    // Next, but after the reply and the `idle` of the cell that failed.
    with_shell(subshell_id, [this](Executor& shell) {
        auto cells = shell.take_queued(
            [](const protocol::Request& queued) { return queued.msg_type == "execute_request"; });
        shell.push_front([this, cells = std::move(cells)] {
            for (const RequestPtr& cell : cells) abort_cell(*cell);
        });
    });
}

void Kernel::abort_cell(const protocol::Request& request) {
    session::Reply aborted;
    aborted.status = protocol::ReplyStatus::aborted;
    aborted.content = aborted_content();
    aborted.metadata = unrun_metadata(headers_.session(), "aborted");
    answer_at_once(request, "execute_reply", aborted);
}

void Kernel::answer_at_once(const protocol::Request& request, std::string_view reply_type,
                            const session::Reply& reply) {
    publish_status(request, "busy");
    loop_.post([this, message = make_reply(request, reply_type, reply)]() mutable {
        front_->send(Channel::shell, std::move(message));
    });
    publish_status(request, "idle");
}

// ---- the end

void Kernel::terminate() {
    control_->push([this] {
        if (shut_down(false, "")) front_->stop();
    });
}

bool Kernel::shut_down(bool restart, const std::string& asked_by) {
    if (ending_.exchange(true)) return false;
    info_changed_.notify_all();
    // All clients learn that one of them ended the kernel.
    if (!asked_by.empty())
        loop_.post([this, restart, asked_by] {
            publish(session::Publication{
                "shutdown_reply", default_topic("shutdown"), asked_by, "{}", shutdown_content(restart), {}});
        });
    session_->shut_down(restart, kExitGrace);
    report_end_of_kernel(restart);
    return true;
}

}  // namespace cellblock::kernel
