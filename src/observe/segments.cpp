// Finding, locking and reading the ends of segments.
#include "observe/segments.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <thread>

#include "base/sys.hpp"

namespace cellblock::observe {
namespace {

constexpr std::string_view kPrefix = "audit-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr size_t kDigits = 8;
/// The last record and what a crash leaves of another one.
constexpr size_t kUsualTail = 2 * kMaxRecord;
/// How often a replaced lock file is opened anew.
constexpr int kMaxLockFiles = 8;
constexpr std::chrono::microseconds kShortestWait{20};
constexpr std::chrono::microseconds kLongestWait{2000};

std::optional<unsigned> segment_number(std::string_view name) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
    const std::string_view digits =
        name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    unsigned number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size();
    if (!whole || digits.size() != kDigits || number == 0) return {};
    return number;
}

Result<std::string> read_range(int fd, uint64_t from, uint64_t size, const std::string& path) {
    std::string bytes(size, '\0');
    size_t done = 0;
    while (done < size) {
        const ssize_t n = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(from + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno_error("read " + path);
        if (n == 0) break;  // somebody cut it since we looked
        done += static_cast<size_t>(n);
    }
    bytes.resize(done);
    return bytes;
}

// The last intact record within `bytes`, which begin with a line when `from_start`.
Tail find_tail(std::string_view bytes, bool from_start) {
    Tail tail;
    tail.unfinished_line = !bytes.empty() && bytes.back() != '\n';
    size_t end = bytes.size();
    while (end > 0) {
        // The line that ends before `end`, with its line feed if it has one.
        const bool has_feed = bytes[end - 1] == '\n';
        const size_t text_end = has_feed ? end - 1 : end;
        const size_t feed = text_end == 0 ? std::string_view::npos : bytes.rfind('\n', text_end - 1);
        if (feed == std::string_view::npos && !from_start) return tail;
        const size_t begin = feed == std::string_view::npos ? 0 : feed + 1;
        if (const auto record = parse_intact(bytes.substr(begin, text_end - begin))) {
            tail.found = true;
            tail.last = record->position();
            tail.completed = !has_feed;
            break;
        }
        end = begin;
    }
    tail.damage = std::string(bytes.substr(end));
    if (tail.damage.ends_with('\n')) tail.damage.pop_back();
    return tail;
}

Result<UniqueFd> open_lock(const std::string& directory, DirectoryLock::Kind kind) {
    const std::string path = directory + "/lock";
    if (kind == DirectoryLock::Kind::shared) return sys::open(path, O_RDONLY | O_NOFOLLOW);
    // For writing, because NFS locks nothing else exclusively (flock(2)).
    return sys::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

// Asks again and again: flock() has no time limit.
Result<bool> wait_for_lock(int fd, int operation, std::chrono::steady_clock::time_point until) {
    auto wait = kShortestWait;
    while (::flock(fd, operation | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return errno_error("lock the audit log");
        if (std::chrono::steady_clock::now() >= until) return false;
        std::this_thread::sleep_for(wait);
        wait = std::min(wait * 2, kLongestWait);
    }
    return true;
}

}  // namespace

std::string segment_path(const std::string& directory, unsigned number) {
    const std::string digits = std::to_string(number);
    return directory + "/" + std::string(kPrefix) +
           std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits + std::string(kSuffix);
}

Result<std::vector<Segment>> list_segments(const std::string& directory) {
    std::vector<Segment> segments;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (!stream) {
        if (errno == ENOENT) return segments;
        return errno_error("read the directory " + directory);
    }
    while (const dirent* entry = ::readdir(stream.get())) {
        const auto number = segment_number(entry->d_name);
        if (!number) continue;
        if (segments.size() == kMaxSegments)
            return Error("read the audit log " + directory + ": more than " + std::to_string(kMaxSegments) +
                         " segments");
        segments.push_back({*number, directory + "/" + entry->d_name});
    }
    std::ranges::sort(segments, {}, &Segment::number);
    return segments;
}

bool is_still_at(int fd, const std::string& path) {
    struct stat open {};
    struct stat named {};
    return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

Result<DirectoryLock> DirectoryLock::take(UniqueFd& lock_fd, const std::string& directory, Kind kind,
                                          std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (int i = 0; i < kMaxLockFiles; ++i) {
        if (lock_fd.get() < 0) lock_fd = TRY(open_lock(directory, kind));
        if (!TRY(wait_for_lock(lock_fd.get(), kind == Kind::exclusive ? LOCK_EX : LOCK_SH, until)))
            return Error("lock the audit log " + directory + ": another process has held " + directory +
                         "/lock for " + std::to_string(patience.count()) + " ms")
                .with_remedy("fuser -v " + directory +
                             "/lock names it; it may be stopped or wait for a disk.");
        if (is_still_at(lock_fd.get(), directory + "/lock")) return DirectoryLock(lock_fd.get());
        // It was deleted or replaced: others hold another file now.
        lock_fd = UniqueFd();
    }
    return Error("lock the audit log " + directory + ": its lock file is replaced again and again");
}

DirectoryLock::~DirectoryLock() {
    // Fails only for descriptors that are none; closing would not do, because a child of ours may have a
    // copy.
    if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

Result<Tail> read_tail(int fd, uint64_t size, const std::string& path) {
    const uint64_t usual = std::min<uint64_t>(size, kUsualTail);
    const std::string end = TRY(read_range(fd, size - usual, usual, path));
    Tail tail = find_tail(end, usual == size);
    if (tail.found || usual == size) return tail;
    if (size > kMaxSegmentRead)
        return Error("find the last record of " + path +
                     ": it is damaged, and larger than any that is written here")
            .with_remedy("Move it away; \"cellblock audit verify\" will say which records are missing.");
    const std::string all = TRY(read_range(fd, 0, size, path));
    return find_tail(all, true);
}

}  // namespace cellblock::observe
