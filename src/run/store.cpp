// The directory: RESULTS/KEY is a file (entry.hpp), PROGRAMS/KEY and PREPARED/KEY are directories with `tree`
// (what jails are shown), `size` and, of programs, `files`, of preparations `whole`. New things have names
// that begin with a dot until they are whole, and are locked by who makes them. Times of modification are
// times of use.
#include "run/store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "base/check.hpp"
#include "base/hex.hpp"
#include "base/sys.hpp"
#include "build_info.hpp"
#include "observe/hash.hpp"
#include "run/entry.hpp"
#include "run/kept_program.hpp"
#include "run/sealed_tree.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;

constexpr const char* kResults = "results";
constexpr const char* kPreparedDirectory = "prepared";
constexpr const char* kPreparing = "preparing.lock";
/// What somebody left unfinished so long ago, and does not hold, is not going to be finished. Between being
/// made and being held nothing takes that long.
constexpr time_t kAbandoned = 60;
/// A time of use so far in the future is none: a clock was wrong. Those of other machines may be a little.
constexpr time_t kMostAhead = 24 * 3600;
/// Between two looks at whether somebody else has finished a preparation, and how long to go on looking.
constexpr std::chrono::milliseconds kPreparationPause{20};
constexpr std::chrono::minutes kPreparationWait{15};
constexpr size_t kMaxSizeText = 32;
/// Of a preparation: its fingerprint when it was sealed.
constexpr const char* kWhole = "/whole";
constexpr size_t kMaxFingerprint = 128;

bool is_key(std::string_view name) {
    return name.size() == 64 && name.find_first_not_of(kHexDigits) == std::string_view::npos;
}

void touch(int fd) {
    ::futimens(fd, nullptr);  // a failure makes it look less recently used
}

Result<void> make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("make the directory " + path);
    return {};
}

/// Others who could write here could have programs of theirs run as the user's.
Result<void> check_owner(const std::string& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return errno_error("look at " + directory);
    if (!S_ISDIR(status.st_mode)) return Error(directory + " is not a directory");
    if (status.st_uid != ::geteuid())
        return Error("keep built programs in " + directory + ": it belongs to somebody else")
            .with_remedy("Name a directory of your own with XDG_CACHE_HOME.");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Error("keep built programs in " + directory + ": others may write there")
            .with_remedy("Run chmod go-w " + directory + ".");
    return {};
}

/// Whoever may rename it, or what it lies in, may put another one in its place after it was looked at.
Result<void> check_way(const fs::path& directory) {
    for (fs::path above = directory.parent_path();; above = above.parent_path()) {
        struct stat status {};
        if (::stat(above.c_str(), &status) != 0) return errno_error("look at " + above.string());
        if ((status.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
            return Error("keep built programs in " + directory.string() +
                         ": everybody may exchange what is in " + above.string())
                .with_remedy("Run chmod o-w " + above.string() +
                             ", or name another directory with XDG_CACHE_HOME.");
        if (above == above.root_path()) return {};
    }
}

constexpr std::string_view kUnfinished = ".new-";

/// Of nobody else: ids of processes come again, in containers that share a directory at once.
std::string unique_name() {
    std::array<unsigned char, 16> random{};
    CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
    return std::string(kUnfinished) + observe::to_hex(random);
}

void remove_tree(const fs::path& path) {
    std::error_code error;  // what stays is looked at again the next time
    fs::remove_all(path, error);
}

/// An entry that is not whole yet; what has not got another name is removed.
struct Fresh {
    std::string path;
    UniqueFd use;  ///< shared, so that it holds off the entry's removal and nobody's use

    Fresh(std::string path_, UniqueFd use_) : path(std::move(path_)), use(std::move(use_)) {}
    Fresh(Fresh&&) = default;
    Fresh& operator=(Fresh&&) = delete;
    ~Fresh() {
        if (use.valid()) remove_tree(path);
    }
};

/// A directory that was not there.
Result<Fresh> make_fresh(const std::string& directory) {
    const std::string path = directory + "/" + unique_name();
    if (::mkdir(path.c_str(), 0700) != 0) return errno_error("make the directory " + path);
    UniqueFd use = TRY(sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (::flock(use.get(), LOCK_SH | LOCK_NB) != 0) return errno_error("lock " + path);
    return Fresh(path, std::move(use));
}

struct Entry {
    fs::path path;
    uint64_t size = 0;
    timespec used{};
    bool is_directory = false;
};

uint64_t size_of_prepared(const fs::path& path) {
    const auto text = sys::read_file(path.string() + kSize, kMaxSizeText);
    uint64_t size = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), size);
    return size;
}

/// Whether nobody makes it any more.
bool is_abandoned(const fs::path& path, const struct stat& status, time_t now) {
    if (std::abs(now - status.st_mtim.tv_sec) <= kAbandoned) return false;
    const auto fd = sys::open(path.string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    return fd.ok() && ::flock(fd->get(), LOCK_EX | LOCK_NB) == 0;
}

/// Everything that is kept. What was abandoned is removed on the way.
std::vector<Entry> entries_of(const std::string& directory) {
    std::vector<Entry> entries;
    const time_t now = ::time(nullptr);
    for (const char* kind : {kPrograms, kResults, kPreparedDirectory}) {
        std::error_code error;
        for (fs::directory_iterator entry(fs::path(directory) / kind, error), end; !error && entry != end;
             entry.increment(error)) {
            struct stat status {};
            if (::lstat(entry->path().c_str(), &status) != 0) continue;
            if (!is_key(entry->path().filename().string())) {
                // What is not ours stays: the directory may have been something else before.
                const bool is_ours = entry->path().filename().string().starts_with(kUnfinished);
                if (is_ours && is_abandoned(entry->path(), status, now)) remove_tree(entry->path());
                continue;
            }
            if (status.st_mtim.tv_sec > now + kMostAhead) status.st_mtim = {};
            const bool is_directory = S_ISDIR(status.st_mode);
            entries.push_back(
                {entry->path(),
                 is_directory ? size_of_prepared(entry->path()) : static_cast<uint64_t>(status.st_size),
                 status.st_mtim, is_directory});
        }
    }
    return entries;
}

/// Whether what is open is still what is found by that name.
bool is_named(int fd, const std::string& path) {
    struct stat held {};
    struct stat named {};
    return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino;
}

/// Whoever uses it may go on. False when it is still there.
bool discard(const fs::path& path) {
    const fs::path old = path.parent_path() / unique_name();
    if (::rename(path.c_str(), old.c_str()) != 0) return errno == ENOENT;
    remove_tree(old);
    return true;
}

/// Not while somebody's jail shows it. False when it is still there.
bool remove_entry(const fs::path& path) {
    const auto fd = sys::open(path.string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) return fd.error().error_number() == ENOENT;
    // What is there by now may be another one, which somebody shows.
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0 || !is_named(fd->get(), path.string())) return false;
    return discard(path);
}

std::vector<fs::path> unfinished_preparations(const std::string& directory) {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator entry(fs::path(directory) / kPreparedDirectory, error), end;
         !error && entry != end; entry.increment(error))
        if (entry->path().filename().string().starts_with(kUnfinished)) found.push_back(entry->path());
    return found;
}

