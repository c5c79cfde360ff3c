// What a cell may put into the notebook. A browser that is given gigabytes of text dies, and with it what the
// user has not saved; so beyond a limit output is left out, and the notebook says so. In the loop's thread.
#include <algorithm>

#include "protocol/json_scan.hpp"
#include "session/session.hpp"

namespace cellblock::session {

bool Session::fits(Output& output, std::string_view msg_type, uint64_t size) const {
    const uint64_t limit = config_.output_limit.count;
    if (msg_type == "clear_output") {
        // The notebook holds it no longer.
        output.shown = 0;
        output.streams_end = false;
        return true;
    }
    // It takes the place of another.
    if (msg_type == "update_display_data") return size <= limit;
    const bool stream = msg_type == "stream";
    // Comm messages are not output: widgets would break without them.
    if (!stream && msg_type != "display_data" && msg_type != "execute_result" && msg_type != "error")
        return true;
    // Each of these stays as an object of its own in the front end, however small it is; text is joined.
    if (!stream) size = std::max(size, kLeastDisplay);
    const bool room = size <= limit && output.shown <= limit - size;
    if (room && !(stream && output.streams_end)) {
        output.shown += size;
        return true;
    }
    if (msg_type == "error" && output.errors_beyond + size <= kErrorReserve) {
        output.errors_beyond += size;
        return true;
    }
    if (stream) output.streams_end = true;
    return false;
}

bool Session::admit_output(uint64_t parent, std::string_view msg_type, uint64_t size) {
    if (config_.output_limit.count == 0) return true;
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        // Whoever may still print for thousands of old cells must not have a limit for each of them.
        const auto pending = pending_.find(parent);
        const bool runs = pending != pending_.end() && pending->second.runs();
        Output& output = runs ? parents_.at(parent % kMaxParents).output : late_output_;
        if (fits(output, msg_type, size)) return true;
        first = output.messages_left_out++ == 0;
        output.left_out += size;
    }
    if (first) {
        const std::string text = "cellblock: this cell's output is longer than the " +
                                 to_text(config_.output_limit) +
                                 " allowed; what does not fit is left out. To allow more, " +
                                 config_.how_to_raise("--output-limit") + "\n";
        Publication publication = publication_for(
            parent, "stream", R"({"name": "stderr", "text": )" + protocol::json_string(text) + "}");
        if (audit_) audit_->output(parent, publication.msg_type, publication.content);
        host_.publish(std::move(publication));
    }
    return false;
}

void Session::tell_what_was_left_out(uint64_t id) {
    Output output;
    {
        const std::lock_guard lock(mutex_);
        const Parent& parent = parents_.at(id % kMaxParents);
        if (parent.id == id) output = parent.output;
    }
    if (output.messages_left_out == 0) return;
    note_limit_met(id, {"output", LimitHit::Unit::bytes, static_cast<int64_t>(config_.output_limit.count),
                        static_cast<int64_t>(output.shown + output.left_out),
                        static_cast<int64_t>(output.messages_left_out)});
    note(id, to_text(Bytes{output.left_out}) + " of output in " + std::to_string(output.messages_left_out) +
                 " messages were left out");
}

}  // namespace cellblock::session
