// The newest control request, of which the worker learns with the next one that it gets.
#include "session/session.hpp"

namespace cellblock::session {

void Session::note_control(const protocol::Request& request) {
    const std::lock_guard lock(mutex_);
    newest_control_ = request.header;
    control_is_told_ = false;
}

// Caller holds mutex_. Not as soon as it comes: a worker that does not read would make us keep them all.
void Session::tell_newest_control(Lane lane, const protocol::Request& next) {
    if (lane == Lane::control)
        newest_control_ = next.header;
    else if (!control_is_told_)
        worker_->send(R"({"type": "control"})", {newest_control_});
    control_is_told_ = true;
}

}  // namespace cellblock::session
