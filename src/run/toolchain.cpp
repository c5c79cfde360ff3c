// Searches and identities.
#include "run/toolchain.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "base/sys.hpp"
#include "jail/jail.hpp"
#include "session/python_env_shown.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;

/// Versions of one toolchain that are looked at.
constexpr size_t kMaxVersions = 256;

std::string expanded(const Search& search, std::string_view directory) {
    if (!directory.starts_with("~/")) return std::string(directory);
    return search.home.empty() ? "" : search.home + std::string(directory.substr(1));
}

/// The directories that a pattern with at most one "*" stands for, later versions first.
std::vector<std::string> matches(const std::string& pattern) {
    const size_t star = pattern.find('*');
    if (star == std::string::npos) return {pattern};
    const size_t from = pattern.rfind('/', star) + 1;
    const size_t to = std::min(pattern.find('/', star), pattern.size());
    const std::string above = pattern.substr(0, from);
    const std::string prefix = pattern.substr(from, star - from);
    const std::string suffix = pattern.substr(star + 1, to - star - 1);
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(above, error), end;
         !error && entry != end && names.size() < kMaxVersions; entry.increment(error)) {
        std::string name = entry->path().filename().string();
        if (name.size() >= prefix.size() + suffix.size() && name.starts_with(prefix) &&
            name.ends_with(suffix))
            names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end(),
              [](const std::string& a, const std::string& b) { return is_earlier_version(b, a); });
    for (std::string& name : names) name = above + name + pattern.substr(to);
    return names;
}

bool is_program(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || ::access(path.c_str(), X_OK) != 0)
        return false;
    const auto fd = sys::open(path, O_RDONLY);
    char start[4] = {};
    return fd.ok() && ::pread(fd->get(), start, sizeof start, 0) == sizeof start &&
           std::string_view(start, sizeof start) == "\177ELF";
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::vector<FoundProgram> find_programs(const Search& search, std::string_view name,
                                        std::span<const std::string_view> well_known) {
    std::vector<std::string> directories = search.path;
    for (const std::string_view directory : well_known)
        if (const std::string pattern = expanded(search, directory); !pattern.empty())
            for (std::string& match : matches(pattern)) directories.push_back(std::move(match));
    std::vector<FoundProgram> found;
    for (const std::string& directory : directories) {
        if (!directory.starts_with('/')) continue;  // relative to wherever we are: no place to execute from
        std::string path = directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
        if (!is_program(path)) continue;
        std::error_code error;
        const fs::path real = fs::canonical(path, error);
        if (!error) found.push_back({std::move(path), real.string()});
    }
    return found;
}

Error no_toolchain(const Search& search, std::string_view what, std::span<const std::string_view> well_known,
                   std::string_view how_to_get_it) {
    std::string places;
    for (const std::string& directory : search.path) places += (places.empty() ? "" : ", ") + directory;
    for (const std::string_view directory : well_known)
        places += (places.empty() ? "" : ", ") + std::string(directory);
    return Error("find " + std::string(what) + ": it is in none of " +
                 (places.empty() ? "no places" : places))
        .with_remedy(std::string(how_to_get_it));
}

std::string identity_of(std::span<const std::string> paths) {
    std::string id;
    for (const std::string& path : paths) {
        id += path;
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) {
            id += " absent\n";
            continue;
        }
        for (const auto number :
             {static_cast<int64_t>(status.st_size), static_cast<int64_t>(status.st_mtim.tv_sec),
              static_cast<int64_t>(status.st_mtim.tv_nsec), static_cast<int64_t>(status.st_ctim.tv_sec),
              static_cast<int64_t>(status.st_ctim.tv_nsec), static_cast<int64_t>(status.st_ino),
              static_cast<int64_t>(status.st_dev)})
            id += " " + std::to_string(number);
        id += "\n";
    }
    return id;
}

Result<std::vector<jail::Mount>> show_in_place(const Search& search, std::span<const std::string> paths) {
    std::vector<std::string> homes;
    if (!search.home.empty()) homes.push_back(search.home);
    session::ShownPaths shown(std::move(homes));
    for (const std::string& path : paths) TRY(shown.show(path));
    std::vector<jail::Mount> mounts;
    for (const std::string& path : shown.mounts()) mounts.push_back({path, path});
    return mounts;
}

bool is_earlier_version(std::string_view a, std::string_view b) {
    size_t i = 0;
    size_t j = 0;
    while (i < a.size() && j < b.size()) {
        if (!is_digit(a[i]) || !is_digit(b[j])) {
            if (a[i] != b[j]) return a[i] < b[j];
            ++i, ++j;
            continue;
        }
        const auto number = [](std::string_view text, size_t& at) {
            const size_t from = std::min(text.find_first_not_of('0', at), text.size());
            at = from;
            while (at < text.size() && is_digit(text[at])) ++at;
            return text.substr(from, at - from);
        };
        const std::string_view first = number(a, i);
        const std::string_view second = number(b, j);
        if (first.size() != second.size()) return first.size() < second.size();
        if (first != second) return first < second;
    }
    return i == a.size() && j < b.size();
}

const File* file_of(const Program& program, std::string_view path) {
    const auto found =
        std::ranges::find_if(program.files, [&](const File& file) { return file.path == path; });
    return found == program.files.end() ? nullptr : &*found;
}

std::vector<std::string> paths_with_suffix(const Program& program, std::string_view suffix) {
    std::vector<std::string> paths;
    for (const File& file : program.files)
        if (file.path.ends_with(suffix)) paths.push_back(file.path);
    return paths;
}

std::vector<std::string> as_arguments(std::vector<std::string> paths) {
    for (std::string& path : paths)
        if (path.starts_with('-') || path.starts_with('@')) path.insert(0, "./");
    return paths;
}

std::string inside(std::string_view path) {
    return std::string(jail::kHome) + "/" + std::string(path);
}

}  // namespace cellblock::run
