// A table of what errors say, and the sentences.
#include "session/hints.hpp"

#include <array>

namespace cellblock::session {
namespace {

enum class Cause { network, loopback, processes, directories };

struct Sign {
    std::string_view text;  ///< as the reply has it: in the error's own text, or in its traceback
    Cause cause;
    std::string_view from;
};

// clang-format off
constexpr std::array kSigns{
    Sign{"Name or service not known",            Cause::network,   "gai_strerror(EAI_NONAME): no name server is there to ask"},
    Sign{"Temporary failure in name resolution", Cause::network,   "gai_strerror(EAI_AGAIN)"},
    Sign{"No address associated with hostname",  Cause::network,   "gai_strerror(EAI_NODATA)"},
    Sign{"Could not resolve host",               Cause::network,   "libcurl, which libraries in C use"},
    Sign{"Network is unreachable",               Cause::network,   "strerror(ENETUNREACH): no route but to the loopback"},
    Sign{"'-m', 'pip', 'install'",               Cause::network,   "CalledProcessError of a notebook that installs its packages"},
    Sign{"Connection refused",                   Cause::loopback,  "strerror(ECONNREFUSED): only the loopback can answer so"},
    Sign{"can't start new thread",               Cause::processes, "threading, for any error of pthread_create"},
    Sign{"[Errno 11] Resource temporarily unavailable", Cause::processes, "fork() and clone() at RLIMIT_NPROC: EAGAIN"},
    Sign{"[Errno 5] Input/output error",         Cause::directories, "overlayfs, about a mark that its layer cannot keep"},
};
// clang-format on

std::string sentence(Cause cause, const HintFacts& facts) {
    switch (cause) {
        case Cause::network:
            if (!facts.allowed.empty())
                return "cells reach only these names on the network: " + facts.allowed +
                       ". The settings network.mode and network.allow say so";
            return "cells have no network. Download what the notebook needs outside of it and put it beside "
                   "the notebook; install packages outside, too, and restart the kernel";
        case Cause::loopback:
            return "cells have no network but a loopback interface of their own: services of this machine "
                   "cannot be reached there, only what the notebook itself has started";
        case Cause::processes:
            return "at most " + std::to_string(facts.processes) +
                   " processes and threads may run at the same time. To allow more, " +
                   facts.raise_processes_hint;
        case Cause::directories:
            return "with the Linux of this host (before 6.6), cells can write files beside the notebook, but "
                   "neither remove a directory that was there before and has something in it, nor make one "
                   "in its place. Use a directory of another name, or remove it outside";
    }
    return "";
}

}  // namespace

std::string hint_for(std::string_view error_content, const HintFacts& facts) {
    for (const Sign& sign : kSigns) {
        if (sign.cause == Cause::processes && facts.forks_are_counted) continue;
        if (sign.cause == Cause::directories && !facts.directories_stay) continue;
        if (error_content.find(sign.text) != std::string_view::npos) return sentence(sign.cause, facts);
    }
    return "";
}

}  // namespace cellblock::session
