// A cell between its two records in the audit log.
#include <future>

#include "session/session.hpp"

namespace cellblock::session {
namespace {

/// For what has been posted to the loop to be published.
constexpr std::chrono::milliseconds kLoopPatience{1000};

// The worker's metadata is an object; of members with the same name the last one counts, and that is ours.
std::string with_member(const std::string& object, const std::string& name, const std::string& value) {
    const size_t end = object.rfind('}');
    const bool is_empty = object.find('"') == std::string::npos;
    return object.substr(0, end) + (is_empty ? "" : ", ") + "\"" + name + "\": " + value + "}";
}

}  // namespace

Reply Session::run_recorded(uint64_t id, const protocol::Request& request) {
    if (auto admitted = audit_->cell_begins(id, request); !admitted) return refuse(id, admitted.error());
    Reply reply = run_admitted(id, Recorded::yes);
    await_posted();
    reply.metadata = with_member(reply.metadata, "cellblock", audit_->cell_ended(id, reply.verdict));
    if (const std::string trouble = audit_->trouble(); !trouble.empty())
        note(id, "the end of this cell is not in the audit log yet: " + trouble);
    return reply;
}

Result<void> Session::permit_unrecorded() const {
    return audit_ ? audit_->permits() : Result<void>{};
}

void Session::await_posted() {
    if (posted_ == published_) return;
    auto done = std::make_shared<std::promise<void>>();
    loop_.post([done] { done->set_value(); });
    // A loop that has ended publishes nothing either.
    done->get_future().wait_for(kLoopPatience);
}

}  // namespace cellblock::session
