// Names are checked before they become paths.
#include "run/places.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>

#include "base/beneath.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "jail/policy/mounts.hpp"
#include "session/python_env.hpp"
#include "session/python_env_shown.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxName = 64;
constexpr size_t kMaxMountInfo = size_t{4} << 20U;

Result<void> check_target(const std::string& target) {
    const std::string slashed = target + "/";
    const bool is_plain = target.size() > 1 && target.front() == '/' && target.back() != '/' &&
                          slashed.find("//") == std::string::npos &&
                          slashed.find("/./") == std::string::npos &&
                          slashed.find("/../") == std::string::npos;
    if (!is_plain)
        return Error("show a volume at " + in_quotes(target) + ": a plain absolute path is expected")
            .with_remedy("For example --volume data:/data:ro.");
    for (const auto& row : jail::policy::base_view()) {
        const std::string path = row.path;
        const bool may_hold = row.view == jail::policy::View::scratch || path == "/home";
        const bool covers = session::is_below(path, target);
        const bool lies_in = session::is_below(target, path) && !may_hold;
        if (covers || lies_in)
            return Error("show a volume at " + in_quotes(target) + ": the jail has its own " + path +
                         " there")
                .with_remedy("Choose another place, such as /data.");
    }
    return {};
}

/// What a program could change there would be obeyed by later runs; what it could read there is others'.
Result<void> check_is_not_ours(const jail::Mount& mount, const Variables& variable) {
    for (const auto which :
         {UserDirectory::cache, UserDirectory::config, UserDirectory::data, UserDirectory::state}) {
        const auto place = user_directory(which, variable);
        if (!place) continue;  // there is none
        if (auto apart = keep_apart(mount, *place + "/cellblock", "what later runs rely on"); !apart)
            return std::move(apart).error().with_remedy("Show another directory, or use --workspace NAME.");
    }
    return {};
}

/// Of what was judged by its path: whoever writes beside it may put a link there before the jail is made.
Result<jail::Inode> inode_of(const std::string& real) {
    const UniqueFd root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
    const UniqueFd fd = TRY(open_beneath(root.get(), real.substr(1), O_PATH));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return errno_error("look at " + printable(real));
    return jail::Inode{status.st_dev, status.st_ino};
}

/// As the kernel writes paths in mountinfo.
std::string as_in_mountinfo(std::string_view path) {
    std::string out;
    for (const char c : path) {
        if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
            const auto byte = static_cast<unsigned char>(c);
            for (const unsigned shift : {6U, 3U, 0U}) {
                if (shift == 6) out += '\\';
                out += static_cast<char>('0' + (byte >> shift & 7U));
            }
        } else {
            out += c;
        }
    }
    return out;
}

/// Whether an overlay of the directory that a file lies in can show it (jail::Mount): nothing is mounted on
/// or beside it, and the jail's user may look into the directory.
bool can_be_like_a_copy(const std::string& file) {
    const std::string directory = fs::path(file).parent_path().string();
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return false;
    // Root's jails have a user of their own, who owns nothing.
    const bool is_open =
        ::geteuid() == 0 ? (status.st_mode & S_IXOTH) != 0 : ::access(directory.c_str(), X_OK) == 0;
    const auto mounts = sys::read_file("/proc/self/mountinfo", kMaxMountInfo);
    if (!is_open || !mounts) return false;
    const std::string name = as_in_mountinfo(directory);
    std::istringstream lines(*mounts);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string point;
        for (int field = 0; field < 5; ++field) words >> point;
        if (point != name && session::is_below(point, name)) return false;
    }
    return true;
}

Result<void> check_name(const std::string& name) {
    const auto is_good = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    };
    if (!name.empty() && name.size() <= kMaxName && std::isalnum(static_cast<unsigned char>(name[0])) != 0 &&
        std::all_of(name.begin(), name.end(), is_good))
        return {};
    return Error(
        "use a workspace called " + in_quotes(name) +
        ": up to 64 letters, digits, dots, underscores and hyphens are expected, a letter or digit first");
}

}  // namespace

