// The program that `cellblock kernel` becomes.
#include <array>
#include <cstdlib>
#include <iostream>

#include "base/installation.hpp"
#include "cli/commands.hpp"
#include "kernel/kernel_main.hpp"

int main(int argc, char** argv) {
    using namespace cellblock;
    const auto root = installation_root();
    if (!root) {
        std::cerr << "cellblock: " << root.error().sentence() << "\n";
        return cli::kFailed;
    }
    const auto variable = [](const std::string& name) {
        const char* value = std::getenv(name.c_str());
        return std::string(value ? value : "");
    };
    const cli::Context context{
        std::cout,
        std::cerr,
        variable,
        [] { return std::vector<jail::Probe>(); },
        *root + "/bin/cellblock",
        *root + "/lib/cellblock",
        [](const kernel::KernelOptions& options) -> Result<int> { return kernel::run_kernel(options); }};
    const std::array table{cli::kKernelCommand};
    return cli::run(table, {argv + 1, argv + argc}, context);
}
