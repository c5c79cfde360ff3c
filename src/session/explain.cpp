// The sentences. Each says what happened, what is lost and kept, and what the user can do.
#include "session/explain.hpp"

#include <csignal>
#include <cstring>
#include <sstream>
#include <vector>

#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

using jail::Verdict;

std::string seconds(std::chrono::milliseconds time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f s", time.count() % 1000 == 0 ? 0 : 1,
                  static_cast<double>(time.count()) / 1000.0);
    return text;
}

std::string signal_name(int signal) {
    const char* name = sigabbrev_np(signal);
    return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string bystander_reason(Verdict verdict) {
    if (verdict == Verdict::limit_wall_time) return "ran longer than allowed";
    if (verdict == Verdict::limit_cpu_time) return "used more CPU time than allowed";
    return "did not react to interrupts";
}

std::string what_happened(Verdict verdict, const Facts& facts) {
    if (facts.bystander)
        return "The Python process was stopped while this cell ran, because a cell of another shell of this "
               "kernel " +
               bystander_reason(verdict) + ".";
    switch (verdict) {
        case Verdict::limit_memory: {
            std::string text =
                "The cell needed more memory than the " + to_text(facts.limits.memory) + " allowed";
            if (facts.memory_peak >= 0)
                text += " (peak " + to_text(Bytes{static_cast<uint64_t>(facts.memory_peak)}) + ")";
            return text + ", so the system stopped the Python process.";
        }
        case Verdict::host_oom:
            return "The host ran out of memory and stopped the Python process. The cell was within its own "
                   "limit of " +
                   to_text(facts.limits.memory) + ".";
        case Verdict::limit_wall_time:
            if (facts.worker_lost)
                return "The cell ran longer than the " + seconds(facts.wall_time) +
                       " allowed and did not react to an interrupt within " + seconds(facts.grace) +
                       ", so its Python process was stopped.";
            return "The cell ran longer than the " + seconds(facts.wall_time) +
                   " allowed and was interrupted.";
        case Verdict::limit_cpu_time:
            if (facts.worker_lost)
                return "The cell and its child processes used " + seconds(facts.cpu_time_used) +
                       " of CPU time, more than the " + seconds(facts.cpu_time) +
                       " allowed, and did not react to an interrupt within " + seconds(facts.grace) +
                       ", so its Python process was stopped.";
            return "The cell and its child processes used " + seconds(facts.cpu_time_used) +
                   " of CPU time, more than the " + seconds(facts.cpu_time) + " allowed; it was interrupted.";
        case Verdict::worker_exited:
            if (facts.exit && facts.exit->signal == 0)
                return "The Python process ended itself with exit status " +
                       std::to_string(facts.exit->code) +
                       " (os._exit, or another program was executed in its place).";
            return "The Python process was replaced by another program or closed its connection to the "
                   "kernel.";
        case Verdict::worker_killed:
            return "The Python process was ended by " +
                   signal_name(facts.exit ? facts.exit->signal : SIGKILL) +
                   ", sent by the cell itself or from outside. No limit was exceeded.";
        case Verdict::worker_crashed:
            return "The Python process crashed with " + signal_name(facts.exit ? facts.exit->signal : 0) +
                   (facts.exit && facts.exit->signal == SIGSYS
                        ? " (a system call of a foreign architecture)."
                        : " (a fault in native code, such as a C extension or a stack overflow).");
        case Verdict::user_interrupts:
            return "The cell did not react to repeated interrupts, so its Python process was stopped.";
        case Verdict::protocol_violation:
            return "The Python process broke the rules of its connection to the kernel and was stopped: " +
                   facts.violation + ".";
        case Verdict::jail_lost:
            return "The jail of this notebook ended unexpectedly, and the Python process with it.";
        case Verdict::ok:
        case Verdict::error:
        case Verdict::limit_soft_memory:
            break;
    }
    UNREACHABLE();
}

std::string name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::limit_memory:
            return "MemoryLimitExceeded";
        case Verdict::host_oom:
            return "HostOutOfMemory";
        case Verdict::limit_wall_time:
            return "WallTimeExceeded";
        case Verdict::limit_cpu_time:
            return "CpuTimeExceeded";
        case Verdict::worker_exited:
            return "WorkerExited";
        case Verdict::worker_killed:
            return "WorkerKilled";
        case Verdict::worker_crashed:
            return "WorkerCrashed";
        case Verdict::user_interrupts:
            return "InterruptedByUser";
        case Verdict::protocol_violation:
            return "ProtocolViolation";
        case Verdict::jail_lost:
            return "JailLost";
        case Verdict::ok:
        case Verdict::error:
        case Verdict::limit_soft_memory:
            break;
    }
    UNREACHABLE();
}

std::string what_is_lost(const Facts& facts) {
    if (!facts.worker_lost) return " Its variables are kept.";
    std::string text = " All variables are lost";
    if (facts.jail_lost) text += ", and with the jail the files in /tmp and the home directory";
    if (facts.recovery_trouble.empty())
        return text + (facts.jail_lost ? "" : "; files in /tmp and the home directory are kept") +
               ". The next cell runs in a new interpreter.";
    return text + ", and no new interpreter could be started: " + facts.recovery_trouble;
}

std::string what_to_do(Verdict verdict, const Facts& facts) {
    if (verdict == Verdict::limit_memory && !facts.raise_memory_hint.empty())
        return " To allow more, " + facts.raise_memory_hint + ".";
    if (verdict == Verdict::limit_cpu_time && !facts.raise_cpu_time_hint.empty())
        return " To allow more, " + facts.raise_cpu_time_hint + ".";
    if (verdict == Verdict::limit_wall_time && !facts.raise_wall_time_hint.empty())
        return " To allow more, " + facts.raise_wall_time_hint + ".";
    return "";
}

std::vector<std::string> wrapped(const std::string& text) {
    std::vector<std::string> lines(1);
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > kTracebackWidth)
            lines.emplace_back();
        lines.back() += (lines.back().empty() ? "" : " ") + word;
    }
    return lines;
}

}  // namespace

std::string error_members(const Explanation& explanation) {
    using protocol::json_string;
    std::string traceback;
    for (const std::string& line : wrapped(explanation.name + ": " + explanation.text))
        traceback += (traceback.empty() ? "" : ", ") + json_string(line);
    // Front ends colour an exception's name in tracebacks.
    const std::string plain = json_string(explanation.name).substr(1, explanation.name.size());
    if (const size_t at = traceback.find(plain); at != std::string::npos)
        traceback.replace(at, plain.size(), "\\u001b[0;31m" + plain + "\\u001b[0m");
    return "\"ename\": " + json_string(explanation.name) + ", \"evalue\": " + json_string(explanation.text) +
           ", \"traceback\": [" + traceback + "]";
}

Explanation explain(Verdict verdict, const Facts& facts) {
    return {name_of(verdict),
            what_happened(verdict, facts) + what_is_lost(facts) + what_to_do(verdict, facts)};
}

std::string error_content(const Explanation& explanation, int64_t execution_count) {
    return "{\"status\": \"error\", " + error_members(explanation) +
           ", \"execution_count\": " + std::to_string(execution_count) +
           ", \"user_expressions\": {}, \"payload\": []}";
}

}  // namespace cellblock::session
