// Where the values of settings come from, and who may say what (docs/adr/0011). Those whose machine or kernel
// it is say what holds: system, user, arguments of the kernel, the later over the earlier, within the
// system's ceilings. Projects and notebooks come from anybody: they can only tighten.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/user_directories.hpp"
#include "profile/settings.hpp"

namespace cellblock::profile {

inline constexpr const char* kFileName = "cellblock.toml";
inline constexpr const char* kSystemDirectory = "/etc/cellblock";
/// Directories above the kernel's that are looked at for a project's file.
inline constexpr int kMaxProjectLevels = 32;
/// Profiles that start from one another.
inline constexpr int kMaxBases = 8;
/// Notebooks larger than this are not looked into, which is said.
inline constexpr size_t kMaxNotebook = 64UL << 20U;

/// Where to look.
struct Places {
    std::string system = kSystemDirectory;  ///< a directory with cellblock.toml and profiles/NAME.toml
    uid_t system_owner = 0;                 ///< whose its files have to be
    std::string user;                       ///< such a directory; empty: none
    std::string project;   ///< directory in which the kernel starts; empty: no project's file
    std::string home;      ///< no project lies above it; may be empty
    std::string notebook;  ///< path, as in JPY_SESSION_NAME; empty: none
};

/// Those of this process: $XDG_CONFIG_HOME or ~/.config, the working directory, $JPY_SESSION_NAME.
Places places_of(const Variables& variable);

/// What the command line says.
struct Arguments {
    std::string profile;                                           ///< name or path; empty: none was named
    std::vector<std::pair<const Setting*, std::string>> settings;  ///< have been checked
};

/// One setting as it will hold.
struct Line {
    const Setting* setting;
    std::string value;
    std::string origin;  ///< "default", "profile strict", "--memory", "/etc/cellblock/cellblock.toml:3:10"
};

struct Effective {
    session::LaunchOptions options;  ///< settings only
    std::string profile;             ///< the one named last, else "default"
    std::string digest;              ///< "sha256:…" over all settings as they hold
    std::vector<Line> lines;         ///< in the order of the table
    std::vector<std::string> notes;  ///< sentences: what was asked for and is not obeyed, and why
};

/// Reads all layers. Anything that is there and cannot be read, or not understood, is an error: it may have
/// been meant to tighten.
Result<Effective> resolve(const Places& places, const Arguments& arguments);

/// Names of all profiles that could be chosen: shipped, the system's, the user's.
std::vector<std::string> profile_names(const Places& places);
/// The text of a shipped profile, with its reasons; empty when there is none of this name.
std::string shipped_profile(const std::string& name);

}  // namespace cellblock::profile
