// `cellblock uninstall`: removes a kernelspec of ours.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/commands.hpp"
#include "cli/jupyter_paths.hpp"
#include "cli/kernelspec.hpp"

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
    TRY(remove_kernelspec(found.front()));
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
