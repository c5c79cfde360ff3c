// The seam to xeus: an xserver whose "wire" is the executor's queue, an xinterpreter whose answers come from
// the session. Both know which request is current; what xeus hands over is used as a signal only.
#include "kernel/executor.hpp"

#include <xeus/xhistory_manager.hpp>
#include <xeus/xinterpreter.hpp>
#include <xeus/xkernel.hpp>
#include <xeus/xserver.hpp>

#include <array>

#include "kernel/replies.hpp"

namespace cellblock::kernel {

namespace nl = nlohmann;

namespace {

// xeus keeps every cell's code in memory for ever; the worker has a history, and the real one.
class NoHistory final : public xeus::xhistory_manager {
    void configure_impl() override {}
    void store_inputs_impl(int, int, const std::string&, const std::string&) override {}
    nl::json get_tail_impl(int, bool, bool) const override { return {}; }
    nl::json get_range_impl(int, int, int, bool, bool) const override { return {}; }
    nl::json search_impl(const std::string&, bool, bool, int, bool) const override { return {}; }
};

// Requests that xeus has a handler for, and that handler calls the interpreter for nothing else. The other
// types (comm, history …) would be answered by xeus's own bookkeeping; they are answered by the worker
// instead.
constexpr std::array<std::string_view, 5> kXeusRequests{
    "execute_request", "complete_request", "inspect_request", "is_complete_request", "kernel_info_request"};

}  // namespace

class XeusInterpreter final : public xeus::xinterpreter {
  public:
    explicit XeusInterpreter(Executor& executor) : executor_(executor) { xeus::register_interpreter(this); }

  private:
    nl::json answer() {
        const auto reply = executor_.answer_current();
        return {{"status", reply.status == protocol::ReplyStatus::ok ? "ok" : "error"}};
    }
    void configure_impl() override {}
    nl::json execute_request_impl(int, const std::string&, bool, bool, nl::json, bool) override {
        return answer();
    }
    nl::json complete_request_impl(const std::string&, int) override { return answer(); }
    nl::json inspect_request_impl(const std::string&, int, int) override { return answer(); }
    nl::json is_complete_request_impl(const std::string&) override { return answer(); }
    nl::json kernel_info_request_impl() override { return answer(); }
    void shutdown_request_impl() override {}

    Executor& executor_;
};

class XeusServer final : public xeus::xserver, private xeus::xcontrol_messenger {
  public:
    explicit XeusServer(Executor& executor) : executor_(executor) {}

    void deliver(const protocol::Request& request) {
        // xeus reads the type; identities, contents and the rest stay with the executor's current request.
        // Its execute handler falls back to defaults for absent keys, which is harmless for the same reason.
        nl::json header = {{"msg_type", request.msg_type}, {"msg_id", request.msg_id}};
        nl::json content = {{"code", ""}, {"cursor_pos", 0}, {"detail_level", 0}};
        xeus::xmessage message({}, std::move(header), nl::json::object(), nl::json::object(),
                               std::move(content), {});
        notify_shell_listener(std::move(message));
    }

  private:
    xeus::xcontrol_messenger& get_control_messenger_impl() override { return *this; }
    nl::json send_to_shell_impl(const nl::json&) override { return {}; }

    void send_shell_impl(xeus::xmessage) override { executor_.send_current_reply(); }
    void send_control_impl(xeus::xmessage) override { executor_.send_current_reply(); }
    void send_stdin_impl(xeus::xmessage) override {}
    void publish_impl(xeus::xpub_message message, xeus::channel) override {
        // Only the status: execute_input carries the worker's execution count, not xeus's.
        const auto state = message.content().find("execution_state");
        if (state != message.content().end() && executor_.current_)
            executor_.handler_.publish_status(*executor_.current_, state->get<std::string>());
    }
    void start_impl(xeus::xpub_message) override { executor_.run_until_stopped(); }
    // What has to be aborted is decided by Kernel::send_reply, which sees the front end's own stop_on_error.
    void abort_queue_impl(const listener&, long) override {}
    void stop_impl() override {}
    void update_config_impl(xeus::xconfiguration&) const override {}

