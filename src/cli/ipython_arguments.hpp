// Arguments of `cellblock kernel` that are not options of ours: ipykernel's, as kernelspecs and tools give
// them. Those that concern IPython go to the worker; those that concern sockets and files of the host do not.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace cellblock::cli {

struct IPythonArguments {
    std::vector<std::string> passed;  ///< to the worker, as they were given
    std::vector<std::string> notes;   ///< sentences about those that have no effect
};

/// The error names the first argument that is neither known nor of the form --Class.trait=value.
Result<IPythonArguments> read_ipython_arguments(const std::vector<std::string>& arguments);

}  // namespace cellblock::cli
