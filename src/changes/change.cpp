// Looks at single paths.
#include "changes/change.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "changes/names.hpp"

namespace cellblock::changes {
namespace {

int64_t nanoseconds(const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::string_view to_text(Kind kind) {
    switch (kind) {
        case Kind::added:
            return "added";
        case Kind::modified:
            return "modified";
        case Kind::mode:
            return "mode";
        case Kind::deleted:
            return "deleted";
    }
    UNREACHABLE();
}

std::string_view to_text(Type type) {
    switch (type) {
        case Type::file:
            return "file";
        case Type::directory:
            return "directory";
        case Type::symlink:
            return "symlink";
        case Type::other:
            return "other";
    }
    UNREACHABLE();
}

HostState look(int directory_fd, const std::string& path) {
    HostState state;
    const auto fd = open_beneath(directory_fd, path, O_PATH);
    struct stat info {};
    if (!fd || ::fstat(fd->get(), &info) != 0) return state;
    state.exists = true;
    state.type = S_ISREG(info.st_mode)   ? Type::file
                 : S_ISDIR(info.st_mode) ? Type::directory
                 : S_ISLNK(info.st_mode) ? Type::symlink
                                         : Type::other;
    state.mode = info.st_mode & 0777U;
    state.inode = info.st_ino;
    state.size = static_cast<uint64_t>(info.st_size);
    state.mtime_ns = nanoseconds(info.st_mtim);
    state.ctime_ns = nanoseconds(info.st_ctim);
    return state;
}

bool is_unchanged(const HostState& base, const HostState& now) {
    if (base.exists && now.exists && base.type == Type::directory) return now.type == Type::directory;
    return base == now;
}

}  // namespace cellblock::changes
