// The program that `cellblock kernel` becomes.
#include <array>

#include "cli/commands.hpp"
#include "kernel/kernel_main.hpp"

int main(int argc, char** argv) {
    using namespace cellblock;
    const std::array table{cli::kKernelCommand};
    return cli::run_program(
        table, {argv + 1, argv + argc}, [] { return std::vector<jail::Probe>(); },
        [](const kernel::KernelOptions& options) -> Result<int> { return kernel::run_kernel(options); });
}
