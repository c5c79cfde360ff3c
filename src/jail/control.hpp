// The words between the kernel process and jail-init, over one SOCK_SEQPACKET socket: one request at a time,
// one answer each, and events in between. Fixed binary structs, since both ends are the same program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cellblock::jail {

/// A request with all its strings. Below the default socket buffer of 208 KiB.
inline constexpr size_t kMaxRequestSize = 128 * 1024;
inline constexpr size_t kMaxStrings = 4096;
/// Mounts of one plan; one message carries a descriptor for each, and the kernel allows 253.
inline constexpr size_t kMaxMounts = 128;
/// Hierarchies of cgroups version 1 that a jail stands in: memory, pids, cpu, cpuacct.
inline constexpr size_t kMaxEntrances = 4;
/// stdin, stdout, stderr, link.
inline constexpr unsigned kSpawnDescriptors = 4;

enum class Verb : uint32_t {
    go,  ///< during set-up: the ids are mapped, or the limits are in force once Cgroup::entrances(), which
         ///< come along, are taken. No answer.
    spawn,
    signal,
    kill_all,
    kill_background,  ///< everything but the worker itself
    list_background,  ///< the same, into the file that comes along: a ListedProcess for each
    ping,
};

struct Request {
    Verb verb = Verb::ping;
    int32_t signal = 0;  ///< signal
    uint32_t argument_count =
        0;  ///< spawn; then follow, NUL-terminated: working directory, arguments, environment
    uint32_t environment_count = 0;
    uint32_t descriptor_mask =
        0;  ///< spawn: which of the four descriptors come with the message, in this order
};

/// Where the kernel of Linux cannot list them.
struct ListedProcess {
    int32_t pid = 0;
    uint32_t command_size = 0;  ///< of its command line, or else of its name, cut
    uint64_t age = 0;           ///< in ticks of sysconf(_SC_CLK_TCK)
    uint64_t resident = 0;      ///< in pages
    char command[64] = {};
};

/// Processes of a jail that are listed.
inline constexpr size_t kMaxListed = 1024;

/// What failed when a command could not be started.
enum class SpawnStage : int32_t { none, receive, fork, descriptors, working_directory, execute };

struct Note {
    enum class Kind : uint32_t { answer, worker_exited };
    Kind kind = Kind::answer;
    int32_t error = 0;                    ///< answer: errno, 0 for success
    SpawnStage stage = SpawnStage::none;  ///< answer to spawn
    int32_t exit_code = 0;                ///< worker_exited
    int32_t exit_signal = 0;
    int64_t lived_ns = 0;  ///< worker_exited, by the clock of pid 1: whoever listens may be late
};

}  // namespace cellblock::jail
