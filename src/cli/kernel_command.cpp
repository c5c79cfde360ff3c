// `cellblock kernel`: what front ends start.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/spelling.hpp"
#include "cli/commands.hpp"
#include "cli/ipython_arguments.hpp"
#include "cli/kernel_options.hpp"
#include "kernel/kernel_main.hpp"
#include "profile/layers.hpp"

namespace cellblock::cli {
namespace {

bool is_shortened(std::string_view name, std::string_view flag) {
    constexpr size_t kLeast = std::string_view("--mem").size();
    return name.size() >= kLeast && flag.starts_with(name);
}

Result<void> check_spelling(const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
        const std::string name = argument.substr(0, argument.find('='));
        if (!name.starts_with("--")) continue;
        for (const std::string_view flag : kernel_option_flags())
            if (is_misspelt(name, flag) || is_shortened(name, flag))
                return Error("there is no option " + name)
                    .with_remedy("Did you mean " + std::string(flag) + "?");
    }
    return {};
}

struct KernelArguments {
    kernel::KernelOptions kernel;
    profile::Arguments profile;
};
using Options = std::shared_ptr<KernelArguments>;

Options declare(CLI::App& app) {
    app.footer(
        "Further arguments are ipykernel's: those for IPython are passed to it in the jail,\n"
        "for example --InteractiveShell.colors=NoColor or --ext autoreload.");
    app.allow_extras();
    auto options = std::make_shared<KernelArguments>();
    app.add_option("-f,--connection-file", options->kernel.connection_file,
                   "connection file that the front end wrote")
        ->required()
        ->type_name("FILE");
    app.add_option("--python", options->kernel.launch.python,
                   "interpreter of the environment that cells run in")
        ->required()
        ->type_name("PATH");
    const auto add_diagnostics_option = [&](const char* flag, const char* value, const char* meaning,
                                            auto parse, auto& into) {
        app.add_option_function<std::string>(
               flag,
               [flag, parse, &into](const std::string& text) {
                   const auto parsed = parse(text);
                   if (!parsed) throw CLI::ValidationError(flag, parsed.error().sentence());
                   into = *parsed;
               },
               meaning)
            ->type_name(value)
            ->group("What is told on stderr (docs/diagnostics.md)");
    };
    observe::DiagnosticsOptions& diagnostics = options->kernel.diagnostics;
    add_diagnostics_option("--kernel-log-level", "LEVEL",
                           "the least grave that is told: error, warning, info or debug (default: warning)",
                           observe::parse_severity, diagnostics.least);
    add_diagnostics_option("--kernel-log-format", "FORMAT",
                           "text, or json: one object a line (default: text)", observe::parse_line_format,
                           diagnostics.format);
    declare_kernel_options(
        app, "Settings of the jail",
        [options](const profile::Setting& setting, const std::string& text) {
            options->profile.settings.emplace_back(&setting, text);
        },
        [options](const std::string& name) { options->profile.profile = name; });
    return options;
}

Result<IPythonArguments> read_further_arguments(const std::vector<std::string>& arguments) {
    TRY(check_spelling(arguments));
    return read_ipython_arguments(arguments);
}

}  // namespace

Result<profile::Arguments> read_kernel_arguments(const std::vector<std::string>& arguments) {
    CLI::App app;
    const Options options = declare(app);
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        return Error(std::string("pass these arguments to the kernel: ") + error.what());
    }
    TRY(read_further_arguments(app.remaining()));
    return options->profile;
}

Action declare_kernel(CLI::App& app, const Context& context) {
    const Options options = declare(app);
    return [options, &app, &context]() -> Result<int> {
        const IPythonArguments arguments = TRY(read_further_arguments(app.remaining()));
        profile::Effective effective =
            TRY(profile::resolve(profile::places_of(context.variable), options->profile));
        session::LaunchOptions launch = std::move(effective.options);
        launch.python = options->kernel.launch.python;
        launch.worker_arguments = arguments.passed;
        kernel::KernelOptions kernel = options->kernel;
        kernel.launch = std::move(launch);
        kernel.ignored = arguments.notes;
        kernel.ignored.insert(kernel.ignored.end(), effective.notes.begin(), effective.notes.end());
        kernel.profile = {effective.profile, effective.digest, std::move(effective.notes)};
        return context.run_kernel(kernel);
    };
}

}  // namespace cellblock::cli
