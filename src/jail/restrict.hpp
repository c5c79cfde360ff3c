// The second half of making a jail, the same for every backend: whoever stands in the finished view as pid 1
// gives up what it could still do, proves it, and becomes jail-init.
#pragma once

#include <sys/types.h>

#include <vector>

#include "jail/identity.hpp"
#include "jail/jail.hpp"
#include "jail/policy/landlock.hpp"
#include "jail/policy/limits.hpp"
#include "jail/raw.hpp"
#include "jail/steps.hpp"

namespace cellblock::jail {

/// Makes one step fail as if the kernel had answered `error`. Tests use it to prove that nothing runs, and
/// nothing is left, whichever step fails.
struct Fault {
    Step step = Step::ready;
    int error = 0;  ///< 0: no fault
};

/// Everything that the second half needs.
struct RestrictPlan {
    Backend backend = Backend::native;  ///< who has made namespaces and view
    Level level = Level::full;
    std::vector<policy::ResourceLimit> limits;
    bool landlock = true;  ///< false: the host has none, and the plan does without
    /// Directories of the plan that take writes, by their names inside.
    std::vector<policy::WritablePath> writable_paths;
    dev_t host_root_device = 0;
    ino_t host_root_inode = 0;
    pid_t parent_pid = 0;
    char* title = nullptr;  ///< the memory behind /proc/<pid>/cmdline
    size_t title_size = 0;
    int control_fd = -1;  ///< the child's end of the control socket
    int report_fd = -1;   ///< where the Report goes
    Fault fault;
};

/// Runs steps, each an int(Plan&, const char*& detail) that returns -errno on failure.
template <class Plan>
class Setup {
  public:
    explicit Setup(Plan& plan) : plan_(plan) {}

    /// Runs one step. On failure reports it and ends the process, and with it, as pid 1, the jail.
    template <class Act>
    void step(Step step, Act act) {
        const char* detail = "";
        int error = act(plan_, detail);
        if (plan_.fault.error != 0 && plan_.fault.step == step) error = -plan_.fault.error;
        if (error >= 0) return;
        report(step, -error, detail);
        raw::exit_process(1);
    }

    void report(Step step, int error, const char* detail) {
        Report message{step, error, {}};
        for (size_t i = 0; i + 1 < sizeof message.detail && detail[i]; ++i) message.detail[i] = detail[i];
        // A parent that is gone cannot be told; reading the control socket will end us then.
        raw::write(plan_.report_fd, &message, sizeof message);
    }

  private:
    Plan& plan_;
};

// Steps that each backend takes at its own moment of the first half.
int new_session(RestrictPlan& plan, const char*& detail);
int detach_standard_streams(RestrictPlan& plan, const char*& detail);
/// In a user namespace that maps it.
int become_inside_user(const Identity& identity, const char*& detail);
/// Sends descriptors of kHandedOver to the parent.
int hand_over_directories(RestrictPlan& plan, const char*& detail);

/// Waits until the parent says that the limits are in force.
int await_limits(RestrictPlan& plan, const char*& detail);
/// Never looser than what the process has.
int set_resource_limits(const std::vector<policy::ResourceLimit>& limits, const char*& detail);

/// Never returns: ends as pid 1 of a jail, or by _exit after a Report.
[[noreturn]] void restrict_and_run(RestrictPlan& plan);

}  // namespace cellblock::jail
