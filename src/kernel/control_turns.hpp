// The order of control requests that the worker answers: one after the other, as in ipykernel, so that front
// ends see busy and idle in pairs. Requests that the kernel process answers itself never wait here.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>

#include "base/event_loop.hpp"
#include "base/result.hpp"
#include "kernel/executor.hpp"

namespace cellblock::kernel {

/// How long a debug_request keeps those behind it waiting: an expression that is being evaluated may take for
/// ever, and `continue` or `disconnect` must get through all the same.
inline constexpr std::chrono::milliseconds kDebugTurn{1000};
/// Requests that may wait for their turn; further ones are handed on at once, where the session counts them.
inline constexpr size_t kMaxWaitingControl = 1024;

/// For the loop's thread only.
class ControlTurns {
  public:
    using Begin = std::function<void(const RequestPtr&)>;

    /// `begin` starts a request whose turn it is and may return before it has ended.
    static Result<std::unique_ptr<ControlTurns>> create(EventLoop& loop, Begin begin);

    /// Begins the request, at once or when those before it have ended.
    void push(RequestPtr request);
    /// Whatever began must end here, once.
    void ended(const RequestPtr& request);

  private:
    explicit ControlTurns(Begin begin) : begin_(std::move(begin)) {}
    void next();
    void pass_by();

    const Begin begin_;
    std::unique_ptr<LoopTimer> patience_;
    std::deque<RequestPtr> waiting_;
    RequestPtr holder_;  // the others wait for its end; empty when nobody needs to wait
};

}  // namespace cellblock::kernel
