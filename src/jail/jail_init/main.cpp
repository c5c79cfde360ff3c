// jail-init as a program of its own, for backends that execute one: the second half of making a jail, and
// then pid 1's loop, by the same code that the native backend runs without an exec. Static, since the jail's
// view need not have the libraries that Cellblock was built with.
#include <sys/mman.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstring>

#include "jail/hand_over.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

[[noreturn]] void give_up(const char* why) {
    raw::write(STDERR_FILENO, why, std::strlen(why));
    raw::exit_process(1);
}

HandOver receive() {
    HandOver given;
    if (raw::read(given_fd::kHandOver, &given, sizeof given) != static_cast<long>(sizeof given) ||
        given.magic != HandOver::kMagic || given.size != sizeof given)
        give_up("jail-init: this program and cellblock are of different builds\n");
    raw::close(given_fd::kHandOver);
    if (given.backend == Backend::bwrap) raw::close(given_fd::kProgram);
    return given;
}

int stand_alone(RestrictPlan& plan, const char*& detail) {
    // Before the session of its own takes us out of the reach of a signal to bubblewrap's process group. The
    // parent, which looks at bubblewrap after this, waits with us for `go`. Its parent is one thread.
    if (const long e = raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); e < 0)
        return static_cast<int>(e);
    raw::call(SYS_umask, 0);
    return new_session(plan, detail);
}

}  // namespace
}  // namespace cellblock::jail

int main(int, char** argv) {
    using namespace cellblock::jail;
    const HandOver given = receive();
    RestrictPlan plan;
    plan.backend = given.backend;
    plan.level = given.level;
    plan.limits = policy::resource_limits(given.backend, given.level, given.limits);
    plan.landlock = given.landlock;
    plan.host_root_device = given.host_root_device;
    plan.host_root_inode = given.host_root_inode;
    plan.parent_pid = given.parent_pid;
    plan.title = argv[0];
    plan.title_size = std::strlen(argv[0]);
    plan.control_fd = given_fd::kControl;
    plan.report_fd = given_fd::kReport;
    plan.fault = given.fault;
    Setup setup(plan);
    // In gVisor it is pid 1 of a session already, and the directories were handed over before.
    if (given.backend == Backend::bwrap) {
        setup.step(Step::new_session, stand_alone);
        setup.step(Step::environment_mounts, hand_over_directories);
    }
    setup.step(Step::standard_streams, detach_standard_streams);
    restrict_and_run(plan);
}
