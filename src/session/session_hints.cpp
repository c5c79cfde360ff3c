// What a cell is told when an error that comes from the jail ended it. In executors' threads.
#include "jail/layer_marks.hpp"
#include "session/hints.hpp"
#include "session/session.hpp"

namespace cellblock::session {

void Session::tell_hint(uint64_t id, const Ending& ending) {
    // An error that the cell handled is none of ours.
    if (!ending.reply || ending.reply->status != protocol::ReplyStatus::error) return;
    std::string allowed;
    for (const Endpoint& endpoint : config_.plan.allowed)
        allowed += (allowed.empty() ? "" : ", ") + to_text(endpoint);
    HintFacts facts{static_cast<uint64_t>(config_.plan.limits.processes), config_.how_to_raise("--processes"),
                    config_.plan.level == jail::Level::full, allowed};
    {
        const std::lock_guard lock(jail_mutex_);
        facts.directories_stay = changed_files_ && !jail::keeps_marks(jail_->changes_fd());
    }
    const std::string hint = hint_for(ending.reply->content, facts);
    if (!hint.empty()) note(id, hint);
}

}  // namespace cellblock::session
