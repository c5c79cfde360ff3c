// Subshells (JEP 91): further shells of the kernel, whose requests run beside those of the main shell. Each
// has an executor of its own here and a thread of its own in the worker, so that, for example, widget
// messages are handled while a cell runs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/executor.hpp"

namespace cellblock::kernel {

/// Each costs a thread here and one in the jail. Deleted ones count as long as their last cell runs.
inline constexpr size_t kMaxSubshells = 32;
/// Requests that may wait for one subshell; beyond it the shell socket is not read.
inline constexpr size_t kMaxQueuedPerSubshell = 1024;

/// Any thread may call it.
class Subshells {
  public:
    /// `announce` hears the ids that there are after each change, in order of the changes.
    Subshells(RequestHandler& handler, std::function<void(std::vector<std::string>)> announce);
    /// Waits for the requests under way; unblock them first.
    ~Subshells();
    Subshells(const Subshells&) = delete;
    Subshells& operator=(const Subshells&) = delete;

    /// The new one's id.
    Result<std::string> create();
    /// A request that it runs ends as if nothing had happened. The value is what waited; nobody will answer
    /// it. The error says that there is none of this id.
    Result<std::vector<RequestPtr>> remove(const std::string& id);
    /// In order of creation.
    [[nodiscard]] std::vector<std::string> ids() const;

    /// Queues it for the subshell that its header names; false when there is none.
    bool push(const RequestPtr& request);
    /// `use` gets the executor of that id; it is not called when there is none.
    void with(const std::string& id, const std::function<void(Executor&)>& use) const;
    /// The longest queue of them.
    [[nodiscard]] size_t queued() const;

  private:
    struct Subshell {
        std::string id;
        std::unique_ptr<Executor> executor;
    };
    [[nodiscard]] std::vector<std::string> ids_unlocked() const;

    RequestHandler& handler_;
    const std::function<void(std::vector<std::string>)> announce_;
    mutable std::mutex mutex_;
    std::vector<Subshell> subshells_;
    std::vector<std::unique_ptr<Executor>> retired_;  // deleted, with a request under way
};

/// What ipykernel says of an id that names none.
std::string unknown_subshell(const std::string& id);

}  // namespace cellblock::kernel
