// Reads in large blocks; lines are views into them.
#include "observe/reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/sys.hpp"

namespace cellblock::observe {
namespace {

constexpr size_t kBlock = size_t{1} << 20U;
static_assert(kBlock > kMaxRecord);
/// Readers do without the lock after this: at worst a record is read that is just being written, as
/// unfinished.
constexpr std::chrono::milliseconds kLockPatience{2000};

}  // namespace

Result<Reader> Reader::open(const std::string& directory) {
    Reader reader(directory);
    TRY(reader.refresh());
    return reader;
}

Result<void> Reader::refresh() {
    UniqueFd lock_fd;
    // A read-only copy of a log has perhaps no lock file, and nobody who writes.
    const auto lock = DirectoryLock::take(lock_fd, directory_, DirectoryLock::Kind::shared, kLockPatience);
    const size_t known = segments_.size();
    for (const Segment& segment : TRY(list_segments(directory_))) {
        struct stat status {};
        if (::stat(segment.path.c_str(), &status) != 0) return errno_error("look at " + segment.path);
        if (!S_ISREG(status.st_mode)) return Error("read " + segment.path + ": it is no regular file");
        const auto size = static_cast<uint64_t>(status.st_size);
        const auto same = std::ranges::find(segments_, segment.number, &Part::number);
        if (same != segments_.end())
            same->size = std::max(same->size, size);
        else if (known == 0 || segment.number > segments_.back().number)
            segments_.push_back({segment.number, segment.path, size});
    }
    return {};
}

uint64_t Reader::bytes() const {
    uint64_t sum = 0;
    for (const Part& part : segments_) sum += part.size;
    return sum;
}

// More of the current segment into the buffer; false when there is no more.
Result<bool> Reader::fill() {
    const Part& part = segments_[current_];
    if (!fd_.valid()) fd_ = TRY(sys::open(part.path, O_RDONLY | O_NOFOLLOW));
    if (offset_ >= part.size) return false;
    buffer_.erase(0, used_);
    used_ = 0;
    const size_t kept = buffer_.size();
    const size_t wanted = std::min<uint64_t>(kBlock, part.size - offset_);
    buffer_.resize(kept + wanted);
    ssize_t n = 0;
    do n = ::pread(fd_.get(), buffer_.data() + kept, wanted, static_cast<off_t>(offset_));
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno_error("read " + part.path);
    buffer_.resize(kept + static_cast<size_t>(n));
    offset_ += static_cast<uint64_t>(n);
    return n > 0;
}

Result<bool> Reader::next(Line& line) {
    while (current_ < segments_.size()) {
        const std::string_view rest = std::string_view(buffer_).substr(used_);
        const size_t feed = rest.find('\n');
        if (feed < kMaxRecord) {  // not npos either
            if (!in_long_line_) ++line_;
            in_long_line_ = false;
            line = {rest.substr(0, feed), true};
            used_ += feed + 1;
            return true;
        }
        if (rest.size() >= kMaxRecord) {
            if (!in_long_line_) ++line_;
            in_long_line_ = true;
            line = {rest.substr(0, kMaxRecord), false};
            used_ += kMaxRecord;
            return true;
        }
        if (TRY(fill())) continue;
        const bool is_last = current_ + 1 == segments_.size();
        if (!unfinished().empty() && !is_last) {
            if (!in_long_line_) ++line_;
            line = {unfinished(), false};
            used_ = buffer_.size();
            return true;
        }
        if (is_last) return false;
        ++current_;
        fd_.reset();
        buffer_.clear();
        used_ = offset_ = line_ = 0;
        in_long_line_ = false;
    }
    return false;
}

}  // namespace cellblock::observe
