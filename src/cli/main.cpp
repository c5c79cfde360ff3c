// The program `cellblock`: hands the world to the commands.
//
// The command `kernel` goes on as another program (kernel_program/main.cpp): the libraries that a kernel
// speaks with are many, and loading them would cost each `cellblock run` more than its jail.
#include <fcntl.h>
#include <unistd.h>

#include "base/installation.hpp"
#include "cli/commands.hpp"
#include "kernel/kernel_main.hpp"

namespace {

/// A closed one would be the number of the next file or pipe that is opened, which would then be read and
/// written as if it were the stream.
bool hold_standard_streams() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) return false;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (!hold_standard_streams()) return cellblock::cli::kFailed;  // there is nobody to tell
    using namespace cellblock;
    const auto become_kernel = [&](const kernel::KernelOptions&) -> Result<int> {
        const std::string program = TRY(installation_root()) + "/libexec/cellblock/cellblock-kernel";
        ::execv(program.c_str(), argv);
        return errno_error("execute " + program).with_remedy("Install Cellblock again.");
    };
    return cli::run_program(cli::commands(), {argv + 1, argv + argc}, jail::probe_host, become_kernel);
}
