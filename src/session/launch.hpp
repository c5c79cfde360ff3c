// From what a user asks for (a Python, limits, what the cells may see) to what a session needs: the jail's
// plan and the worker's command line and environment.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"
#include "session/config.hpp"

namespace cellblock::session {

/// What cells see of the directory that the kernel was started in (the notebook's, with Jupyter).
enum class NotebookDir {
    none,  ///< nothing
    ro,    ///< the directory, read-only, at its own path; never a home directory as a whole
    cow,   ///< … what they write is kept apart from the host's files: `cellblock diff`, `cellblock apply`
    rw,    ///< … and carried over to the host's files at the end of each cell
};

std::string_view to_text(NotebookDir choice);
Result<NotebookDir> parse_notebook_dir(std::string_view text);

/// An absolute path that a user has named, "none" is empty. Only what looks like a profile is accepted,
/// because all of the directory is shown: a home directory given by mistake must not be.
Result<std::string> parse_ipython_profile(const std::string& text);

/// How long a cell may run by default. Long, because training a model is no attack; finite, because a
/// forgotten endless loop should end some day.
inline constexpr std::chrono::milliseconds kDefaultWallTime{std::chrono::hours(1)};

/// What one cell may show by default: a 50 MiB image fits, in base64; much more is hard on a browser.
inline constexpr Bytes kDefaultOutputLimit = 80_MiB;

/// A value that whoever starts the kernel cannot raise.
struct Bound {
    std::string flag;   ///< of the setting: "--memory"
    std::string where;  ///< "limits.memory in /project/cellblock.toml:3:10"
};

struct LaunchOptions {
    std::string python;  ///< path of the environment's interpreter
    jail::Level level = jail::Level::full;
    jail::Backend backend = jail::Backend::native;
    jail::LandlockUse landlock = jail::LandlockUse::required;
    jail::Limits limits;
    jail::Network network = jail::Network::localhost;
    std::vector<Endpoint> allowed;                           ///< of them, with Network::allow
    std::chrono::milliseconds wall_time = kDefaultWallTime;  ///< zero: none
    std::chrono::milliseconds cpu_time{0};                   ///< zero: none
    Background background = Background::keep;
    int soft_memory_percent = 90;              ///< of limits.memory; zero: none
    Bytes output_limit = kDefaultOutputLimit;  ///< zero: none
    NotebookDir notebook_dir = NotebookDir::ro;
    std::string ipython_profile;                ///< directory; empty: none
    std::vector<std::string> passed_variables;  ///< names: of the kernel process's environment
    std::vector<std::string> set_variables;     ///< "NAME=value"
    std::vector<std::string> worker_arguments;  ///< passed to IPython's configuration
    AuditOptions audit;
    std::vector<Bound> bounds;   ///< by projects, notebooks and the system's ceilings
    std::string worker_package;  ///< directory; empty: beside this binary
    std::string worker_digest;   ///< empty: of this build
};

/// How a person allows more of a limit: "reinstall the kernel with a larger --memory", or what bounds it.
std::string how_to_raise(std::span<const Bound> bounds, std::string_view flag);

/// Resolves the environment, checks paths, builds the configuration. Starts nothing.
Result<Config> make_config(const LaunchOptions& options);

/// <binary directory>/../lib/cellblock, where the worker package and the kernelspec template lie.
Result<std::string> library_directory();

}  // namespace cellblock::session
