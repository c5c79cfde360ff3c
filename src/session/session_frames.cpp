// What the worker sends: each frame is checked against the state it may come in. A broken rule ends the
// worker; the returned text names the rule, empty means accepted. Runs in the loop's thread.
#include "protocol/json_scan.hpp"
#include "session/session.hpp"

namespace cellblock::session {

using protocol::json_string;
using protocol::UpType;

void Session::on_frame(Worker& worker, protocol::UpFrame frame) {
    std::string violation;
    {
        const std::lock_guard lock(mutex_);
        if (&worker != worker_.get() || loss_.kill_reason) return;
        const bool expects_hello = state_ == WorkerState::starting;
        if (expects_hello != (frame.type == UpType::hello))
            violation = "its first frame must be hello, and only that";
    }
    if (violation.empty()) {
        switch (frame.type) {
            case UpType::hello:
                violation = on_hello(frame);
                break;
            case UpType::publish:
                violation = on_publish(frame);
                break;
            case UpType::reply:
                violation = on_reply(frame);
                break;
            case UpType::input:
                violation = on_input(frame);
                break;
            case UpType::awaits:
                violation = on_awaits(frame);
                break;
        }
    }
    if (!violation.empty()) kill_for(jail::KillReason::protocol_violation, violation);
}

std::string Session::on_hello(protocol::UpFrame& frame) {
    const std::lock_guard lock(mutex_);
    if (frame.protocol != protocol::kWorkerProtocolVersion || frame.digest != config_.worker_digest) {
        startup_text_ = "the worker package is of another build than this kernel (protocol " +
                        std::to_string(frame.protocol) + ", digest " + frame.digest.substr(0, 12) +
                        "); reinstall Cellblock";
        return "it is of another build";
    }
    info_ = std::move(frame.parts.at(0));
    debugged_ = false;  // That was another worker.
    state_ = WorkerState::ready;
    if (!subshells_.empty()) send_subshells();
    control_is_told_ = newest_control_.empty();
    changed_.notify_all();
    return "";
}

std::string Session::on_publish(protocol::UpFrame& frame) {
    {
        const std::lock_guard lock(mutex_);
        if (frame.id > last_id_) return "it published for a request that does not exist";
        if (frame.msg_type == "execute_input") {
            const auto pending = pending_.find(frame.id);
            if (pending == pending_.end() || pending->second.shown)
                return "execute_input without a request of its own";
            pending->second.shown = true;
            const auto content = protocol::scan_object(frame.parts.at(1));
            if (const auto count =
                    content ? protocol::find_member(*content, "execution_count") : std::nullopt)
                execution_count_ = protocol::as_integer(*count).value_or(execution_count_);
        }
    }
    if (frame.msg_type == "debug_event") note_debug_event(frame.parts.at(1));
    uint64_t size = 0;
    for (const std::string& part : frame.parts) size += part.size();
    if (!admit_output(frame.id, frame.msg_type, size)) return "";
    Publication publication;
    publication.parent_header = parent_header(frame.id);
    publication.msg_type = std::move(frame.msg_type);
    publication.topic = std::move(frame.topic);
    publication.metadata = std::move(frame.parts.at(0));
    publication.content = std::move(frame.parts.at(1));
    publication.buffers.assign(std::make_move_iterator(frame.parts.begin() + 2),
                               std::make_move_iterator(frame.parts.end()));
    if (audit_) audit_->output(frame.id, publication.msg_type, publication.content);
    host_.publish(std::move(publication));
    return "";
}

std::string Session::on_reply(protocol::UpFrame& frame) {
    Reply reply;
    reply.status = frame.status;
    reply.exit_requested = frame.exit;
    reply.metadata = std::move(frame.parts.at(0));
    reply.content = std::move(frame.parts.at(1));
    reply.buffers.assign(std::make_move_iterator(frame.parts.begin() + 2),
                         std::make_move_iterator(frame.parts.end()));

    std::function<void(Reply)> done;
    bool asked_input = false;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(frame.id);
        if (pending == pending_.end() || !pending->second.runs())
            return "it answered a request that does not wait for an answer";
        asked_input = pending->second.asks_input;
        if (pending->second.in_a_shell()) {
            pending->second.reply = std::move(reply);
            // From here on that shell is idle, also when its executor has not woken up yet.
            if (running_ == frame.id) running_ = 0;
            changed_.notify_all();
        } else {
            done = std::move(pending->second.done);
            pending_.erase(pending);
        }
    }
    if (asked_input) host_.forget_input(frame.id);
    // NOLINTNEXTLINE(bugprone-use-after-move): where it was moved before, there is no `done`
    if (done) done(std::move(reply));
    return "";
}

