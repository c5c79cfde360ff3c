// The program `cellblock`: hands the world to the commands.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "cli/commands.hpp"
#include "session/launch.hpp"

int main(int argc, char** argv) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto library = cellblock::session::library_directory();
    if (error || !library) {
        std::cerr
            << "cellblock: the path of this program cannot be found in /proc/self/exe. Is /proc mounted?\n";
        return cellblock::cli::kFailed;
    }
    const auto variable = [](const std::string& name) {
        const char* value = std::getenv(name.c_str());
        return std::string(value ? value : "");
    };
    const cellblock::cli::Context context{std::cout,        std::cerr, variable, cellblock::jail::probe_host,
                                          program.string(), *library};
    return cellblock::cli::run({argv + 1, argv + argc}, context);
}