/// What a run that was killed has left. Whoever prepares holds the lock, also on another machine or in
/// another container that shares the directory, where the ids of processes would say nothing.
void remove_abandoned_preparations(const std::string& directory) {
    if (unfinished_preparations(directory).empty()) return;
    const auto lock = sys::open(directory + "/" + kPreparing, O_RDWR | O_CREAT, 0600);
    if (!lock || ::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) return;
    // Looked for again: one that was found before the lock may be finished, and another have begun.
    for (const fs::path& path : unfinished_preparations(directory)) remove_tree(path);
}

/// The lock of whoever prepares; an error when the wait was ended or took too long.
Result<UniqueFd> lock_preparing(const std::string& path, int stop_fd) {
    UniqueFd fd = TRY(sys::open(path, O_RDWR | O_CREAT, 0600));
    const auto deadline = std::chrono::steady_clock::now() + kPreparationWait;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return errno_error("lock " + path);
        pollfd stop{stop_fd, POLLIN, 0};
        if (::poll(&stop, 1, static_cast<int>(kPreparationPause.count())) > 0)
            return Error("wait for another run to prepare a toolchain", ECANCELED);
        if (std::chrono::steady_clock::now() > deadline)
            return Error("another run has been preparing a toolchain for too long")
                .with_remedy("End it; it holds the lock " + path + ".");
    }
    return fd;
}

/// Of an entry that is a directory: holds off its removal.
std::optional<UniqueFd> hold(const std::string& path) {
    auto fd = sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd || ::flock(fd->get(), LOCK_SH | LOCK_NB) != 0) return std::nullopt;
    // It may have been removed between the opening and the lock.
    if (!is_named(fd->get(), path)) return std::nullopt;
    touch(fd->get());
    return *std::move(fd);
}

}  // namespace

std::string store_key(std::span<const std::string_view> parts) {
    observe::Sha256 hash;
    const auto add = [&](std::string_view part) {
        hash.add(std::to_string(part.size()) + ":");
        hash.add(part);
    };
    add(kVersion);
    add(kStoreFormat);
    for (const std::string_view part : parts) add(part);
    return observe::to_hex(hash.finish());
}

Result<std::string> Store::default_directory(const Variables& variable) {
    auto cache = user_directory(UserDirectory::cache, variable);
    if (!cache)
        return std::move(cache)
            .error()
            .context("find a directory for built programs")
            .with_remedy("Set one of them.");
    return *cache + "/cellblock";
}

