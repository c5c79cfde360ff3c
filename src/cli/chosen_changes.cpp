// Sets are found in the state directory of the user who runs the command.
#include "cli/chosen_changes.hpp"

#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/sys.hpp"
#include "changes/names.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

Result<std::string> wanted_directory(const ChangesOptions& options) {
    std::error_code error;
    const fs::path path = fs::canonical(options.directory.empty() ? "." : options.directory, error);
    if (error) return Error("find the directory " + options.directory, error.value());
    return path.string();
}

}  // namespace

void declare_changes_options(CLI::App& app, ChangesOptions& options) {
    app.add_option("--directory", options.directory, "the notebook's directory (default: the current one)")
        ->type_name("DIRECTORY");
    app.add_option("--changes", options.id, "only these, by their name in \"cellblock diff --list\"")
        ->type_name("ID");
}

Result<std::vector<changes::Set>> open_changes(const ChangesOptions& options, const Context& context) {
    const std::string state = TRY(changes::state_directory(context.variable));
    std::vector<changes::Set> sets;
    if (!options.id.empty()) {
        sets.push_back(TRY(changes::Set::open(state, options.id)));
        return sets;
    }
    const std::string directory = options.everywhere ? "" : TRY(wanted_directory(options));
    for (const std::string& id : TRY(changes::list_sets(state))) {
        auto set = changes::Set::open(state, id);
        if (!set) {
            // One that cannot be read keeps nobody from the others.
            context.err << "note: " << set.error().sentence() << "\n";
            continue;
        }
        const bool wanted = options.everywhere || set->header().directory == directory;
        if (wanted && (!set->changes().empty() || !set->header().complete)) sets.push_back(*std::move(set));
    }
    return sets;
}

Result<changes::Set> open_one(const ChangesOptions& options, const Context& context) {
    auto sets = TRY(open_changes(options, context));
    if (sets.empty())
        return Error("there are no changes of cells in this directory")
            .with_remedy("\"cellblock diff --list\" shows where there are.");
    if (sets.size() == 1) return std::move(sets.front());
    std::string ids;
    for (const changes::Set& set : sets) ids += (ids.empty() ? "" : ", ") + set.id();
    return Error("several kernels have changed files in this directory: " + ids)
        .with_remedy("Choose one with --changes ID.");
}

Result<std::vector<std::string>> read_paths(const std::vector<std::string>& typed,
                                            const std::string& directory) {
    std::vector<std::string> paths;
    for (const std::string& text : typed) {
        fs::path path = fs::path(text).lexically_normal();
        if (path.is_absolute()) path = path.lexically_relative(directory);
        std::string plain = path.string();
        while (plain.ends_with('/')) plain.pop_back();
        if (!changes::is_plain_path(plain))
            return Error("\"" + changes::printable(text) + "\" does not lie in " +
                         changes::printable(directory));
        paths.push_back(std::move(plain));
    }
    return paths;
}

Result<UniqueFd> open_directory(const changes::Set& set) {
    // Its real path was written down. A link on the way has been put there since, perhaps by a user into
    // whose directory root applies: what the cells wrote would go to wherever that user wants.
    return changes::open_real_directory(set.header().directory);
}

}  // namespace cellblock::cli
