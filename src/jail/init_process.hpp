// InitProcess: the parent's handle on pid 1 of a jail. Destroying it kills everything in the jail and waits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/control.hpp"
#include "jail/jail.hpp"
#include "jail/maker.hpp"

namespace cellblock::jail {

class InitProcess {
  public:
    /// Clones the child, which runs maker.run(). `cgroup_fd` as Cgroup::clone_fd().
    static Result<std::unique_ptr<InitProcess>> clone(Maker& maker, int cgroup_fd);
    ~InitProcess();
    InitProcess(const InitProcess&) = delete;
    InitProcess& operator=(const InitProcess&) = delete;

    // Set-up.
    /// `entrances` as Cgroup::entrances().
    Result<void> go(const std::vector<UniqueFd>& entrances = {});
    /// The child's report: success when it is ready. A report that has come already wins over other errors,
    /// because it names the cause.
    Result<void> wait_ready();
    Error explain(Error error);
    /// Whether one has come. If not, it is not waited for any more: explain() leaves its error as it is.
    bool has_report();
    /// The same, after waiting for it.
    bool report_comes(std::chrono::milliseconds timeout);
    /// What the child sends by send_descriptors() before it is ready, message by message.
    Result<std::vector<UniqueFd>> receive_descriptors(size_t count);
    /// The same for the first message of a pid 1 that is not the process cloned but a child of it: who it is,
    /// is the kernel's word.
    Result<std::vector<UniqueFd>> meet(size_t count);
    /// Whether the process cloned ended within `timeout`.
    bool ended(std::chrono::milliseconds timeout);

    // Afterwards.
    struct Answer {
        Note note;
        UniqueFd descriptor;
    };
    Result<Answer> ask(const Request& request, std::string_view payload, const std::vector<int>& descriptors,
                       std::chrono::milliseconds timeout);
    /// Reads what has come; false once pid 1 is gone.
    bool receive_events(std::deque<Event>& events);
    /// Sends what kill() sends, and waits for nothing.
    void begin_end();
    void kill();

    [[nodiscard]] int control_fd() const { return control_.get(); }
    /// Readable when wait_ready() need not wait.
    [[nodiscard]] int report_fd() const { return report_.get(); }
    /// Of pid 1, as the host sees it; 0 before it was met.
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] pid_t cloned_pid() const { return maker_pid_ != 0 ? maker_pid_ : pid_; }

  private:
    InitProcess() = default;
    enum class Received { nothing, note, end };
    Received receive(Answer& out, std::chrono::milliseconds timeout);

    Result<void> send(const Request& request, std::string_view payload, const std::vector<int>& descriptors);
    Result<std::vector<UniqueFd>> receive_descriptors(size_t count, pid_t& sender);
    void end_maker(bool ends_by_itself);

    pid_t pid_ = 0;
    UniqueFd pidfd_;
    // The process cloned, where that is not pid 1 itself. It leads the process group of all that it starts.
    pid_t maker_pid_ = 0;
    UniqueFd maker_;
    UniqueFd control_;
    UniqueFd report_;
    std::deque<Event> early_events_;  // came while an answer was awaited
};

}  // namespace cellblock::jail
