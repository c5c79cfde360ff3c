// Errors of cells that come from the jail and do not say so: a notebook that worked elsewhere fails with
// "Name or service not known", and nobody thinks of a jail. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cellblock::session {

struct HintFacts {
    uint64_t processes = 0;  ///< the limit
    std::string raise_processes_hint;
    bool forks_are_counted = false;  ///< refused forks are told of by the cgroup's count, which is better
    std::string allowed;             ///< network names, "data.example.org:443, …"; empty: none
    bool directories_stay = false;   ///< beside the notebook: jail::keeps_marks() says no
};

/// What may be behind the error that ended a cell, and what can be done, as a sentence for a note; empty when
/// nothing is known. `error_content` is the JSON of the reply, which the worker wrote: so it is no more than
/// a hint, and says nothing that is not true of every cell.
std::string hint_for(std::string_view error_content, const HintFacts& facts);

}  // namespace cellblock::session
