// The files of an audit log: segments `audit-00000001.jsonl` and so on, which are only ever appended to and
// keep their names, and the file `lock`, which is held by whoever appends. The highest number is the one that
// is written.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "observe/record.hpp"

namespace cellblock::observe {

/// More files than this are no log of ours.
inline constexpr size_t kMaxSegments = 100'000;
/// A segment is read as a whole only when its end is damaged, and not when it is larger than this.
inline constexpr size_t kMaxSegmentRead = size_t{256} << 20U;

struct Segment {
    unsigned number = 0;
    std::string path;
};
std::string segment_path(const std::string& directory, unsigned number);
/// In the order of their numbers. None when the directory does not exist.
Result<std::vector<Segment>> list_segments(const std::string& directory);

/// Is the file behind `fd` still the one at `path`?
bool is_still_at(int fd, const std::string& path);

/// The lock of a log's directory, across processes, until destruction.
class DirectoryLock {
  public:
    enum class Kind { exclusive, shared };
    /// `lock_fd` is a kept descriptor of DIRECTORY/lock; it is opened anew when that file was replaced. Waits
    /// for `patience` at most: whoever holds the lock longer does not append, but hangs.
    static Result<DirectoryLock> take(UniqueFd& lock_fd, const std::string& directory, Kind kind,
                                      std::chrono::milliseconds patience);
    ~DirectoryLock();
    DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    DirectoryLock& operator=(DirectoryLock&&) = delete;

  private:
    explicit DirectoryLock(int fd) : fd_(fd) {}
    int fd_;
};

/// What a segment ends with.
struct Tail {
    bool found = false;  ///< there is an intact record
    Position last;       ///< the last intact one
    /// What follows it: the rest of a record that was never finished, or other damage. Without its last line
    /// feed.
    std::string damage;
    bool unfinished_line = false;  ///< the file does not end with a line feed
    /// The last record is whole, except for its line feed.
    bool completed = false;
};
Result<Tail> read_tail(int fd, uint64_t size, const std::string& path);

}  // namespace cellblock::observe
