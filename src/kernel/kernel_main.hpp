// Entry of the role `cellblock kernel`: reads the connection file, blocks signals, builds the kernel, serves.
#pragma once

#include <string>

#include "kernel/replies.hpp"
#include "session/launch.hpp"

namespace cellblock::kernel {

struct KernelOptions {
    std::string connection_file;
    session::LaunchOptions launch;
    ProfileInForce profile;
};

/// Serves until the kernel is shut down, its parent (JPY_PARENT_PID) is gone, or SIGTERM. Errors are one
/// sentence on stderr. The value is the process's exit status: 0 after a shutdown, 1 when the kernel could
/// not be started. Call it before any other thread exists.
int run_kernel(const KernelOptions& options);

}  // namespace cellblock::kernel