Result<Store> Store::open(const std::string& directory, Bytes most) {
    for (size_t at = directory.find('/', 1); at != std::string::npos; at = directory.find('/', at + 1))
        TRY(make_directory(directory.substr(0, at)));
    TRY(make_directory(directory));
    std::error_code error;
    const std::string real = fs::canonical(directory, error).string();
    if (error) return Error("find " + directory, error.value());
    TRY(check_way(real));
    TRY(check_owner(real));
    for (const char* name : {kPrograms, kResults, kPreparedDirectory}) {
        TRY(make_directory(real + "/" + name));
        TRY(check_owner(real + "/" + name));
    }
    remove_abandoned_preparations(real);
    return Store(real, most);
}

std::optional<std::string> Store::result(const std::string& key) const {
    const std::string path = path_of(kResults, key);
    auto bytes = read_entry(path, kResults, key);
    if (!bytes) ::unlink(path.c_str());
    return bytes;
}

Result<void> Store::keep_result(const std::string& key, std::string_view bytes) const {
    if (bytes.size() > kMaxStoreEntry.count)
        return Error("keep an entry of " + to_text(Bytes{bytes.size()}) + ": it may have " +
                     to_text(kMaxStoreEntry));
    const std::string fresh = path_of(kResults, unique_name());
    auto written = write_entry(fresh, kResults, key, bytes);
    if (written && ::rename(fresh.c_str(), path_of(kResults, key).c_str()) != 0)
        written = errno_error("rename " + fresh);
    if (!written) {
        ::unlink(fresh.c_str());
        return std::move(written).error().context("keep a result");
    }
    trim();
    return {};
}

std::optional<KeptProgram> Store::program(const std::string& key) const {
    const std::string path = path_of(kPrograms, key);
    auto held = hold(path);
    if (!held) return std::nullopt;
    auto program = read_program(path, *std::move(held), key);
    if (!program) remove_entry(path);
    return program;
}

Result<void> Store::keep_program(const std::string& key, std::span<const File> files) const {
    const Fresh fresh = TRY(make_fresh(directory_ + "/" + kPrograms));
    auto written = write_program(fresh.path, key, files);
    // Somebody else may have kept the same meanwhile: it is as good as ours.
    if (written && ::rename(fresh.path.c_str(), path_of(kPrograms, key).c_str()) != 0 && errno != ENOTEMPTY &&
        errno != EEXIST)
        written = errno_error("rename " + fresh.path);
    if (!written) return std::move(written).error().context("keep a built program");
    trim();
    return {};
}

std::string Store::path_of(std::string_view kind, const std::string& name) const {
    return directory_ + "/" + std::string(kind) + "/" + name;
}

std::optional<Prepared> Store::find_prepared(const std::string& key) const {
    const std::string path = path_of(kPreparedDirectory, key);
    auto held = hold(path);
    struct stat status {};
    if (!held || ::lstat((path + kTree).c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        return std::nullopt;
    return Prepared{path + kTree, *std::move(held)};
}

Result<Prepared> Store::prepared(const std::string& key,
                                 const std::function<Result<void>(const std::string& directory)>& make,
                                 int stop_fd) const {
    if (auto found = find_prepared(key)) return *std::move(found);
    const UniqueFd lock = TRY(lock_preparing(directory_ + "/" + kPreparing, stop_fd));
    if (auto found = find_prepared(key)) return *std::move(found);

    const std::string kept = path_of(kPreparedDirectory, key);
    const Fresh fresh = TRY(make_fresh(directory_ + "/" + kPreparedDirectory));
    TRY(make_directory(fresh.path + kTree));
    TRY(make(fresh.path + kTree));
    const Bytes size = TRY(seal(fresh.path + kTree));
    TRY(write_new(fresh.path + kWhole, {fingerprint_of(fresh.path + kTree)}));
    TRY(write_new(fresh.path + kSize, {std::to_string(size.count)}));
    // What has this name and was not found is no preparation.
    discard(kept);
    if (::rename(fresh.path.c_str(), kept.c_str()) != 0) return errno_error("rename " + fresh.path);
    auto found = find_prepared(key);
    if (!found) return Error("keep what a toolchain needs in " + kept + ": it vanished");
    trim();
    return *std::move(found);
}

bool Store::drop_if_damaged(const std::string& key, Prepared used) const {
    const std::string path = path_of(kPreparedDirectory, key);
    // Somebody else has noticed it.
    if (!is_named(used.use.get(), path)) return true;
    const auto whole = sys::read_file(path + kWhole, kMaxFingerprint);
    if (whole && *whole == fingerprint_of(path + kTree)) return false;
    // Others who use it are no better off with it.
    return discard(path);
}

void Store::trim() const {
    std::vector<Entry> entries = entries_of(directory_);
    uint64_t total = 0;
    for (const Entry& entry : entries) total += entry.size;
    if (total <= most_.count && entries.size() <= kMaxStoreEntries) return;
    std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
        return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
    });
    size_t count = entries.size();
    for (const Entry& entry : entries) {
        if (total <= most_.count && count <= kMaxStoreEntries) break;
        if (!remove_entry(entry.path)) continue;
        total -= entry.size;
        --count;
    }
}

}  // namespace cellblock::run
