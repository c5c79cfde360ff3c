// Choice and mapping of user ids; see user_namespaces(7) for what the kernel accepts in the maps.
#include "jail/identity.hpp"

#include <unistd.h>

#include "base/sys.hpp"

namespace cellblock::jail {
namespace {

// Process ids are below 2^22, so that 2^6 jails of each process have room below 0x80000000.
constexpr unsigned kJailsPerProcess = 64;

}  // namespace

Identity choose_identity(unsigned jail_number) {
    if (::geteuid() != 0) return {false, ::geteuid(), ::getegid(), ::geteuid(), ::getegid()};
    const uid_t own =
        kFirstJailUid + static_cast<uid_t>(::getpid()) * kJailsPerProcess + jail_number % kJailsPerProcess;
    return {true, kInsideUid, kInsideUid, own, own};
}

Result<void> write_id_maps(pid_t pid, const Identity& identity) {
    // setgroups stays allowed: the child still has to get rid of root's groups.
    const std::string process = "/proc/" + std::to_string(pid);
    TRY(sys::write_file(process + "/gid_map", id_map_line(identity.inside_gid, identity.host_gid)));
    TRY(sys::write_file(process + "/uid_map", id_map_line(identity.inside_uid, identity.host_uid)));
    return {};
}

std::string id_map_line(unsigned inside, unsigned host) {
    return std::to_string(inside) + " " + std::to_string(host) + " 1\n";
}

}  // namespace cellblock::jail
