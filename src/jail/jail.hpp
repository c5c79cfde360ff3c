// Jail: a set of namespaces and a cgroup in which jail-init (pid 1, our code) spawns one worker at a time.
// This is what the rest of Cellblock knows of isolation. Mechanism only: it reports, it never logs or decides
// about cells.
//
// A Jail has no locks: one thread at a time. Nothing blocks longer than the timeouts below. When the process
// that made it dies, however it dies, so does everything inside.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/endpoint.hpp"
#include "base/network_sockets.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace cellblock::jail {

/// Longest time from clone to a jail that is ready.
inline constexpr std::chrono::seconds kSetupTimeout{10};
/// Longest time until a killed process tree is gone.
inline constexpr std::chrono::seconds kKillTimeout{5};
/// Longest time for an exec inside (a cold disk), and for a plain answer of pid 1.
inline constexpr std::chrono::seconds kSpawnTimeout{30};
inline constexpr std::chrono::seconds kAnswerTimeout{5};

/// The user's name and home directory inside. The home lies in the scratch space, as /tmp and /var/tmp do.
inline constexpr const char* kUserName = "cell";
inline constexpr const char* kHome = "/home/cell";

/// How much is enforced by the kernel. Weaker levels are used only when they were asked for by name.
enum class Level {
    full,        ///< namespaces and hard limits through cgroups
    namespaced,  ///< namespaces and rlimits; memory is sampled, not enforced by a cgroup
};

std::string_view to_text(Level level);
Result<Level> parse_level(std::string_view text);

/// Who makes namespaces and view of a jail. What each provides, and what not: policy/guarantees.cpp. Never
/// chosen by what the host has: only by name.
enum class Backend {
    native,  ///< this program
    bwrap,   ///< bubblewrap, another program that the host must have, for hosts that let only it make
             ///< namespaces
    runsc,   ///< gVisor: a kernel of its own for the jail, in namespaces and a view that this program makes
};

std::string_view to_text(Backend backend);
Result<Backend> parse_backend(std::string_view text);

/// What happens where the host's kernel has no Landlock.
enum class LandlockUse {
    required,  ///< no jail
    optional,  ///< a jail without this second lock; Jail::has_landlock() says so
};

/// What a jail has of a network. In each case it has a network namespace of its own, and no route out of it.
enum class Network {
    none,       ///< not even a loopback interface
    localhost,  ///< a loopback interface of its own, which leads nowhere else
    allow,      ///< the same, and names: see Plan::allowed
};

std::string_view to_text(Network network);
Result<Network> parse_network(std::string_view text);

/// Where processes of a jail with Network::allow ask for names (UDP and TCP). Only root could bind port 53
/// there, and nobody inside is root.
inline constexpr const char* kNameServer = "127.0.0.53";
/// What stands for the allowed names inside: 198.18.0.0/15, which is nobody's on the internet (RFC 2544).
inline constexpr uint32_t kAllowedAddresses = 0xc6120000;
inline constexpr int kAllowedAddressBits = 15;

/// Hard bounds of one jail. Zero is never "unlimited": start() refuses it.
struct Limits {
    Bytes memory = 2_GiB;     ///< whole process tree, page cache and tmpfs included
    Bytes soft_memory{0};     ///< where cells are asked to stop, below `memory`; 0: nowhere
    int processes = 256;      ///< processes and threads
    double cpus = 0;          ///< CPU rate in cores; 0 means: as many as the host has
    Bytes scratch = 512_MiB;  ///< size of /tmp and HOME together (one tmpfs); of the layer of changes, too
    uint64_t scratch_inodes = 65536;  ///< files in each
    Bytes shared_memory = 256_MiB;    ///< size of /dev/shm
    Bytes file_size = 1_GiB;          ///< RLIMIT_FSIZE
    int open_files = 4096;            ///< RLIMIT_NOFILE, a process
};

/// What processes inside may do with a mount.
enum class Access {
    read_only,
    copy_on_write,  ///< what is written goes to a layer of its own, see Jail::changes_fd(); directories only
    read_write,     ///< the host's own is written
    like_a_copy,    ///< of a file: read-only, and its inode is none of the host's, see Mount
};

/// What a path led to when somebody looked: it may lead elsewhere by now.
struct Inode {
    dev_t device = 0;
    ino_t number = 0;
    bool operator==(const Inode&) const = default;
};