std::string Session::on_input(protocol::UpFrame& frame) {
    std::shared_ptr<const protocol::Request> request;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(frame.id);
        if (pending == pending_.end() || !pending->second.allows_input || !pending->second.runs())
            return "it asked for input that the request does not allow";
        if (frame.parts.at(0).size() > kMaxQuestion)
            return "it asked a question of more than " + std::to_string(kMaxQuestion) + " bytes";
        if (++pending->second.open_questions > kMaxOpenQuestions)
            return "it asked more than " + std::to_string(kMaxOpenQuestions) + " times without an answer";
        // An interrupted input() may be followed by another one before anybody answers: the newest question
        // counts.
        pending->second.asks_input = true;
        request = pending->second.request;
    }
    rest_alarm(frame.id, sample_cpu_time());
    host_.ask_input(frame.id, *request, std::move(frame.parts.at(0)));
    return "";
}

std::string Session::on_awaits(const protocol::UpFrame& frame) {
    std::shared_ptr<const protocol::Request> request;
    {
        const std::lock_guard lock(mutex_);
        const auto pending = pending_.find(frame.id);
        if (pending == pending_.end() || !pending->second.in_a_shell() || !pending->second.runs() ||
            pending->second.request->msg_type != "execute_request" || pending->second.awaits)
            return "it said that a cell awaits which does not run";
        pending->second.awaits = true;
        request = pending->second.request;
    }
    host_.cell_awaits(*request);
    return "";
}

void Session::on_text(Worker& worker, Stream stream, std::string text) {
    uint64_t parent = 0;
    {
        const std::lock_guard lock(mutex_);
        if (&worker != worker_.get()) return;
        if (state_ == WorkerState::starting) {
            if (startup_text_.size() < kMaxStartupText) startup_text_ += text.substr(0, kMaxStartupText);
            return;
        }
        parent = output_parent_;
    }
    if (!admit_output(parent, "stream", text.size())) return;
    const std::string name = stream == Stream::stdout_ ? "stdout" : "stderr";
    // Directly: the frame that is being handled comes after this text.
    Publication publication = publication_for(
        parent, "stream", "{\"name\": \"" + name + "\", \"text\": " + json_string(text) + "}");
    publication.topic = "stream." + name;
    if (audit_) audit_->output(parent, publication.msg_type, publication.content);
    host_.publish(std::move(publication));
}

Publication Session::publication_for(uint64_t parent, const std::string& msg_type, std::string content) {
    Publication publication;
    publication.msg_type = msg_type;
    publication.parent_header = parent_header(parent);
    publication.metadata = "{}";
    publication.content = std::move(content);
    return publication;
}

void Session::publish_later(uint64_t parent, const std::string& msg_type, std::string content) {
    // Through the loop, so that it takes its place behind what the worker has already said.
    ++posted_;
    loop_.post([this, parent, publication = publication_for(parent, msg_type, std::move(content))]() mutable {
        if (audit_) audit_->output(parent, publication.msg_type, publication.content);
        host_.publish(std::move(publication));
        ++published_;
    });
}

void Session::note(uint64_t parent, const std::string& text) {
    publish_later(parent, "stream",
                  "{\"name\": \"stderr\", \"text\": " + json_string("cellblock: " + text + "\n") + "}");
}

std::string Session::parent_header(uint64_t id) {
    const std::lock_guard lock(mutex_);
    const Parent& parent = parents_.at(id % kMaxParents);
    return parent.id == id && id != 0 ? parent.header : "{}";
}

}  // namespace cellblock::session