    Executor& executor_;
};

class Executor::Xeus {
  public:
    explicit Xeus(Executor& executor)
        : kernel_("cellblock", xeus::make_context<Executor*>(&executor),
                  std::make_unique<XeusInterpreter>(executor), &Xeus::make_server,
                  std::make_unique<NoHistory>()) {}

    void run() { kernel_.start(); }
    void deliver(const protocol::Request& request) {
        static_cast<XeusServer&>(kernel_.get_server()).deliver(request);
    }

  private:
    static std::unique_ptr<xeus::xserver> make_server(xeus::xcontext& context, const xeus::xconfiguration&,
                                                      nl::json::error_handler_t) {
        return std::make_unique<XeusServer>(*context.get_wrapped_context<Executor*>());
    }
    xeus::xkernel kernel_;
};

// xeus 2.4.1 stamps its headers through a static buffer (std::gmtime), so only one thread may run it: the
// main shell's.
Executor::Executor(Channel channel, Engine engine, RequestHandler& handler)
    : channel_(channel),
      handler_(handler),
      xeus_(engine == Engine::xeus ? std::make_unique<Xeus>(*this) : nullptr) {}

Executor::~Executor() {
    stop();
    if (thread_.joinable()) thread_.join();
}

void Executor::start() {
    thread_ = std::thread([this] {
        if (xeus_)
            xeus_->run();
        else
            run_until_stopped();
        const std::lock_guard lock(mutex_);
        ended_ = true;
    });
}

void Executor::push(RequestPtr request) {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(request));
    changed_.notify_one();
}

void Executor::push(Task task) {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(task));
    changed_.notify_one();
}

void Executor::push_front(Task task) {
    const std::lock_guard lock(mutex_);
    queue_.emplace_front(std::move(task));
    changed_.notify_one();
}

std::vector<RequestPtr> Executor::take_queued(const std::function<bool(const protocol::Request&)>& wanted) {
    const std::lock_guard lock(mutex_);
    std::vector<RequestPtr> taken;
    std::erase_if(queue_, [&](auto& entry) {
        const auto* request = std::get_if<RequestPtr>(&entry);
        if (!request || !wanted(**request)) return false;
        taken.push_back(*request);
        return true;
    });
    return taken;
}

size_t Executor::queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

void Executor::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_one();
}

bool Executor::ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
}

void Executor::run_until_stopped() {
    while (true) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
        if (stopped_) return;
        auto entry = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        if (auto* task = std::get_if<Task>(&entry))
            (*task)();
        else
            dispatch(std::get<RequestPtr>(entry));
    }
}

void Executor::dispatch(const RequestPtr& request) {
    current_ = request;
    current_reply_.reset();
    replied_ = false;
    bool known_to_xeus = false;
    for (const std::string_view type : kXeusRequests)
        known_to_xeus = known_to_xeus || (xeus_ && type == request->msg_type);
    if (known_to_xeus) {
        xeus_->deliver(*request);
        // xeus swallows exceptions of its handlers; the front end must hear something all the same.
        if (!replied_) {
            session::Reply failed;
            failed.status = protocol::ReplyStatus::error;
            failed.content = error_content("InternalError", "The kernel could not carry out this request.");
            current_reply_ = std::make_unique<session::Reply>(std::move(failed));
            send_current_reply();
        }
    } else {
        handler_.publish_status(*request, "busy");
        answer_current();
        send_current_reply();
        handler_.publish_status(*request, "idle");
    }
    current_.reset();
}

session::Reply Executor::answer_current() {
    CHECK(current_);
    current_reply_ = std::make_unique<session::Reply>(handler_.answer(channel_, current_));
    return *current_reply_;
}

void Executor::send_current_reply() {
    CHECK(current_);
    if (replied_) return;
    replied_ = true;
    if (current_reply_) handler_.send_reply(channel_, current_, *current_reply_);
}

}  // namespace cellblock::kernel
