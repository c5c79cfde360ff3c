// The commands of `cellblock`: one file each, one row each in the table of commands.cpp.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/user_directories.hpp"
#include "jail/probes.hpp"

namespace CLI {
class App;
}
namespace cellblock::kernel {
struct KernelOptions;
}

namespace cellblock::cli {

/// Exit statuses of the program. Success is 0.
inline constexpr int kFailed = 1;  ///< the world did not let us
inline constexpr int kUsage = 2;   ///< the command line cannot be understood

using ProbeHost = std::function<std::vector<jail::Probe>()>;
using RunKernel = std::function<Result<int>(const kernel::KernelOptions& options)>;

/// What commands need of the world; main() hands it down, tests hand down another.
struct Context {
    std::ostream& out;
    std::ostream& err;
    Variables variable;
    /// What the host can enforce.
    ProbeHost probe_host;
    std::string program;            ///< absolute path of this binary
    std::string library_directory;  ///< where the worker package and the kernelspec template lie
    /// Serves as a kernel, and returns the exit status.
    RunKernel run_kernel = {};
};

/// What runs once the command line has been read. The value is the exit status; an error is printed as a
/// sentence.
using Action = std::function<Result<int>()>;

struct Command {
    std::string_view name;
    std::string_view summary;
    /// Adds the command's description and options to `app`.
    Action (*declare)(CLI::App& app, const Context& context);
};
std::span<const Command> commands();
/// Those of `cellblock audit`.
std::span<const Command> audit_commands();

/// Runs one of the commands of `table`: `arguments` without the program's name. Returns the exit status.
int run(std::span<const Command> table, const std::vector<std::string>& arguments, const Context& context);
/// The same in the world of this process, as both programs do it.
int run_program(std::span<const Command> table, const std::vector<std::string>& arguments,
                const ProbeHost& probe_host, const RunKernel& run_kernel);

Action declare_apply(CLI::App& app, const Context& context);
Action declare_audit(CLI::App& app, const Context& context);
Action declare_delegate(CLI::App& app, const Context& context);
Action declare_diff(CLI::App& app, const Context& context);
Action declare_discard(CLI::App& app, const Context& context);
Action declare_doctor(CLI::App& app, const Context& context);
Action declare_explain(CLI::App& app, const Context& context);
Action declare_install(CLI::App& app, const Context& context);
Action declare_kernel(CLI::App& app, const Context& context);
Action declare_list(CLI::App& app, const Context& context);
Action declare_profile(CLI::App& app, const Context& context);
Action declare_run(CLI::App& app, const Context& context);
Action declare_uninstall(CLI::App& app, const Context& context);

/// In a table of its own in the program that serves as a kernel.
inline constexpr Command kKernelCommand{
    "kernel", "run a kernel; front ends do this, through the installed kernelspec", declare_kernel};

}  // namespace cellblock::cli
