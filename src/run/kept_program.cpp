// Programs are checked before each run: damage is to be noticed before it is executed. Reading one takes
// longer than the short ones run, so what was changed by nobody is not read: its change time would tell,
// which nobody can set back (inode(7)).
#include "run/kept_program.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>

#include "base/beneath.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "run/entry.hpp"

namespace cellblock::run {
namespace {

/// The list of files, with the content of those that are not shown.
constexpr const char* kFiles = "/files";
/// Jails have another user, who may do no more.
constexpr mode_t kProgramMode = 0555;
constexpr mode_t kTreeMode = 0755;
/// A build has one program. What leaves more has left a directory of its own making.
constexpr size_t kMaxShownPrograms = 16;

/// A file that was changed so lately may be changed again without another change time: kernels count it in
/// ticks.
constexpr std::chrono::seconds kLately{2};

std::string content_text(uint64_t size, uint64_t sum) {
    return std::to_string(size) + " " + std::to_string(sum);
}

/// The same as long as nobody changes or replaces the file.
std::string identity_text(const struct stat& status) {
    return std::to_string(status.st_ino) + " " + std::to_string(status.st_ctim.tv_sec) + "." +
           std::to_string(status.st_ctim.tv_nsec);
}

/// What stands in place of the content of a file that is kept beside the entry, at `path`.
Result<std::string> stand_in(const File& file, const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return errno_error("look at " + path);
    return content_text(file.content.size(), checksum(file.content)) + "\n" + identity_text(status);
}

bool is_kept_beside(const File& file) {
    return file.is_executable;
}

/// Where the program that is the `index`th is kept: what it is called is the build's choice, and only written
/// in the list.
std::string kept_path(const std::string& entry, size_t index) {
    return entry + kTree + "/" + std::to_string(index);
}

bool was_changed_lately(const struct stat& status) {
    const std::chrono::seconds changed{status.st_ctim.tv_sec};
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return now < changed || now - changed < kLately;
}

/// Whether the file at `path` is what `expected` stands in for.
bool is_whole(const std::string& path, std::string_view expected) {
    const auto fd = sys::open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    const size_t line = std::min(expected.find('\n'), expected.size());
    if (!was_changed_lately(status) && expected.substr(line) == "\n" + identity_text(status)) return true;
    // A copy of the cache has other files.
    const auto size = static_cast<uint64_t>(status.st_size);
    const auto sum = checksum_of(fd->get(), size);
    return sum && content_text(size, *sum) == expected.substr(0, line);
}

}  // namespace

Result<void> write_program(const std::string& fresh, const std::string& key, std::span<const File> files) {
    uint64_t total = 0;
    size_t programs = 0;
    std::vector<File> listed;
    // A jail's user is another one, and what the umask says is about other things.
    if (::mkdir((fresh + kTree).c_str(), kTreeMode) != 0 || ::chmod((fresh + kTree).c_str(), kTreeMode) != 0)
        return errno_error("make the directory " + fresh + kTree);
    for (const File& file : files) {
        total += file.content.size();
        if (!is_kept_beside(file)) {
            listed.push_back(file);
            continue;
        }
        if (!is_plain_path(file.path)) return Error("the path " + in_quotes(file.path) + " leads elsewhere");
        if (programs == kMaxShownPrograms)
            return Error("keep a build of more than " + std::to_string(kMaxShownPrograms) + " programs");
        const std::string path = kept_path(fresh, programs++);
        TRY(write_new(path, {file.content}, kProgramMode));
        listed.push_back({file.path, TRY(stand_in(file, path)), true});
    }
    if (total > kMaxStoreEntry.count)
        return Error("keep an entry of " + to_text(Bytes{total}) + ": it may have " +
                     to_text(kMaxStoreEntry));
    TRY(write_entry(fresh + kFiles, kPrograms, key, pack(listed)));
    return write_new(fresh + kSize, {std::to_string(total)});
}

std::optional<KeptProgram> read_program(const std::string& entry, UniqueFd lock, const std::string& key) {
    KeptProgram program;
    const auto bytes = read_entry(entry + kFiles, kPrograms, key);
    auto files = bytes ? unpack(*bytes) : Error("");
    struct statvfs file_system {};
    if (!files || ::fstatvfs(lock.get(), &file_system) != 0) return std::nullopt;
    // What is shown is executed where it lies; where that is not allowed, copies are.
    const bool is_shown = (file_system.f_flag & ST_NOEXEC) == 0;
    size_t programs = 0;
    for (File& file : *files) {
        if (!is_kept_beside(file)) {
            program.files.push_back(std::move(file));
            continue;
        }
        const std::string path = kept_path(entry, programs++);
        if (programs > kMaxShownPrograms || !is_plain_path(file.path) || !is_whole(path, file.content))
            return std::nullopt;
        if (is_shown) {
            program.programs.push_back({path, file.path});
            continue;
        }
        auto content = sys::read_file(path, kMaxStoreEntry.count);
        if (!content) return std::nullopt;
        program.files.push_back({std::move(file.path), *std::move(content), true});
    }
    program.use = std::move(lock);
    return program;
}

}  // namespace cellblock::run
