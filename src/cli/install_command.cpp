// `cellblock install`: a kernelspec for one Python environment.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>

#include "build_info.hpp"
#include "cli/child.hpp"
#include "cli/commands.hpp"
#include "cli/doctor.hpp"
#include "cli/install_records.hpp"
#include "cli/jupyter_paths.hpp"
#include "cli/kernel_options.hpp"
#include "cli/kernelspec.hpp"
#include "cli/profile_places.hpp"
#include "session/audit.hpp"
#include "session/python_env.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

/// A cold disk and a slow machine included; compiling the package takes about a second.
constexpr std::chrono::seconds kCompileTimeout{60};

constexpr const char* kDefaultName = "cellblock";

struct Options {
    std::string python;
    bool user = false;
    bool sys_prefix = false;
    std::string prefix;
    std::string name = kDefaultName;
    std::string display_name;                   // empty: made of the name
    std::vector<std::string> kernel_options;    // "--memory", "4GiB", …
    std::vector<std::string> kernel_arguments;  // of --kernel-arg
};

/// Two kernels must not look the same in a front end's menu.
std::string display_name_of(const Options& options) {
    if (!options.display_name.empty()) return options.display_name;
    return options.name == kDefaultName ? "Python (sandboxed)" : "Python (sandboxed, " + options.name + ")";
}

