// Programs are checked before each run: damage is to be noticed before it is executed.
#include "run/kept_program.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

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

/// What stands in place of the content of a file that is kept beside the entry.
std::string stand_in(const File& file) {
    return std::to_string(file.content.size()) + " " + std::to_string(checksum(file.content));
}

bool is_kept_beside(const File& file) {
    return file.is_executable;
}

/// Where the program that is the `index`th is kept: what it is called is the build's choice, and only written
/// in the list.
std::string kept_path(const std::string& entry, size_t index) {
    return entry + kTree + "/" + std::to_string(index);
}

bool is_whole(const std::string& path, const std::string& expected) {
    const auto fd = sys::open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    const auto size = static_cast<uint64_t>(status.st_size);
    const auto sum = checksum_of(fd->get(), size);
    return sum && std::to_string(size) + " " + std::to_string(*sum) == expected;
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
        TRY(write_new(kept_path(fresh, programs++), {file.content}, kProgramMode));
        listed.push_back({file.path, stand_in(file), true});
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
