// The list of subshells. Executors of deleted ones are kept until their thread has ended, because it may be
// one of those threads that deletes.
#include "kernel/subshells.hpp"

#include <algorithm>

namespace cellblock::kernel {

std::string unknown_subshell(const std::string& id) {
    return "Unknown subshell_id '" + id + "'";
}

Subshells::Subshells(RequestHandler& handler, std::function<void(std::vector<std::string>)> announce)
    : handler_(handler), announce_(std::move(announce)) {}

Subshells::~Subshells() {
    // Together, before the first destructor waits.
    for (const Subshell& subshell : subshells_) subshell.executor->stop();
}

Result<std::string> Subshells::create() {
    const std::lock_guard lock(mutex_);
    std::erase_if(retired_, [](const auto& executor) { return executor->ended(); });
    if (subshells_.size() + retired_.size() >= kMaxSubshells)
        return Error("create a subshell: there are " + std::to_string(kMaxSubshells) +
                     " already; delete one that is no longer needed");
    std::string id = protocol::random_uuid();
    auto executor = std::make_unique<Executor>(Channel::shell, Executor::Engine::own, handler_);
    executor->start();
    subshells_.push_back({id, std::move(executor)});
    announce_(ids_unlocked());
    return id;
}

Result<std::vector<RequestPtr>> Subshells::remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(subshells_.begin(), subshells_.end(), [&](const auto& entry) { return entry.id == id; });
    if (found == subshells_.end()) return Error(unknown_subshell(id));
    auto waiting = found->executor->take_queued([](const protocol::Request&) { return true; });
    found->executor->stop();
    retired_.push_back(std::move(found->executor));
    subshells_.erase(found);
    announce_(ids_unlocked());
    return waiting;
}

std::vector<std::string> Subshells::ids() const {
    const std::lock_guard lock(mutex_);
    return ids_unlocked();
}

std::vector<std::string> Subshells::ids_unlocked() const {
    std::vector<std::string> ids;
    ids.reserve(subshells_.size());
    for (const Subshell& subshell : subshells_) ids.push_back(subshell.id);
    return ids;
}

bool Subshells::push(const RequestPtr& request) {
    bool found = false;
    with(request->subshell_id, [&](Executor& executor) {
        executor.push(request);
        found = true;
    });
    return found;
}

void Subshells::with(const std::string& id, const std::function<void(Executor&)>& use) const {
    const std::lock_guard lock(mutex_);
    for (const Subshell& subshell : subshells_)
        if (subshell.id == id) use(*subshell.executor);
}

size_t Subshells::queued() const {
    const std::lock_guard lock(mutex_);
    size_t longest = 0;
    for (const Subshell& subshell : subshells_) longest = std::max(longest, subshell.executor->queued());
    return longest;
}

}  // namespace cellblock::kernel
