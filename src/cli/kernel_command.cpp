// `cellblock kernel`: what front ends start.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <numeric>

#include "cli/commands.hpp"
#include "cli/ipython_arguments.hpp"
#include "cli/kernel_options.hpp"
#include "kernel/kernel_main.hpp"

namespace cellblock::cli {
namespace {

/// What differs from an option of ours in so few letters was meant to be that one.
constexpr size_t kMisspelling = 2;

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = std::exchange(row[0], i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

bool is_shortened(std::string_view name, std::string_view flag) {
    constexpr size_t kLeast = std::string_view("--mem").size();
    return name.size() >= kLeast && flag.starts_with(name);
}

Result<void> check_spelling(const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
        const std::string name = argument.substr(0, argument.find('='));
        if (!name.starts_with("--")) continue;
        for (const KernelOption& option : kernel_options())
            if (edit_distance(name, option.flag) <= kMisspelling || is_shortened(name, option.flag))
                return Error("there is no option " + name)
                    .with_remedy("Did you mean " + std::string(option.flag) + "?");
    }
    return {};
}

using Options = std::shared_ptr<kernel::KernelOptions>;

Options declare(CLI::App& app) {
    app.footer(
        "Further arguments are ipykernel's: those for IPython are passed to it in the jail,\n"
        "for example --InteractiveShell.colors=NoColor or --ext autoreload.");
    app.allow_extras();
    auto options = std::make_shared<kernel::KernelOptions>();
    app.add_option("-f,--connection-file", options->connection_file,
                   "connection file that the front end wrote")
        ->required()
        ->type_name("FILE");
    app.add_option("--python", options->launch.python, "interpreter of the environment that cells run in")
        ->required()
        ->type_name("PATH");
    declare_kernel_options(app, "Settings of the jail",
                           [options](const KernelOption& option, const std::string& text) {
                               option.apply(text, options->launch).value();  // checked just before
                           });
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
        for (const std::string& note : arguments.notes) context.err << "note: " << note << "\n";
        options->launch.worker_arguments = arguments.passed;
        return kernel::run_kernel(*options);
    };
}

}  // namespace cellblock::cli
