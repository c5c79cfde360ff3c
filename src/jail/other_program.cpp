// Bounds: what is quoted, and how many descriptors are handed over.
#include "jail/other_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/installation.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "jail/hand_over.hpp"
#include "jail/raw.hpp"
#include "jail/system_program.hpp"

namespace cellblock::jail {
namespace {

// What it says before it gives up is a line or two.
constexpr size_t kMaxSaid = 600;
// Where descriptors wait until all numbers that they are to have are free: above those.
constexpr int kParking = 128;

}  // namespace

Result<std::string> find_other_program(const Plan& plan, const std::string& name, const std::string& product,
                                       const std::string& how_to_get_it) {
    if (!plan.program.empty()) return plan.program;
    auto found = find_system_program(name);
    if (found) return found;
    return std::move(found)
        .error()
        .context("find " + product + ", which the isolation backend " + name + " needs")
        .with_remedy(how_to_get_it);
}

Result<UniqueFd> make_hand_over(const Plan& plan, const RestrictPlan& restrict) {
    HandOver given;
    given.backend = restrict.backend;
    given.level = restrict.level;
    given.landlock = restrict.landlock;
    given.limits = plan.limits;
    given.host_root_device = restrict.host_root_device;
    given.host_root_inode = restrict.host_root_inode;
    given.parent_pid = restrict.parent_pid;
    given.fault = restrict.fault;
    return sys::in_memory({reinterpret_cast<const char*>(&given), sizeof given});
}

Result<UniqueFd> open_jail_init() {
    auto program = sys::open(TRY(installation_root()) + "/libexec/cellblock/jail-init", O_RDONLY);
    if (!program) return std::move(program).error().with_remedy("Install Cellblock again.");
    return program;
}

Result<Said> Said::make() {
    return Said(TRY(sys::pipe()));
}

std::string Said::quote() const {
    pollfd entry{ours_.get(), POLLIN, 0};
    char text[kMaxSaid];
    if (::poll(&entry, 1, 0) <= 0) return "";
    const ssize_t n = ::read(ours_.get(), text, sizeof text);
    if (n <= 0) return "";
    std::string said(text, static_cast<size_t>(n));
    said.erase(said.find_last_not_of(" \n") + 1);
    return said.empty() ? "" : "; it said: " + printable(said);
}

int arrange_descriptors(std::vector<int>& descriptors) {
    if (given_fd::kControl + descriptors.size() >= static_cast<size_t>(kParking)) return -EMFILE;
    for (int& fd : descriptors) {
        const long parked = raw::call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, kParking);
        if (parked < 0) return static_cast<int>(parked);
        fd = static_cast<int>(parked);
    }
    int number = given_fd::kControl;
    for (const int fd : descriptors)
        if (const int e = raw::move_descriptor(fd, number++, 0); e < 0) return e;
    return raw::close_range(static_cast<unsigned>(number), ~0U);
}

int arrange_streams(int said_fd) {
    const int null = raw::open("/dev/null", O_RDONLY);
    if (null < 0) return null;
    if (const int e = raw::move_descriptor(null, 0, 0); e < 0) return e;
    for (const int stream : {1, 2})
        if (const int e = raw::move_descriptor(said_fd, stream, 0); e < 0) return e;
    return 0;
}

}  // namespace cellblock::jail
