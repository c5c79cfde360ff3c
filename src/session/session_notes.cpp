// What a cell is told of at its end, beside its output. In executors' threads.
#include "session/session.hpp"

namespace cellblock::session {

void Session::tell_what_was_refused(uint64_t id) {
    std::vector<jail::Denial> denials;
    {
        const std::lock_guard lock(jail_mutex_);
        if (jail_) denials = jail_->take_denials();
    }
    if (denials.empty()) return;
    std::shared_ptr<const protocol::Request> request;
    {
        const std::lock_guard lock(mutex_);
        request = pending_.at(id).request;
    }
    if (audit_) audit_->calls_refused(id, denials);
    host_.calls_refused(*request, denials);
}

void Session::note_begin(uint64_t id) {
    {
        const std::lock_guard lock(mutex_);
        if (pending_.at(id).request->msg_type != "execute_request") return;
    }
    const std::lock_guard lock(jail_mutex_);
    if (changed_files_) changed_files_->before_cell();
}

void Session::tell_what_was_changed(uint64_t id) {
    std::shared_ptr<ChangedFiles> files;
    {
        const std::lock_guard lock(jail_mutex_);
        files = changed_files_;
    }
    if (!files) return;
    {
        // What completion and comm messages write is found after the next cell.
        const std::lock_guard lock(mutex_);
        if (pending_.at(id).request->msg_type != "execute_request") return;
    }
    for (const std::string& text : files->after_cell()) note(id, text);
}

void Session::tell_how_to_write(uint64_t id, const Ending& ending) {
    if (config_.write_beside_hint.empty() || !ending.reply ||
        ending.reply->status != protocol::ReplyStatus::error)
        return;
    // strerror(EROFS), as exceptions of Python and of libraries in C quote it. Only a hint: a cell may say so
    // itself.
    if (ending.reply->content.find("Read-only file system") == std::string::npos) return;
    note(id, config_.write_beside_hint);
}

}  // namespace cellblock::session
