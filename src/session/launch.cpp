// Paths are resolved and checked here; the jail mounts them as they are.
#include "session/launch.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/installation.hpp"
#include "base/printable.hpp"
#include "base/user_directories.hpp"
#include "base/words.hpp"
#include "build_info.hpp"
#include "jail/policy/mounts.hpp"
#include "session/environment.hpp"
#include "session/python_env.hpp"
#include "session/python_env_shown.hpp"

namespace cellblock::session {
namespace {

namespace fs = std::filesystem;

// The jail's own places (see the jail's mount table).
constexpr std::string_view kHome = "/home/cell";
constexpr std::string_view kShownProfile = "/home/cell/.ipython-profile";

// Hidden directories of a home hold keys and settings; notebooks do not live there.
bool is_hidden(const fs::path& directory, const std::vector<std::string>& homes) {
    for (const std::string& home : homes) {
        if (!is_below(directory.string(), home)) continue;
        for (const fs::path& part : directory.lexically_relative(home))
            if (part.string().starts_with(".") && part != ".") return true;
    }
    return false;
}

// Root's jail has a user of its own, to whom a private directory of root's is closed.
bool is_closed_to_cells(const std::string& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return true;
    constexpr mode_t kOpenToAll = S_IROTH | S_IXOTH;
    return ::geteuid() == 0 && (status.st_mode & kOpenToAll) != kOpenToAll;
}

struct NotebookDirWord {
    NotebookDir choice;
    std::string_view word;
};
constexpr std::array kNotebookDirWords{
    NotebookDirWord{NotebookDir::none, "none"}, NotebookDirWord{NotebookDir::ro, "ro"},
    NotebookDirWord{NotebookDir::cow, "cow"}, NotebookDirWord{NotebookDir::rw, "rw"}};

bool takes_writes(NotebookDir choice) {
    return choice == NotebookDir::cow || choice == NotebookDir::rw;
}

/// What cells see at the current directory: "" when it is not shown.
Result<std::string> shown_notebook_dir(NotebookDir choice) {
    std::error_code error;
    const fs::path here = fs::current_path(error);
    if (error) return Error("find the current directory: " + error.message());
    const std::vector<std::string> homes = read_host_facts().homes;
    if (is_hidden(here, homes))
        return Error("show " + here.string() + ": hidden directories of a home hold keys and settings");
    // Cells that may change a directory act as its owner; others could not even enter.
    if (!takes_writes(choice) && is_closed_to_cells(here))
        return Error("show " + here.string() + ": cells run as another user, who may not read it");
    ShownPaths shown(homes);
    TRY(shown.show(here));
    if (takes_writes(choice) && shown.mounts() != std::vector<std::string>{here})
        return Error("let cells change " + here.string() +
                     ": it is part of the system, which every jail shows");
    return here.string();
}

Result<std::string> place_notebook_dir(NotebookDir choice, jail::Plan& plan) {
    if (choice == NotebookDir::none) return std::string(kHome);
    auto here = shown_notebook_dir(choice);
    if (!here && takes_writes(choice))
        // Elsewhere, what cells write would be lost with the kernel.
        return std::move(here).error().with_remedy(
            "Start Jupyter in, or put the notebook into, a directory of its own; or choose --notebook-dir "
            "ro.");
    // What would show a home directory as a whole, or parts of the system, is simply not shown.
    if (!here) return std::string(kHome);
    const auto access = takes_writes(choice) ? jail::Access::copy_on_write : jail::Access::read_only;
    plan.mounts.push_back({*here, *here, access});
    // An environment in it lies above it, and stays read-only.
    std::ranges::stable_sort(plan.mounts, {}, &jail::Mount::target);
    return here;
}

Result<ChangedFiles::Options> keep_changes(const LaunchOptions& options, const std::string& directory) {
    const std::string state = TRY(changes::state_directory(environment_variable));
    std::error_code error;
    const std::string real = fs::weakly_canonical(state, error).string();
    // A cell could write lists of changes there, for "cellblock apply" to obey in another directory.
    if (error || is_below(real, directory) || is_below(directory, real))
        return Error("let cells change " + directory + ": what they change would be kept in it, in " + state)
            .with_remedy("Set XDG_STATE_HOME to a directory elsewhere.");
    return ChangedFiles::Options{{state, directory, options.limits.scratch},
                                 options.notebook_dir == NotebookDir::rw};
}

}  // namespace

std::string_view to_text(NotebookDir choice) {
    for (const NotebookDirWord& row : kNotebookDirWords)
        if (row.choice == choice) return row.word;
    UNREACHABLE();
}

std::string how_to_raise(std::span<const Bound> bounds, std::string_view flag) {
    const auto bound = std::ranges::find_if(bounds, [&](const Bound& known) { return known.flag == flag; });
    if (bound == bounds.end()) return "reinstall the kernel with a larger " + std::string(flag);
    // Reinstalling would be in vain.
    return "change " + bound->where + ", which holds whatever the kernel is installed with";
}

Result<NotebookDir> parse_notebook_dir(std::string_view text) {
    return kNotebookDirWords.at(TRY(find_row(text, kNotebookDirWords, &NotebookDirWord::word))).choice;
}

Result<std::string> parse_ipython_profile(const std::string& text) {
    if (text == "none") return std::string();
    std::error_code error;
    const fs::path path = text;
    if (!path.is_absolute())
        return Error("show the IPython profile " + in_quotes(text) + ": an absolute path is expected");
    const fs::path profile = fs::canonical(path, error);
    if (error) return Error("show the IPython profile " + text + ": " + error.message());
    // A home directory that happens to hold a directory "startup" is none.
    if (auto shown = ShownPaths(read_host_facts().homes).show(profile); !shown)
        return std::move(shown).error().context("show the IPython profile " + text);
    for (const char* sign : {"ipython_config.py", "ipython_kernel_config.py", "startup"})
        if (fs::exists(profile / sign, error)) return profile.string();
    return Error("show the IPython profile " + text +
                 ": it is no profile of IPython, having neither ipython_config.py nor startup")
        .with_remedy(
            "Name a directory such as ~/.ipython/profile_default; \"ipython profile create\" makes one.");
}

namespace {

// What IPython keeps in a profile for itself: the history of all its sessions on the host, keys of clusters.
// Cells read whatever is shown.
bool is_private(const std::string& entry) {
    constexpr std::array kPrivate{"db", "log", "pid", "security"};
    return entry.starts_with("history") || std::ranges::find(kPrivate, entry) != kPrivate.end();
}

// Entry by entry. Symlinks are left out: where they lead is not part of what the user has named.
Result<void> show_ipython_profile(const std::string& profile, jail::Plan& plan) {
    if (is_closed_to_cells(profile))
        return Error("show the IPython profile " + profile +
                     " to cells: they run as another user, who may not read it")
            .with_remedy("Run: chmod -R o+rX " + profile);
    std::error_code error;
    std::vector<std::string> entries;
    for (fs::directory_iterator at(profile, error), end; !error && at != end; at.increment(error)) {
        const auto type = at->symlink_status(error).type();
        if ((type == fs::file_type::regular || type == fs::file_type::directory) &&
            !is_private(at->path().filename()))
            entries.push_back(at->path().filename());
    }
    if (error) return Error("read the IPython profile " + profile + ": " + error.message());
    if (entries.empty())
        return Error("show the IPython profile " + profile +
                     " to cells: it has nothing but symbolic links and private files")
            .with_remedy("Copy what the links lead to into the profile.");
    std::ranges::sort(entries);
    for (const std::string& entry : entries)
        plan.mounts.push_back({profile + "/" + entry, std::string(kShownProfile) + "/" + entry});
    return {};
}

// Cells may neither read what others did nor find the key.
Result<void> check_hidden(const std::string& directory, const jail::Plan& plan) {
    std::error_code error;
    const std::string whole = fs::weakly_canonical(directory, error).string();
    if (error) return Error("find the place of the audit log " + directory + ": " + error.message());
    std::vector<std::string> shown;
    for (const auto& row : jail::policy::base_view())
        if (row.view == jail::policy::View::host_tree) shown.emplace_back(row.path);
    for (const auto& mount : plan.mounts) shown.push_back(mount.source);
    for (const std::string& tree : shown)
        if (is_below(whole, tree))
            return Error("keep the audit log in " + directory + ": cells can see " + tree)
                .with_remedy("Name another directory with audit.path.");
    return {};
}

Result<AuditConfig> place_audit_log(const LaunchOptions& options, const PythonEnvironment& python,
                                    const jail::Plan& plan) {
    AuditConfig audit = TRY(make_audit_config(options.audit));
    TRY(check_hidden(audit.trail.log.directory, plan));
    TRY(check_hidden(audit.trail.log.keys_directory, plan));
    audit.level = jail::to_text(options.level);
    audit.backend = jail::to_text(options.backend);
    audit.network = jail::to_text(plan.network);
    for (const Endpoint& endpoint : plan.allowed)
        audit.allowed += (audit.allowed.empty() ? "" : " ") + to_text(endpoint);
    audit.python = python.interpreter;
    audit.environment = environment_digest(python);
    return audit;
}

}  // namespace

Result<std::string> library_directory() {
    return TRY(installation_root()) + "/lib/cellblock";
}

Result<Config> make_config(const LaunchOptions& options) {
    const PythonEnvironment python = TRY(resolve_python(options.python));
    TRY(require_ipython(python));
    std::string package = options.worker_package;
    if (package.empty()) package = TRY(library_directory()) + "/cellblock_worker";
    if (!fs::exists(fs::path(package) / "__main__.py"))
        return Error("find the worker package in " + package).with_remedy("Reinstall Cellblock.");

    Config config;
    config.worker_digest = options.worker_digest.empty() ? kWorkerDigest : options.worker_digest;
    config.wall_time = options.wall_time;
    config.cpu_time = options.cpu_time;
    config.background = options.background;
    config.output_limit = options.output_limit;
    config.how_to_raise = [bounds = options.bounds](std::string_view option) {
        return how_to_raise(bounds, option);
    };
    config.plan.backend = options.backend;
    config.plan.level = options.level;
    config.plan.limits = options.limits;
    config.plan.limits.soft_memory = {options.limits.memory.count / 100 *
                                      static_cast<uint64_t>(options.soft_memory_percent)};
    config.plan.name = "cellblock";
    config.plan.network = options.network;
    if (options.network == jail::Network::allow) config.plan.allowed = options.allowed;
    for (const std::string& directory : python.mounts) config.plan.mounts.push_back({directory, directory});
    config.plan.mounts.push_back({package, package});

    config.command.argv = {python.interpreter, "-I", package};
    if (!options.ipython_profile.empty()) {
        TRY(show_ipython_profile(options.ipython_profile, config.plan));
        config.command.argv.push_back("--profile-dir=" + std::string(kShownProfile));
    }
    config.command.argv.insert(config.command.argv.end(), options.worker_arguments.begin(),
                               options.worker_arguments.end());
    config.command.environment = worker_environment(
        python, options, [](const char* name) -> const char* { return std::getenv(name); });
    config.plan.landlock = options.landlock;
    config.command.working_directory = TRY(place_notebook_dir(options.notebook_dir, config.plan));
    if (takes_writes(options.notebook_dir))
        config.changed_files = TRY(keep_changes(options, config.command.working_directory));
    if (options.notebook_dir == NotebookDir::ro && config.command.working_directory != kHome)
        config.write_beside_hint =
            "cells see the notebook's directory read-only. They can write to /tmp and to their home "
            "directory; to let "
            "them write beside the notebook, reinstall the kernel with --notebook-dir cow (kept apart until "
            "\"cellblock apply\") or rw";
    if (!options.audit.path.empty()) config.audit = TRY(place_audit_log(options, python, config.plan));
    return config;
}

}  // namespace cellblock::session
