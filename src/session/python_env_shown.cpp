// Mounts are by name, symlinks are not: a path whose way leads over a symlink that the jail does not show
// needs a mount at the name where the way breaks off.
#include "session/python_env_shown.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

namespace cellblock::session {
namespace {

namespace fs = std::filesystem;

/// As many symlinks as Linux follows in one path (path_resolution(7)).
constexpr int kMaxSymlinks = 40;

/// What every jail shows; see the mounts of src/jail/policy.
constexpr std::array<std::string_view, 8> kBaseSystem{"/usr",   "/bin",   "/sbin",   "/lib",
                                                      "/lib32", "/lib64", "/libx32", "/etc/alternatives"};

struct Refusal {
    std::string_view directory;
    bool with_children;
    std::string_view reason;
};

// clang-format off
constexpr std::array kRefused{
    Refusal{"/",      false, "it is the whole file system"},
    Refusal{"/proc",  true,  "the jail has its own /proc"},
    Refusal{"/sys",   true,  "it shows the host's hardware and cgroups"},
    Refusal{"/dev",   true,  "the jail has its own /dev"},
    Refusal{"/etc",   false, "it holds the host's configuration"},
    Refusal{"/run",   false, "it holds sockets of the host's services"},
    Refusal{"/boot",  false, "it holds the host's kernel"},
    Refusal{"/var",   false, "it holds data of the host's services"},
    Refusal{"/home",  false, "it holds people's home directories"},
    Refusal{"/media", false, "it holds other file systems"},
    Refusal{"/mnt",   false, "it holds other file systems"},
    Refusal{"/opt",   false, "it holds other software"},
    Refusal{"/srv",   false, "it holds data of the host's services"},
    Refusal{"/tmp",   false, "it holds files of other programs"},
    Refusal{"/var/tmp", false, "it holds files of other programs"},
};
// clang-format on

/// A path walked until its end or its first symlink.
struct Walk {
    std::string reached;  // without symlinks, "." and ".."
    bool at_symlink = false;
    std::string rest;      // what follows the symlink
    std::string leads_to;  // where the symlink sends the walk
};

Walk walk(const std::string& path) {
    Walk result;
    fs::path reached = "/";
    std::error_code error;
    const fs::path whole(path);
    for (auto part = whole.begin(); part != whole.end() && !result.at_symlink; ++part) {
        if (*part == "/" || part->empty() || *part == ".") continue;
        // Correct by name because nothing before this was a symlink.
        if (*part == "..") {
            reached = reached.parent_path();
            continue;
        }
        const fs::path parent = reached;
        reached /= *part;
        if (!fs::is_symlink(reached, error)) continue;
        result.at_symlink = true;
        fs::path rest;
        for (auto after = std::next(part); after != whole.end(); ++after) rest /= *after;
        result.rest = rest.string();
        const fs::path target = parent / fs::read_symlink(reached, error);
        result.leads_to = (rest.empty() ? target : target / rest).string();
    }
    result.reached = reached.string();
    return result;
}

bool in_base_system(std::string_view path) {
    return std::any_of(kBaseSystem.begin(), kBaseSystem.end(),
                       [&](std::string_view directory) { return is_below(path, directory); });
}

/// By identity, so that other names of a directory (bind mounts) make no difference.
bool contains(const std::string& directory, const std::string& other) {
    if (is_below(other, directory)) return true;
    struct stat wanted {};
    if (::stat(directory.c_str(), &wanted) != 0) return false;
    for (fs::path above = other; above != above.root_path(); above = above.parent_path()) {
        struct stat found {};
        if (::stat(above.c_str(), &found) == 0 && found.st_dev == wanted.st_dev &&
            found.st_ino == wanted.st_ino)
            return true;
    }
    return false;
}

}  // namespace

bool is_below(std::string_view path, std::string_view directory) {
    if (directory == "/") return true;
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

bool ShownPaths::covers(std::string_view path) const {
    return in_base_system(path) || std::any_of(paths_.begin(), paths_.end(), [&](const std::string& shown) {
               return is_below(path, shown);
           });
}

bool ShownPaths::shows(const std::string& path) const {
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    return !error && covers(real.string());
}

bool ShownPaths::resolves(const std::string& path) const {
    return first_hidden_name(path).empty();
}

// Follows `path` as the jail would, and returns the name at which it finds nothing; empty when it arrives.
std::string ShownPaths::first_hidden_name(const std::string& path) const {
    std::string current = path;
    for (int followed = 0; followed < kMaxSymlinks; ++followed) {
        const Walk step = walk(current);
        if (!covers(step.reached))
            return step.rest.empty() ? step.reached
                                     : (fs::path(step.reached) / step.rest).lexically_normal().string();
        if (!step.at_symlink) return "";
        current = step.leads_to;
    }
    return current;
}

Result<void> ShownPaths::show(const std::string& path) {
    std::error_code error;
    const std::string real = fs::canonical(path, error).string();
    if (error) return Error("find " + path, error.value());
    const bool is_directory = fs::is_directory(real, error);
    if (!covers(real)) {
        if (is_directory) TRY(check(real));
        paths_.push_back(real);
    }
    if (std::string name = first_hidden_name(path); !name.empty()) {
        if (is_directory) TRY(check(name));
        paths_.push_back(std::move(name));
    }
    return {};
}

Result<void> ShownPaths::check(const std::string& directory) const {
    for (const Refusal& row : kRefused)
        if (directory == row.directory || (row.with_children && is_below(directory, row.directory)))
            return Error("the jail would have to show all of " + directory + ", and " +
                         std::string(row.reason));
    for (const std::string& home : homes_)
        if (contains(directory, home))
            return Error("the jail would have to show all of " + directory + ", which " +
                         (home == directory ? "is" : "contains") + " somebody's home directory" +
                         (home == directory ? "" : " (" + home + ")"));
    // Homes of a directory service are not in the list; by custom they lie here.
    if (fs::path(directory).parent_path() == "/home")
        return Error("the jail would have to show all of " + directory +
                     ", which is somebody's home directory");
    return {};
}

std::vector<std::string> ShownPaths::mounts() const {
    std::vector<std::string> sorted = paths_;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::string> result;
    for (const std::string& path : sorted)
        // An ancestor sorts before what lies below it.
        if (std::none_of(result.begin(), result.end(),
                         [&](const std::string& above) { return is_below(path, above); }))
            result.push_back(path);
    return result;
}

}  // namespace cellblock::session
