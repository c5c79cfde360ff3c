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

Result<void> check_kernel_arguments(const std::vector<std::string>& arguments) {
    CLI::App app;
    const Options options = declare(app);
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        return Error(std::string("pass these arguments to the kernel: ") + error.what());
    }
    TRY(read_further_arguments(app.remaining()));
    return {};
}

Action declare_kernel(CLI::App& app, const Context& context) {
    const Options options = declare(app);
    return [options, &app, &context]() -> Result<int> {
        const IPythonArguments arguments = TRY(read_further_arguments(app.remaining()));
        profile::Effective effective =
            TRY(profile::resolve(profile::places_of(context.variable), options->profile));
        for (const auto& notes : {arguments.notes, effective.notes})
            for (const std::string& note : notes) context.err << "note: " << note << "\n";

        session::LaunchOptions launch = std::move(effective.options);
        launch.python = options->kernel.launch.python;
        launch.worker_arguments = arguments.passed;
        kernel::KernelOptions kernel = options->kernel;
        kernel.launch = std::move(launch);
        kernel.profile = {effective.profile, effective.digest, std::move(effective.notes)};
        return kernel::run_kernel(kernel);
    };
}

}  // namespace cellblock::cli
