// A file system that was mounted in a user namespace takes no files of ids which that namespace does not map
// (EOVERFLOW), root's among them: for the moment of writing, this thread acts as the jail's user.
#include "jail/home.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/beneath.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"

namespace cellblock::jail {
namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr mode_t kProgramMode = 0755;
/// Of directories in each other, below which nobody keeps what a build leaves.
constexpr int kMaxDepth = 32;

/// This thread, as the file system sees it. Threads have ids of their own (setfsuid(2)).
class FileSystemUser {
  public:
    explicit FileSystemUser(const Identity& identity) : is_other_(identity.root_mode) {
        if (!is_other_) return;
        ::setfsgid(identity.host_gid);
        ::setfsuid(identity.host_uid);
    }
    ~FileSystemUser() {
        if (!is_other_) return;
        ::setfsuid(::geteuid());
        ::setfsgid(::getegid());
    }
    FileSystemUser(const FileSystemUser&) = delete;
    FileSystemUser& operator=(const FileSystemUser&) = delete;

  private:
    const bool is_other_;
};

Result<void> check_path(const std::string& path) {
    if (is_plain_path(path)) return {};
    return Error("the path " + in_quotes(path) + " does not lead to a place below the home directory");
}

Result<void> make_directories(int home_fd, const std::string& path) {
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const std::string above = path.substr(0, slash);
        const size_t name = above.rfind('/');
        const UniqueFd parent = TRY(open_beneath(
            home_fd, name == std::string::npos ? "" : above.substr(0, name), O_PATH | O_DIRECTORY));
        const std::string last = above.substr(name + 1);
        if (::mkdirat(parent.get(), last.c_str(), kDirectoryMode) != 0) {
            if (errno == EEXIST) continue;
            return errno_error("make the directory " + printable(above));
        }
        // The umask is that of whoever called us, and none of the jail's business. Nobody can have put a link
        // in its place: nothing runs inside.
        if (::fchmodat(parent.get(), last.c_str(), kDirectoryMode, 0) != 0)
            return errno_error("set the mode of the directory " + printable(above));
    }
    return {};
}

class Taking {
  public:
    Taking(int home_fd, Bytes most, size_t max_files)
        : home_fd_(home_fd), left_(most.count), max_files_(max_files) {}

    Result<void> take(const std::string& path, int depth) {
        // Not to wait for the other end of a FIFO.
        const UniqueFd fd = TRY(open_beneath(home_fd_, path, O_RDONLY | O_NONBLOCK));
        struct stat info {};
        if (::fstat(fd.get(), &info) != 0) return errno_error("look at " + printable(path));
        if (S_ISREG(info.st_mode)) return take_file(path, fd.get(), info);
        if (!S_ISDIR(info.st_mode)) return Error(printable(path) + " is neither a file nor a directory");
        if (depth == kMaxDepth) return Error(printable(path) + " has too many directories above it");
        return take_directory(path, fd.get(), depth);
    }

    std::vector<HomeFile> files() { return std::move(files_); }

  private:
    Result<void> take_file(const std::string& path, int fd, const struct stat& info) {
        if (static_cast<uint64_t>(info.st_size) > left_) return Error(printable(path) + " is too large");
        if (files_.size() == max_files_)
            return Error("there are more than " + std::to_string(max_files_) + " files");
        HomeFile file{path, std::string(static_cast<size_t>(info.st_size), '\0'),
                      (info.st_mode & S_IXUSR) != 0};
        size_t size = 0;
        while (size < file.content.size()) {
            const ssize_t n = ::read(fd, file.content.data() + size, file.content.size() - size);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_error("read " + printable(path));
            if (n == 0) break;
            size += static_cast<size_t>(n);
        }
        file.content.resize(size);
        left_ -= size;
        files_.push_back(std::move(file));
        return {};
    }

    Result<void> take_directory(const std::string& path, int fd, int depth) {
        const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
        const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(copy), ::closedir);
        if (!directory) {
            if (copy >= 0) ::close(copy);
            return errno_error("list " + printable(path));
        }
        while (true) {
            errno = 0;
            const dirent* const entry = ::readdir(directory.get());
            if (!entry) break;
            const std::string name = static_cast<const char*>(entry->d_name);
            if (name == "." || name == "..") continue;
            // Also of directories, so that empty ones without end end, too.
            if (++entries_ > max_files_)
                return Error("there are more than " + std::to_string(max_files_) + " files");
            TRY(take(path + "/" + name, depth + 1));
        }
        if (errno != 0) return errno_error("list " + printable(path));
        return {};
    }

    const int home_fd_;
    uint64_t left_;
    const size_t max_files_;
    size_t entries_ = 0;
    std::vector<HomeFile> files_;
};

}  // namespace

Result<void> place_in_home(int home_fd, const Identity& identity, const HomeFile& file) {
    TRY(check_path(file.path));
    const FileSystemUser as_jail(identity);
    TRY(make_directories(home_fd, file.path));
    const mode_t mode = file.is_executable ? kProgramMode : kFileMode;
    const UniqueFd fd = TRY(open_beneath(home_fd, file.path, O_CREAT | O_EXCL | O_WRONLY, mode));
    if (::fchmod(fd.get(), mode) != 0) return errno_error("set the mode of " + printable(file.path));
    return sys::write_all(fd.get(), file.content);
}

Result<std::vector<HomeFile>> take_from_home(int home_fd, const std::string& path, Bytes most,
                                             size_t max_files) {
    TRY(check_path(path));
    Taking taking(home_fd, most, max_files);
    TRY(taking.take(path, 0));
    return taking.files();
}

}  // namespace cellblock::jail
