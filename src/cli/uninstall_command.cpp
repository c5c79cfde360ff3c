// `cellblock uninstall`: removes a kernelspec of ours.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/commands.hpp"
#include "cli/install_records.hpp"
#include "cli/jupyter_paths.hpp"
#include "cli/kernel_options.hpp"
#include "cli/kernelspec.hpp"
#include "cli/profile_places.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
    std::string name;
    bool user = false;
    std::string prefix;
};

Result<std::vector<std::string>> places(const Options& options, const Context& context) {
    if (options.user) return std::vector{TRY(user_kernels_directory(context.variable))};
    std::error_code error;
    if (!options.prefix.empty())
        return std::vector{
            kernels_directory_of(fs::absolute(options.prefix, error).lexically_normal().string())};
    return searched_kernels_directories(context.variable);
}

// The settings of a kernel that this version could not install may be beyond it; it can be removed all the
// same.
session::AuditOptions audit_options_of(const Kernelspec& kernelspec, const Context& context) {
    const auto settings = [&]() -> Result<session::AuditOptions> {
        if (kernelspec.argv.size() < 2)
            return Error("read its settings: its kernel.json has no command line");
        const auto arguments =
            TRY(read_kernel_arguments({kernelspec.argv.begin() + 2, kernelspec.argv.end()}));
        return TRY(profile::resolve(host_places(context), arguments)).options.audit;
    }();
    if (settings) return *settings;
    context.err << "warning: whether the kernel has an audit log is not known: "
                << settings.error().sentence() << "\n";
    return {};
}

Result<int> uninstall(const Options& options, const Context& context) {
    TRY(check_kernel_name(options.name));
    std::vector<std::string> found;
    for (const std::string& kernels : TRY(places(options, context))) {
        std::error_code error;
        const std::string directory = kernels + "/" + options.name;
        if (fs::exists(fs::symlink_status(directory, error))) found.push_back(directory);
    }
    if (found.empty())
        return Error("there is no kernel \"" + options.name + "\" where Jupyter looks for them")
            .with_remedy(
                "\"cellblock list\" shows those that there are; --prefix DIRECTORY names another place.");
    if (found.size() > 1) {
        std::string all;
        for (const std::string& directory : found) all += (all.empty() ? "" : ", ") + directory;
        return Error("the kernel \"" + options.name + "\" is in several places: " + all)
            .with_remedy("Say which one with --user or --prefix DIRECTORY.");
    }
    const Kernelspec kernelspec = TRY(read_kernelspec(found.front()));
    InstallRecords records = TRY(InstallRecords::open(audit_options_of(kernelspec, context), context));
    observe::Members members;
    members.text("name", options.name).text("directory", found.front()).text("python", kernelspec.python);
    TRY(remove_kernelspec(found.front(), [&] { return records.add("uninstall", members); }));
    context.out << "Removed the kernel \"" << options.name << "\" from " << found.front() << "\n";
    return 0;
}

}  // namespace

Action declare_uninstall(CLI::App& app, const Context& context) {
    app.footer("Only kernels that \"cellblock install\" made are removed.");
    auto options = std::make_shared<Options>();
    app.add_option("NAME", options->name, "name of the kernelspec")->required()->type_name("NAME");
    auto* user = app.add_flag("--user", options->user, "only this user's (default: wherever Jupyter looks)");
    app.add_option("--prefix", options->prefix, "only the one in DIRECTORY/share/jupyter")
        ->type_name("DIRECTORY")
        ->excludes(user);
    return [options, &context] { return uninstall(*options, context); };
}

}  // namespace cellblock::cli
