// Explanation: what a person reads in the notebook when a cell did not end by itself. Pure: facts in,
// sentences out.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "jail/jail.hpp"
#include "jail/verdict.hpp"

namespace cellblock::session {

/// An exception's name and text, as a Jupyter `error` message has them.
struct Explanation {
    std::string name;
    std::string text;
};

/// What the sentences are made of.
struct Facts {
    jail::Limits limits;
    std::chrono::milliseconds wall_time{0};
    std::chrono::milliseconds cpu_time{0};
    std::chrono::milliseconds cpu_time_used{0};
    std::chrono::milliseconds grace{0};
    int64_t memory_peak = -1;
    std::optional<jail::Exit> exit;
    std::string violation;          ///< which rule was broken, for protocol_violation
    std::string raise_memory_hint;  ///< how to allow more
    std::string raise_wall_time_hint;
    std::string raise_cpu_time_hint;
    bool worker_lost = true;       ///< false: the interpreter and its variables live
    bool jail_lost = false;        ///< and with it all files in it
    std::string recovery_trouble;  ///< why no new interpreter could be started; empty when one was
    bool bystander = false;        ///< the worker was stopped for a cell of another shell
};

/// For every verdict after which the worker's own reply is not what the user gets: all except ok, error and
/// limit_soft_memory.
Explanation explain(jail::Verdict verdict, const Facts& facts);

/// The members ename, evalue and traceback of a Jupyter `error` message, as JSON text without braces. The
/// traceback is broken into lines of at most kTracebackWidth columns: front ends show it as it is.
std::string error_members(const Explanation& explanation);
/// The content of an execute_reply of status error.
std::string error_content(const Explanation& explanation, int64_t execution_count);
inline constexpr size_t kTracebackWidth = 96;

}  // namespace cellblock::session
