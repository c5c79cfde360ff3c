// See the header.
#include "kernel/control_turns.hpp"

#include <utility>

namespace cellblock::kernel {

Result<std::unique_ptr<ControlTurns>> ControlTurns::create(EventLoop& loop, Begin begin) {
    std::unique_ptr<ControlTurns> turns(new ControlTurns(std::move(begin)));
    turns->patience_ = TRY(LoopTimer::create(loop, [raw = turns.get()] { raw->pass_by(); }));
    return turns;
}

void ControlTurns::push(RequestPtr request) {
    if (waiting_.size() >= kMaxWaitingControl) return begin_(request);
    waiting_.push_back(std::move(request));
    next();
}

void ControlTurns::ended(const RequestPtr& request) {
    if (holder_ != request) return;
    pass_by();
}

void ControlTurns::pass_by() {
    patience_->disarm();
    holder_.reset();
    next();
}

void ControlTurns::next() {
    if (holder_ || waiting_.empty()) return;
    holder_ = std::move(waiting_.front());
    waiting_.pop_front();
    // A cell keeps its turn: the worker runs those one after the other anyhow.
    if (holder_->msg_type == "debug_request") patience_->arm(kDebugTurn);
    // A copy, because it may end while it begins.
    begin_(RequestPtr(holder_));
}

}  // namespace cellblock::kernel
