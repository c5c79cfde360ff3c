// The directories, and what a program in them must be.
#include "jail/system_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace cellblock::jail {
namespace {

// The last one is NixOS's. What is in /usr/local comes from no package of the system, and gVisor seldom does.
constexpr std::array kDirectories{"/usr/bin", "/bin",           "/usr/sbin",
                                  "/sbin",    "/usr/local/bin", "/run/current-system/sw/bin"};

bool only_root_writes(const struct stat& info) {
    return info.st_uid == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// Nobody else can exchange it either: in Debian, the group "staff" may write to /usr/local where an
/// administrator has said so.
bool is_the_systems(const std::string& directory, const std::string& path) {
    struct stat info {};
    return ::stat(directory.c_str(), &info) == 0 && only_root_writes(info) &&
           ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && only_root_writes(info) &&
           ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<std::string> find_system_program(std::string_view name) {
    std::string looked_in;
    for (const char* directory : kDirectories) {
        std::string path = std::string(directory) + "/" + std::string(name);
        if (is_the_systems(directory, path)) return path;
        looked_in += (looked_in.empty() ? "" : ", ") + std::string(directory);
    }
    return Error("find the program " + std::string(name) + ": there is none of root's in " + looked_in);
}

}  // namespace cellblock::jail