Result<void> keep_apart(const jail::Mount& mount, const std::string& directory, const std::string& what) {
    std::error_code error;
    const std::string own = fs::weakly_canonical(directory, error).string();
    if (error) return Error("find the place of " + what + ", " + directory + ": " + error.message());
    if (session::is_below(own, mount.source) || session::is_below(mount.source, own))
        return Error("show " + in_quotes(mount.source) + ": " + what + " lies there, in " + in_quotes(own));
    return {};
}

Result<jail::Mount> parse_volume(const std::string& text, const Variables& variable) {
    const Error form = Error("read the volume " + in_quotes(text) + ": SOURCE:TARGET[:ro|rw] is expected");
    std::string rest = text;
    jail::Mount mount;
    for (const auto& [ending, access] :
         {std::pair{":ro", jail::Access::read_only}, {":rw", jail::Access::read_write}})
        if (rest.ends_with(ending)) {
            rest.resize(rest.size() - 3);
            mount.access = access;
            break;
        }
    // Targets have no colon; sources may.
    const size_t colon = rest.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == rest.size()) return form;
    mount.target = rest.substr(colon + 1);
    if (mount.target.front() != '/') return form;
    TRY(check_target(mount.target));
    const std::string source = rest.substr(0, colon);
    std::error_code error;
    mount.source = fs::canonical(source, error).string();
    if (error) return Error("show " + in_quotes(source) + " as a volume: " + error.message());
    if (!fs::is_directory(mount.source, error) && !fs::is_regular_file(mount.source, error))
        return Error("show " + in_quotes(source) + " as a volume: it is neither a directory nor a file");
    session::ShownPaths shown(session::read_host_facts().homes);
    if (auto allowed = shown.show(mount.source); !allowed)
        return std::move(allowed).error().context("show " + in_quotes(source) + " as a volume");
    if (mount.access == jail::Access::read_write) {
        if (shown.mounts().empty())
            return Error("let a program write to " + mount.source + ": it is part of the system");
        if (!fs::is_directory(mount.source, error))
            return Error("let a program write to " + mount.source + ": it is no directory")
                .with_remedy("Name the directory that it lies in.");
    }
    TRY(check_is_not_ours(mount, variable));
    if (fs::is_regular_file(mount.source, error) && can_be_like_a_copy(mount.source))
        mount.access = jail::Access::like_a_copy;
    mount.inode = TRY(inode_of(mount.source));
    return mount;
}

Result<Workspaces> Workspaces::open(const Variables& variable) {
    auto data = user_directory(UserDirectory::data, variable);
    if (!data)
        return std::move(data).error().context("find the place of workspaces").with_remedy("Set HOME.");
    return Workspaces(*data + "/cellblock/workspaces");
}

Result<jail::Mount> Workspaces::use(const std::string& name) const {
    TRY(check_name(name));
    std::error_code error;
    fs::create_directories(directory_, error);
    if (error) return Error("make the directory of workspaces " + directory_ + ": " + error.message());
    const std::string path = path_of(name);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("make the workspace " + path);
    if (!fs::is_directory(fs::symlink_status(path, error)))
        return Error("use the workspace " + path + ": it is no directory");
    return jail::Mount{fs::canonical(path, error).string(), kWorkspace, jail::Access::read_write};
}

std::vector<std::string> Workspaces::list() const {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error))
        if (check_name(entry->path().filename()) && fs::is_directory(entry->symlink_status(error)))
            names.push_back(entry->path().filename());
    std::ranges::sort(names);
    return names;
}

Result<void> Workspaces::remove(const std::string& name) const {
    TRY(check_name(name));
    std::error_code error;
    if (!fs::exists(fs::symlink_status(path_of(name), error)))
        return Error("remove the workspace " + name + ": there is none of this name")
            .with_remedy("\"cellblock run --list-workspaces\" names them.");
    fs::remove_all(path_of(name), error);  // follows no link
    if (error) return Error("remove the workspace " + path_of(name) + ": " + error.message());
    return {};
}

}  // namespace cellblock::run