/// A host directory or file that is shown inside at `target`; the host's is written only with read_write. A
/// directory is shown without what is mounted below it; except with read_write, sockets, FIFOs and locks in
/// it are not the host's (docs/adr/0007). A file's locks and leases are the host's, and /proc/self/mountinfo
/// tells its path there; except with like_a_copy, where the directory that it lies in may have nothing
/// mounted below it. For root's jails the owner of a directory that takes writes is the jail's user inside
/// (docs/adr/0013).
struct Mount {
    std::string source;
    std::string target;
    Access access = Access::read_only;
    /// Where `source` was judged before: nothing else is shown. None: whatever is there.
    std::optional<Inode> inode{};
};

/// Everything that start() needs. `mounts` name absolute paths without "..".
struct Plan {
    Backend backend = Backend::native;
    Level level = Level::full;
    LandlockUse landlock = LandlockUse::required;
    Limits limits;
    std::vector<Mount>
        mounts;  ///< in addition to the base system of policy/mounts; one at most copy_on_write
    Network network = Network::localhost;
    /// With Network::allow: each name gets an address inside, each endpoint a socket there that listens. What
    /// connects to it is for the holder of the socket to answer, outside: Jail::take_network_sockets().
    std::vector<Endpoint> allowed;
    std::string name;     ///< host name inside; [a-z0-9-]{1,32}
    std::string program;  ///< path of the backend's; empty: the system's, see find_system_program()
};

/// What to execute as the worker. Descriptors stay the caller's; the jail's copies are closed with the
/// process. When the kernel process is root, pipes among them are given to the jail's user, so that
/// /dev/stdout can be opened.
struct Command {
    std::vector<std::string> argv;         ///< argv[0] is the path inside the jail
    std::vector<std::string> environment;  ///< "NAME=value", complete
    std::string working_directory;         ///< inside the jail
    int stdin_fd = -1;                     ///< -1: /dev/null
    int stdout_fd = -1;
    int stderr_fd = -1;
    int link_fd = -1;  ///< becomes descriptor 3; -1: none
};

/// How a process ended, from its wait status.
struct Exit {
    int code = 0;    ///< exit status when signal is 0
    int signal = 0;  ///< terminating signal, else 0
};

/// Readings since the jail was made. Monotonic except where said; -1 where this host cannot tell.
struct Counters {
    int64_t memory_current = -1;      ///< bytes; goes up and down
    int64_t memory_peak = -1;         ///< bytes; since restart_memory_peak() worked last
    int64_t memory_limit_hits = -1;   ///< times that an allocation failed against our own limit
    int64_t oom_kills = -1;           ///< processes of this jail that the OOM killer took, for whosever limit
    int64_t process_limit_hits = -1;  ///< forks refused by pids.max
    int64_t processes_peak = -1;      ///< processes and threads at the same time, pid 1 included
    int64_t cpu_time_us = -1;         ///< CPU time of the whole tree, in microseconds
    int64_t io_read = -1;             ///< bytes that block devices have delivered
    int64_t io_written = -1;          ///< bytes that they were given
};

/// From one reading to a later one; 0 where it is not known.
constexpr int64_t increase(int64_t after, int64_t before) {
    return after >= 0 && before >= 0 && after > before ? after - before : 0;
}
/// The same of all that only grows; the highest memory, the memory in use and the most
/// processes as in the later one. -1 where either does not know, or where it has not grown.
Counters used_since(const Counters& before, const Counters& after);

/// What happened inside, in order.
struct Event {
    enum class Kind {
        worker_exited,  ///< `exit` is set. Processes that it left behind may still run: kill_all().
        init_lost,      ///< pid 1 is gone, and with it everything inside: the jail is dead.
    };
    Kind kind;
    Exit exit;
    /// Of worker_exited: from its spawn to when pid 1 saw its end, which may be long before we do.
    std::chrono::nanoseconds lived{};
};

/// A system call that looked like an escape and was refused, folded: one entry for each row of the policy.
struct Denial {
    std::string_view call;
    std::string_view reason;  ///< why the policy refuses it
    uint64_t count = 0;
};

/// Requests for much memory at once that would have passed Limits::soft_memory, and got ENOMEM.
struct MemoryRefusals {
    uint64_t count = 0;
    uint64_t largest = 0;  ///< bytes
};

/// How full a file system is in which cells write.
struct Space {
    std::string_view path;  ///< a directory of it, as the jail shows it
    Bytes used;
    Bytes size;
    uint64_t files = 0;
    uint64_t max_files = 0;

    [[nodiscard]] bool has_no_bytes() const { return used >= size; }
    [[nodiscard]] bool has_no_files() const { return files >= max_files; }
};

/// A regular file of the jail's home directory.
struct HomeFile {
    std::string path;  ///< relative to the home directory, without "." and ".."
    std::string content;
    bool is_executable = false;
};

