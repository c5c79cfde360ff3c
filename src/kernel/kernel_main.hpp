// Entry of the role `cellblock kernel`: reads the connection file, blocks signals, builds the kernel, serves.
#pragma once

#include <string>
#include <vector>

#include "kernel/replies.hpp"
#include "observe/diagnostics.hpp"
#include "session/launch.hpp"

namespace cellblock::kernel {

struct KernelOptions {
    std::string connection_file;
    session::LaunchOptions launch;
    ProfileInForce profile;
    std::vector<std::string> ignored;         ///< sentences: what was asked for on any way and is not obeyed
    observe::DiagnosticsOptions diagnostics;  ///< the kernel's id is filled in
};

/// Serves until the kernel is shut down, its parent (JPY_PARENT_PID) is gone, or SIGTERM. Errors are told
/// through observe/diagnostics.hpp. The value is the process's exit status: 0 after a shutdown, 1 when the
/// kernel could not be started. Call it before any other thread exists.
int run_kernel(const KernelOptions& options);

}  // namespace cellblock::kernel