// As a shell finds a program; empty when there is none.
std::string find_in_path(const std::string& name, const Context& context) {
    std::istringstream directories(context.variable("PATH"));
    for (std::string directory; std::getline(directories, directory, ':');) {
        const std::string candidate = fs::path(directory) / name;
        if (!directory.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return "";
}

// The one named, else the active environment's, else the one that a shell would find.
Result<std::string> choose_python(std::string named, const Context& context) {
    if (named.find('/') != std::string::npos) return named;
    for (const char* environment : {"VIRTUAL_ENV", "CONDA_PREFIX"})
        if (const std::string prefix = context.variable(environment); named.empty() && !prefix.empty())
            return prefix + "/bin/python";
    if (named.empty()) named = "python3";
    if (std::string found = find_in_path(named, context); !found.empty()) return found;
    return Error("there is no program " + named + " in PATH")
        .with_remedy("Name an interpreter with --python PATH.");
}

Result<std::string> kernels_directory(const Options& options, const session::PythonEnvironment& python,
                                      const Context& context) {
    std::error_code error;
    if (!options.prefix.empty())
        return kernels_directory_of(fs::absolute(options.prefix, error).lexically_normal().string());
    if (options.sys_prefix) return kernels_directory_of(python.prefix);
    return user_kernels_directory(context.variable);
}

std::vector<std::string> kernel_argv(const Options& options, const session::PythonEnvironment& python,
                                     const Context& context) {
    std::vector<std::string> argv{context.program,     "kernel",   "-f",
                                  "{connection_file}", "--python", python.interpreter};
    argv.insert(argv.end(), options.kernel_options.begin(), options.kernel_options.end());
    argv.insert(argv.end(), options.kernel_arguments.begin(), options.kernel_arguments.end());
    return argv;
}

// Inside the jail the package is read-only, so bytecode that is missing now would be missing at every start.
// -S: without site no .pth file of the environment is run; the package is not imported either, only compiled.
void compile_worker(const session::PythonEnvironment& python, const Context& context) {
    const std::string package = context.library_directory + "/cellblock_worker";
    if (::access(package.c_str(), W_OK) != 0) return;
    const auto compiled = run_program({python.interpreter, "-I", "-S", "-m", "compileall", "-q",
                                       "--invalidation-mode", "unchecked-hash", package},
                                      kCompileTimeout);
    if (compiled && compiled->status == 0) return;
    context.err
        << "warning: the kernel will start more slowly, because its Python files could not be compiled: "
        << (compiled ? compiled->output : compiled.error().sentence()) << "\n";
}

void warn_if_not_enforceable(const session::LaunchOptions& settings, const Context& context) {
    if (can_enforce(context.probe_host(), {settings.level, settings.landlock, "", settings.backend})) return;
    context.err << "warning: this host cannot enforce the isolation level \"" << jail::to_text(settings.level)
                << "\" with the backend \"" << jail::to_text(settings.backend)
                << "\", so the kernel will refuse to start. \"cellblock doctor\" says what is missing.\n";
}

bool has_debugpy(const session::PythonEnvironment& python) {
    return std::any_of(python.site_packages.begin(), python.site_packages.end(),
                       [](const std::string& packages) {
                           std::error_code unreadable;
                           return fs::exists(packages + "/debugpy", unreadable);
                       });
}

observe::Members recorded_members(const std::string& name, const std::string& directory,
                                  const session::PythonEnvironment& python,
                                  const profile::Effective& effective) {
    observe::Members members;
    members.text("name", name).text("directory", directory).text("python", python.interpreter);
    members.text("prefix", python.prefix).text("environment", session::environment_digest(python));
    members.text("profile", effective.profile).text("policy", effective.digest);
    members.text("level", jail::to_text(effective.options.level));
    return members;
}

Result<int> install(const Options& options, const Context& context) {
    TRY(check_kernel_name(options.name));
    const std::string named = TRY(choose_python(options.python, context));
    const session::PythonEnvironment python = TRY(session::resolve_python(named));
    for (const std::string& warning : python.warnings) context.err << "warning: " << warning << "\n";
    TRY(session::require_ipython(python));

    Kernelspec kernelspec;
    kernelspec.argv = kernel_argv(options, python, context);
    // As the kernel will read them, with those of --kernel-arg.
    const profile::Arguments arguments =
        TRY(read_kernel_arguments({kernelspec.argv.begin() + 2, kernelspec.argv.end()}));
    const profile::Effective effective = TRY(profile::resolve(host_places(context), arguments));
    for (const std::string& note : effective.notes) context.err << "warning: " << note << "\n";
    kernelspec.display_name = display_name_of(options);
    kernelspec.version = kVersion;
    kernelspec.isolation = jail::to_text(effective.options.level);
    kernelspec.python = python.interpreter;
    kernelspec.debugger = has_debugpy(python);
    const std::string directory = TRY(kernels_directory(options, python, context)) + "/" + options.name;
    InstallRecords records = TRY(InstallRecords::open(effective.options.audit, context));
    TRY(write_kernelspec(directory, context.library_directory + "/kernelspec", kernelspec, [&] {
        return records.add("install", recorded_members(options.name, directory, python, effective));
    }));
    compile_worker(python, context);
    warn_if_not_enforceable(effective.options, context);

    context.out << "Installed the kernel \"" << options.name << "\" in " << directory << "\n"
                << "  Python     " << python.interpreter << " (" << python.version << ", IPython "
                << (python.ipython_version.empty() ? "of unknown version" : python.ipython_version) << ")\n"
                << "  profile    " << effective.profile << "\n"
                << "  isolation  " << kernelspec.isolation << "\n"
                << "Front ends show it as \"" << kernelspec.display_name << "\".\n";
    return 0;
}

}  // namespace

Action declare_install(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n"
        "  cellblock install --python .venv/bin/python\n"
        "  cellblock install --python .venv/bin/python --prefix .venv --name big --memory 16GiB\n"
        "\n"
        "The environment needs IPython, and nothing else of Jupyter. Installing again replaces the kernel.");
    auto options = std::make_shared<Options>();
    app.add_option("--python", options->python,
                   "interpreter of the environment that cells run in (default: the active environment's, "
                   "else python3 in "
                   "PATH)")
        ->type_name("PATH");
    app.add_option("--name", options->name, "name of the kernelspec (default: cellblock)")->type_name("NAME");
    app.add_option("--display-name", options->display_name,
                   "what front ends show (default: Python (sandboxed), with the name where it is another)")
        ->type_name("TEXT");

    const std::string where = "Where, one of";
    auto* user =
        app.add_flag("--user", options->user,
                     "for this user, in $JUPYTER_DATA_DIR or ~/.local/share/jupyter (this is the default)");
    auto* prefix = app.add_option("--prefix", options->prefix,
                                  "in DIRECTORY/share/jupyter: for the Jupyter of the environment DIRECTORY")
                       ->type_name("DIRECTORY");
    auto* sys_prefix = app.add_flag("--sys-prefix", options->sys_prefix, "in the environment of --python");
    user->excludes(prefix, sys_prefix)->group(where);
    prefix->excludes(sys_prefix)->group(where);
    sys_prefix->group(where);

    const std::string recorded = "Settings of the kernel, recorded in its kernelspec";
    const auto record = [options](std::string_view flag, const std::string& text) {
        options->kernel_options.insert(options->kernel_options.end(), {std::string(flag), text});
    };
    declare_kernel_options(
        app, recorded,
        [record](const profile::Setting& setting, const std::string& text) { record(setting.flag, text); },
        [record](const std::string& named) {
            // Front ends start the kernel elsewhere.
            std::error_code error;
            record("--profile",
                   named.find('/') == std::string::npos ? named : fs::absolute(named, error).string());
        });
    app.add_option("--kernel-arg", options->kernel_arguments,
                   "any other argument for \"cellblock kernel\" or IPython, as it is; may be repeated: "
                   "--kernel-arg=--InteractiveShell.colors=NoColor")
        ->type_name("ARG")
        ->allow_extra_args(false)
        ->group(recorded);
    return [options, &context] { return install(*options, context); };
}

}  // namespace cellblock::cli
