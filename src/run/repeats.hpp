// Results that may be given again instead of running a program again: of runs whose end depends on nothing
// but what is in their key.
#pragma once

#include "base/result.hpp"
#include "run/runner.hpp"

namespace cellblock::run {

/// Standard input is part of a key up to here.
inline constexpr Bytes kMaxKeyedInput = 16_MiB;

/// The error says what of the job depends on something else: a network, a volume, a directory that is shown.
Result<void> check_repeatable(const Job& job);

/// As run_program(), unless there is an earlier result of exactly the same: then that, its output is written
/// to `sink`, and `repeated` is set. Results of programs that ended by themselves are kept. `output` is what
/// `sink` collects.
Result<Outcome> run_or_repeat(const Job& job, const Store& store, const Collector& output, Sink& sink,
                              Progress& progress, bool& repeated);

}  // namespace cellblock::run
