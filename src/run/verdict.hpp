// How a program ended, in one word, from what was observed; the exit status and the sentence that go with it.
// The words are part of the interface: results, audit records and docs/run.md use the same ones.
#pragma once

#include <string>
#include <string_view>

#include "jail/jail.hpp"
#include "run/container.hpp"

namespace cellblock::run {

enum class Verdict {
    ok,             ///< ended by itself with status 0
    exit_nonzero,   ///< … with another status
    signal,         ///< a signal ended it: its own, somebody's on this host, or one that we forwarded
    compile_error,  ///< it was not built, so it did not run
    timeout_wall,   ///< ran longer than allowed
    timeout_cpu,    ///< used more CPU time than allowed
    memory,         ///< the kernel of Linux ended it, or a part of it, for our memory limit
    output_limit,   ///< wrote more than allowed
    denied,         ///< the system call filter ended it
    internal,       ///< the jail failed: nothing is said about the program
};

std::string_view to_text(Verdict verdict);

/// Total and without side effects.
Verdict judge(const Ending& ending);

/// What `cellblock run` ends with: the program's own status where it ended by itself; 124, 125, 137, 128 + n
/// else.
int exit_status(Verdict verdict, const Ending& ending);

/// For a person, without full stop; empty where the verdict says it all.
std::string explain(Verdict verdict, const Ending& ending, const jail::Limits& limits, const Bounds& bounds);

/// "SIGSEGV"; "signal 77" for what has no name.
std::string signal_name(int signal);

}  // namespace cellblock::run
