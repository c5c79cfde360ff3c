// Environment variables of the worker: which there are at all, and why. Nothing else of the kernel process's
// environment, where tokens and passwords lie, comes inside, unless a profile names it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "session/launch.hpp"
#include "session/python_env.hpp"

namespace cellblock::session {

/// More is no setting but a data set; the command that starts the worker has to fit into one message.
inline constexpr size_t kMaxVariables = 64;
inline constexpr size_t kMaxVariableSize = 4096;

struct VariableRow {
    std::string_view name;
    /// The value, empty for none. Null: as the kernel process has it, where it has it.
    std::string (*value)(const PythonEnvironment& python);
    std::string_view what;  ///< the value in words
    std::string_view reason;
};

std::span<const VariableRow> environment_rows();

/// The whole environment, "NAME=value" each. `variable` reads the kernel process's; null when it is not set.
std::vector<std::string> worker_environment(const PythonEnvironment& python, const LaunchOptions& options,
                                            const char* (*variable)(const char* name));

/// Checks names, or "NAME=value"s, that a profile gives. Variables of the table that are ours cannot be among
/// them.
Result<void> check_variable_names(const std::vector<std::string>& names);
Result<void> check_variables(const std::vector<std::string>& assignments);

}  // namespace cellblock::session
