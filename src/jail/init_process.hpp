// InitProcess: the parent's handle on pid 1 of a jail. Destroying it kills everything in the jail and waits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/child.hpp"
#include "jail/control.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

class InitProcess {
  public:
    /// Clones the child, which runs run_child(plan). `cgroup_fd` as Cgroup::clone_fd().
    static Result<std::unique_ptr<InitProcess>> clone(ChildPlan& plan, int cgroup_fd);
    ~InitProcess();
    InitProcess(const InitProcess&) = delete;
    InitProcess& operator=(const InitProcess&) = delete;

    // Set-up.
    Result<void> go();
    /// The child's report: success when it is ready. A report that has come already wins over other errors,
    /// because it names the cause.
    Result<void> wait_ready();
    Error explain(Error error);
    /// What the child sends by send_descriptors() before it is ready, message by message.
    Result<std::vector<UniqueFd>> receive_descriptors(size_t count);

    // Afterwards.
    struct Answer {
        Note note;
        UniqueFd descriptor;
    };
    Result<Answer> ask(const Request& request, std::string_view payload, const std::vector<int>& descriptors,
                       std::chrono::milliseconds timeout);
    /// Reads what has come; false once pid 1 is gone.
    bool receive_events(std::deque<Event>& events);
    void kill();

    [[nodiscard]] int control_fd() const { return control_.get(); }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    InitProcess() = default;
    enum class Received { nothing, note, end };
    Received receive(Answer& out, std::chrono::milliseconds timeout);

    pid_t pid_ = 0;
    UniqueFd pidfd_;
    UniqueFd control_;
    UniqueFd report_;
    std::deque<Event> early_events_;  // came while an answer was awaited
};

}  // namespace cellblock::jail
