// Looked at first (O_PATH opens nothing), then opened through that very descriptor: no time for an exchange.
#include "profile/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/bytes.hpp"
#include "base/sys.hpp"

namespace cellblock::profile {
namespace {

Result<void> check_owner(const struct stat& info, const std::string& path, Trust trust, uid_t owner) {
    if (trust == Trust::stranger) return {};
    const bool own =
        trust == Trust::system ? info.st_uid == owner : info.st_uid == 0 || info.st_uid == ::geteuid();
    if (!own)
        return Error("read " + path + ": it belongs to another user, who could loosen the jail")
            .with_remedy(trust == Trust::system ? "Run: sudo chown root " + path
                                                : "Make a copy of your own.");
    const mode_t writable = trust == Trust::system ? S_IWGRP | S_IWOTH : S_IWOTH;
    if ((info.st_mode & writable) != 0)
        return Error("read " + path + ": others may write to it, and so could loosen the jail")
            .with_remedy("Run: chmod go-w " + path);
    return {};
}

}  // namespace

Result<std::optional<std::string>> read_if_present(const std::string& path, Trust trust, size_t max_size,
                                                   uid_t owner) {
    const int follow = trust == Trust::stranger ? O_NOFOLLOW : 0;
    const auto found = sys::open(path, O_PATH | follow);
    if (!found) {
        if (found.error().error_number() == ENOENT) {
            // A link that leads nowhere is not "no file": somebody meant there to be one.
            struct stat link {};
            if (::lstat(path.c_str(), &link) == 0)
                return Error("read " + path + ": it is a symbolic link that leads nowhere");
            return std::optional<std::string>();
        }
        if (found.error().error_number() == ENOTDIR) return std::optional<std::string>();
        return Error("read " + path, found.error().error_number());
    }
    struct stat info {};
    if (::fstat(found->get(), &info) != 0) return errno_error("look at " + path);
    if (S_ISLNK(info.st_mode))
        return Error("read " + path + ": it is a symbolic link, which a project's file cannot be")
            .with_remedy("Replace it with a copy of what it leads to.");
    if (!S_ISREG(info.st_mode)) return Error("read " + path + ": it is no regular file");
    TRY(check_owner(info, path, trust, owner));
    if (static_cast<uint64_t>(info.st_size) > max_size)
        return Error("read " + path + ": it has more than " + to_text(Bytes{max_size}), EFBIG);
    auto text = sys::read_file("/proc/self/fd/" + std::to_string(found->get()), max_size);
    if (!text) return Error("read " + path, text.error().error_number());
    return std::optional(*std::move(text));
}

}  // namespace cellblock::profile
