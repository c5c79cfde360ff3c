// Runs a program to its end within a bounded time, for helpers that `cellblock` starts outside of any jail.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace cellblock::cli {

struct Finished {
    int status = 0;      ///< exit status; 128 + n when signal n ended it
    std::string output;  ///< the first kilobytes of what it wrote to stdout and stderr
};

/// Executes argv[0] (a path) with the caller's environment and no standard input. After `timeout` it is
/// killed, which is an error.
Result<Finished> run_program(const std::vector<std::string>& argv, std::chrono::milliseconds timeout);

}  // namespace cellblock::cli
