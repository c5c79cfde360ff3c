// Container: one jail for programs, from its creation to its removal. Programs run in it one after the other;
// each leaves nothing running. `cellblock run` makes one or two of them for each program; a server would keep
// many.
//
// One thread at a time. Whatever ends the process that holds a container ends the container.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"
#include "run/language.hpp"
#include "run/program.hpp"

namespace cellblock::run {

/// The directory inside that programs run in; it lies in the scratch space.
inline constexpr std::string_view kProgramDirectory = jail::kHome;

enum class Stream { out, err };

/// Takes what a program writes, while it runs.
class Sink {
  public:
    virtual ~Sink() = default;
    /// Must not wait: the program's clock is not looked at meanwhile.
    virtual void write(Stream stream, std::string_view bytes) = 0;
    /// False while it has more to do than it wants to remember: then the program waits.
    [[nodiscard]] virtual bool takes_more() const { return true; }
};

/// Bounds of one execution. Zero: none.
struct Bounds {
    std::chrono::milliseconds wall_time{0};
    std::chrono::milliseconds cpu_time{0};
    std::chrono::milliseconds grace{0};  ///< from SIGTERM, at the wall time or the CPU time, to SIGKILL
    Bytes output{0};                     ///< each stream; beyond it the program is ended
};
/// From the first SIGINT that is forwarded to SIGKILL.
inline constexpr std::chrono::seconds kStopGrace{2};

/// Why a program was ended before it ended by itself.
enum class Stop {
    wall_time,
    cpu_time,
    memory,  ///< sampled above the limit, where no cgroup enforces it
    output,
    user,  ///< a signal to us
};

/// What a program used, with everything that it started; -1 or nothing where this host cannot tell.
struct Usage {
    std::chrono::microseconds wall{0};
    int64_t cpu_us = -1;
    int64_t memory_peak = -1;  ///< where the host cannot restart it: the highest since the container was made
    int64_t io_read = -1;
    int64_t io_written = -1;
    int64_t processes_peak = -1;
    int64_t oom_kills = 0;
    int64_t memory_limit_hits = 0;
    int64_t process_limit_hits = 0;
};

/// What a program wrote to one stream.
struct Written {
    uint64_t bytes = 0;      ///< in all, as far as it was read
    bool truncated = false;  ///< the sink has not got all of it
};

struct Ending {
    std::optional<jail::Exit> exit;  ///< none: the jail was lost with it
    std::optional<Stop> stop;
    int stop_signal = 0;  ///< of Stop::user
    Written out, err;
    Usage usage;
    std::vector<jail::Denial> denials;
};

class Container {
  public:
    /// Nothing runs in it yet.
    static Result<std::unique_ptr<Container>> create(const jail::Plan& plan);
    virtual ~Container() = default;  ///< removes it with all that runs in it

    /// Puts files into kProgramDirectory.
    virtual Result<void> place(const std::vector<File>& files) = 0;
    /// Reads files, or all files of directories, of kProgramDirectory, at most `most` bytes in all; no link
    /// is followed. A path that is not there is an error.
    virtual Result<std::vector<File>> take(const std::vector<std::string>& paths, Bytes most) = 0;

    struct Execution {
        Invocation invocation;
        std::string working_directory{kProgramDirectory};
        Bounds bounds;
        int stdin_fd = -1;  ///< what the program reads is pumped from it, never waited for; -1: nothing
        Sink* sink = nullptr;
        /// A signalfd: the first SIGINT is forwarded, and SIGKILL follows after kStopGrace or with the next
        /// signal; any other ends the program at once. -1: none.
        int stop_fd = -1;
    };
    /// Executes one program and returns when it, and everything that it started, has ended. An error: it
    /// could not be executed (error_number says why: ENOENT, EACCES), or the jail failed.
    virtual Result<Ending> execute(const Execution& execution) = 0;

    /// What it has used in all.
    virtual Result<jail::Counters> metrics() = 0;
    [[nodiscard]] virtual jail::Jail& jail() = 0;

  protected:
    Container() = default;
};

}  // namespace cellblock::run
