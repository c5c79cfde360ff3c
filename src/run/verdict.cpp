// What we did ourselves comes first, then what the counters prove, then the wait status, which is the
// program's choice.
#include "run/verdict.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/check.hpp"

namespace cellblock::run {
namespace {

// As timeout(1) and shells have them.
constexpr int kTimedOut = 124;
constexpr int kSandboxFailed = 125;
constexpr int kSignalled = 128;
constexpr int kNotBuilt = 1;

bool met_memory_limit(const Usage& usage) {
    return usage.oom_kills > 0 && usage.memory_limit_hits > 0;
}

std::string seconds(std::chrono::microseconds time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", std::chrono::duration<double>(time).count());
    return text;
}

}  // namespace

std::string_view to_text(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::exit_nonzero:
            return "exit_nonzero";
        case Verdict::signal:
            return "signal";
        case Verdict::compile_error:
            return "compile_error";
        case Verdict::timeout_wall:
            return "timeout_wall";
        case Verdict::timeout_cpu:
            return "timeout_cpu";
        case Verdict::memory:
            return "memory";
        case Verdict::output_limit:
            return "output_limit";
        case Verdict::denied:
            return "denied";
        case Verdict::internal:
            return "internal";
    }
    UNREACHABLE();
}

Verdict judge(const Ending& ending) {
    if (ending.stop) {
        switch (*ending.stop) {
            case Stop::wall_time:
                return Verdict::timeout_wall;
            case Stop::cpu_time:
                return Verdict::timeout_cpu;
            case Stop::memory:
                return Verdict::memory;
            case Stop::output:
                return Verdict::output_limit;
            case Stop::user:
                return Verdict::signal;
        }
    }
    // With version 2 of cgroups the whole jail goes, pid 1 included.
    if (!ending.exit) return met_memory_limit(ending.usage) ? Verdict::memory : Verdict::internal;
    if (ending.exit->signal == 0 && ending.exit->code == 0) return Verdict::ok;
    // Also when a child was taken and the program gave up for want of it.
    if (met_memory_limit(ending.usage) && (ending.exit->signal == 0 || ending.exit->signal == SIGKILL))
        return Verdict::memory;
    if (ending.exit->signal == SIGSYS) return Verdict::denied;
    return ending.exit->signal != 0 ? Verdict::signal : Verdict::exit_nonzero;
}

int exit_status(Verdict verdict, const Ending& ending) {
    switch (verdict) {
        case Verdict::ok:
        case Verdict::exit_nonzero:
            return ending.exit ? ending.exit->code : kSandboxFailed;
        case Verdict::signal:
            if (ending.stop == Stop::user) return kSignalled + ending.stop_signal;
            return kSignalled + (ending.exit ? ending.exit->signal : SIGKILL);
        case Verdict::compile_error:
            return kNotBuilt;
        case Verdict::timeout_wall:
        case Verdict::timeout_cpu:
            return kTimedOut;
        case Verdict::memory:
            return kSignalled + SIGKILL;
        case Verdict::output_limit:
            return kSignalled + SIGXFSZ;
        case Verdict::denied:
            return kSignalled + SIGSYS;
        case Verdict::internal:
            return kSandboxFailed;
    }
    UNREACHABLE();
}

std::string signal_name(int signal) {
    const char* const name = ::sigabbrev_np(signal);
    return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string explain(Verdict verdict, const Ending& ending, const jail::Limits& limits, const Bounds& bounds) {
    switch (verdict) {
        case Verdict::ok:
        case Verdict::exit_nonzero:
        case Verdict::compile_error:
            return "";
        case Verdict::signal:
            if (ending.stop == Stop::user) return "stopped by " + signal_name(ending.stop_signal);
            if (ending.usage.oom_kills > 0 && ending.exit && ending.exit->signal == SIGKILL)
                return "the host ran out of memory; the program's own limit was not met";
            return ending.exit ? "ended by " + signal_name(ending.exit->signal) : "";
        case Verdict::timeout_wall:
            return "stopped after " + seconds(ending.usage.wall) + "; --timeout allows " +
                   seconds(bounds.wall_time);
        case Verdict::timeout_cpu:
            return "used " + seconds(std::chrono::microseconds(ending.usage.cpu_us)) +
                   " of CPU time; --cpu-time allows " + seconds(bounds.cpu_time);
        case Verdict::memory:
            return "out of memory; --memory allows " + cellblock::to_text(limits.memory);
        case Verdict::output_limit:
            return "wrote more than --output-limit allows, " + cellblock::to_text(bounds.output) +
                   " to each of stdout and stderr";
        case Verdict::denied:
            return "ended by the system call filter: calls of another architecture are not for programs of "
                   "the jail";
        case Verdict::internal:
            return "the jail was lost: pid 1 in it has ended";
    }
    UNREACHABLE();
}

}  // namespace cellblock::run