/// A process of the jail beside pid 1 and the worker. What it says of itself is not to be trusted.
struct Process {
    pid_t pid = 0;            ///< as the jail shows it
    std::string command;      ///< printable, at most kMaxCommandText bytes
    uint64_t start_time = 0;  ///< as sys::start_time_of()
    int64_t memory = 0;       ///< resident, in bytes
};
inline constexpr size_t kMaxCommandText = 60;

class Jail {
  public:
    /// Makes the jail; nothing but our own code runs in it yet. The error names the step that failed, the
    /// kernel's answer and the remedy, and nothing is left behind.
    static Result<std::unique_ptr<Jail>> start(const Plan& plan);

    /// Kills everything inside, waits for it, removes the cgroup.
    virtual ~Jail() = default;

    /// Executes the worker; it leads its own session and process group. One at a time: call kill_all() first
    /// when an earlier worker may live. A command that cannot be executed is an error here, not an exit.
    virtual Result<void> spawn(const Command& command) = 0;
    /// Signals the worker's process group (children that left the group are not reached).
    virtual Result<void> signal_worker(int signal) = 0;
    /// SIGKILLs everything inside except pid 1 and waits until it is gone. Scratch files stay. On an error
    /// the jail is dead: init_lost follows.
    virtual Result<void> kill_all() = 0;
    /// SIGKILLs everything inside except pid 1 and the worker itself, whatever it did to be overlooked.
    virtual Result<void> kill_background() { return {}; }
    /// The scratch space and the shared memory, as the kernel of Linux counts them. Without an entry where
    /// that is not known.
    virtual std::vector<Space> spaces() { return {}; }
    /// What runs beside the worker, at most kMaxListed (control.hpp) of them.
    virtual std::vector<Process> background() { return {}; }
    /// Puts a new file into the home directory, as the jail's user, with the directories above it. Before
    /// anything runs inside, or after kill_all(): nobody must be there to exchange what is on the way. What
    /// is there by the file's name already is an error. Modes are 0755 and 0644, whatever our umask is.
    virtual Result<void> place(const HomeFile& file) = 0;
    /// Reads a file of the home directory, or all files below a directory of it, at the same times; at most
    /// `most` bytes in `max_files` files. No link is followed, and what is no regular file is an error.
    virtual Result<std::vector<HomeFile>> take(const std::string& path, Bytes most, size_t max_files) = 0;
    /// Makes what the host has renamed, added or removed in the mounts visible. Without it, names that were
    /// looked up inside before stay as they were then: call it before every cell. Contents of files are
    /// always current.
    virtual Result<void> refresh_view() { return {}; }
    /// The directory of the layer that takes what is written to a copy_on_write mount, to be read only; -1
    /// without one. Its format is that of overlayfs with "userxattr". Everything in it is hostile.
    [[nodiscard]] virtual int changes_fd() const { return -1; }
    /// Once, with Network::allow: the sockets of Plan::allowed and of the name server, which nobody inside
    /// has. They keep the network namespace for as long as they are open.
    virtual NetworkSockets take_network_sockets() { return {}; }
    /// What was refused since the last time. Any thread.
    virtual std::vector<Denial> take_denials() { return {}; }
    /// The same for requests for memory. Any thread.
    virtual MemoryRefusals take_memory_refusals() { return {}; }
    /// Memory in use, in bytes, without what the kernel of Linux would give back first (cached files); -1
    /// where this is not known. Up to `enough` it may be an upper bound, which is cheap.
    virtual int64_t memory_in_use([[maybe_unused]] Bytes enough) { return -1; }
    /// From now on Counters::memory_peak is about what follows. False where this host cannot do that: then it
    /// is the highest since the jail was made.
    virtual bool restart_memory_peak() { return false; }
    /// Reads the cgroup (or, at level `namespaced`, samples the process tree).
    virtual Result<Counters> counters() = 0;

    /// Readable when take_events() has something.
    [[nodiscard]] virtual int event_fd() const = 0;
    virtual std::vector<Event> take_events() = 0;

    /// The worker's pid as the host sees it, 0 when none runs.
    [[nodiscard]] virtual pid_t worker_pid() const = 0;
    /// What is really in force, for banners, replies and audit.
    [[nodiscard]] virtual Level level() const = 0;
    [[nodiscard]] virtual Backend backend() const { return Backend::native; }
    [[nodiscard]] virtual bool has_landlock() const { return true; }
    [[nodiscard]] virtual const Limits& limits() const = 0;

  protected:
    Jail() = default;
};

}  // namespace cellblock::jail
