// Appending: lock, find the end, write, sync.
#include "observe/log.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <tuple>

#include "base/check.hpp"
#include "base/sys.hpp"

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;

/// Numbers of a checkpoint's file name.
constexpr size_t kNameDigits = 16;

Error with_disk_remedy(Error error) {
    if (error.error_number() == ENOSPC || error.error_number() == EDQUOT)
        return std::move(error).with_remedy(
            "Make room on that file system, or give the log another place with audit.path.");
    return error;
}

// A file beyond RLIMIT_FSIZE ends a process by SIGXFSZ, unless it is blocked; then write() says EFBIG.
class NoFileSizeSignal {
  public:
    NoFileSizeSignal() {
        ::sigemptyset(&signals_);
        ::sigaddset(&signals_, SIGXFSZ);
        ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    }
    ~NoFileSizeSignal() {
        if (was_sent_) {
            const timespec no_wait{};
            ::sigtimedwait(&signals_, nullptr, &no_wait);
        }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    NoFileSizeSignal(const NoFileSizeSignal&) = delete;
    NoFileSizeSignal& operator=(const NoFileSizeSignal&) = delete;
    void was_sent() { was_sent_ = true; }

  private:
    sigset_t signals_{};
    sigset_t before_{};
    bool was_sent_ = false;
};

Result<void> sync_directory(const std::string& directory) {
    const UniqueFd fd = TRY(sys::open(directory, O_RDONLY | O_DIRECTORY));
    if (::fsync(fd.get()) != 0) return errno_error("sync the directory " + directory);
    return {};
}

Result<uint64_t> size_of(int fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno_error("look at " + path);
    if (!S_ISREG(status.st_mode)) return Error("use " + path + ": it is no regular file");
    return static_cast<uint64_t>(status.st_size);
}

Entry recovered(const Tail& tail) {
    Members members;
    members.integer("damaged_bytes", static_cast<int64_t>(tail.damage.size()));
    members.hash("damaged_sha256", Sha256::of(tail.damage));
    members.flag("completed", tail.completed);
    return {"recovered", members};
}

Entry records_missing(uint64_t known, uint64_t found) {
    Members members;
    members.integer("last_seen", static_cast<int64_t>(known))
        .integer("last_found", static_cast<int64_t>(found));
    return {"records_missing", members};
}

}  // namespace

std::string_view to_text(Sync sync) {
    switch (sync) {
        case Sync::each:
            return "each";
        case Sync::cell:
            return "cell";
        case Sync::interval:
            return "interval";
    }
    return "";
}

std::string newest_checkpoint_path(const std::string& keys_directory, const std::string& directory) {
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(directory, error);
    const std::string name = error ? directory : whole.string();
    return keys_directory + "/checkpoint-" + to_hex(Sha256::of(name)).substr(0, kNameDigits) + ".json";
}

std::string signed_message(std::string_view record_before_signature) {
    // Named, so that a signature of something else by the same key is none of a checkpoint.
    return "cellblock audit checkpoint 1\n" + std::string(record_before_signature);
}

Log::Log(LogOptions options, std::optional<SigningKey> key)
    : options_(std::move(options)), key_(std::move(key)) {}

Result<std::unique_ptr<Log>> Log::open(LogOptions options) {
    std::error_code error;
    if (!fs::is_directory(options.directory, error)) {
        fs::create_directories(fs::path(options.directory).parent_path(), error);
        if (::mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST)
            return errno_error("create the directory of the audit log " + options.directory);
    }
    std::optional<SigningKey> key;
    if (!options.keys_directory.empty()) key = TRY(SigningKey::load(options.keys_directory));
    // Not make_unique: the constructor is private.
    std::unique_ptr<Log> log(new Log(std::move(options), std::move(key)));
    {
        const DirectoryLock lock = TRY(log->lock());
        TRY(log->find_end());
    }
    if (log->options_.sync == Sync::interval)
        log->syncer_ = std::thread([raw = log.get()] { raw->sync_every_interval(); });
    return log;
}

Log::~Log() {
    {
        const std::lock_guard guard(mutex_);
        closes_ = true;
        closing_.notify_all();
    }
    if (syncer_.joinable()) syncer_.join();
}

Result<DirectoryLock> Log::lock() {
    return DirectoryLock::take(lock_fd_, options_.directory, DirectoryLock::Kind::exclusive,
                               options_.lock_patience);
}

Result<Written> Log::append(std::span<const Entry> entries, Barrier barrier) {
    CHECK(!entries.empty() && entries.size() <= kMaxEntries);
    const std::lock_guard guard(mutex_);
    Written written;
    {
        const DirectoryLock lock = TRY(this->lock());
        TRY(find_end());
        TRY(settle_debts());
        TRY(write_entries(entries));
        written.last = end_;
        unsigned_records_ += entries.size();
        if (unsigned_records_ >= options_.checkpoint_every) owes_checkpoint_ = key_.has_value();
        // The records are there; a checkpoint that fails is owed, and holds up the next append.
        if (owes_checkpoint_)
            if (auto signature = sign(); !signature) written.not_synced = std::move(signature).error();
    }
    // Outside the lock: others may append meanwhile, and one sync serves all that was written before it.
    is_dirty_ = true;
    const bool now = options_.sync == Sync::each || (options_.sync == Sync::cell && barrier == Barrier::cell);
    if (now && !written.not_synced)
        if (auto synced = sync_now(); !synced) written.not_synced = std::move(synced).error();
    return written;
}

Result<void> Log::checkpoint() {
    const std::lock_guard guard(mutex_);
    const DirectoryLock lock = TRY(this->lock());
    TRY(find_end());
    if (key_ && end_.seq > 0) return sign();
    return sync_now();
}

Result<void> Log::settle_debts() {
    if (owes_checkpoint_) return sign();
    return sync_failed_ ? sync_now() : Result<void>{};
}

// ---- where the chain ends; the lock is held

bool Log::is_as_we_left_it() const {
    if (!open_.fd) return false;
    const std::string path = segment_path(options_.directory, open_.number);
    const std::string next = segment_path(options_.directory, open_.number + 1);
    struct stat open {};
    return is_still_at(open_.fd->get(), path) && ::fstat(open_.fd->get(), &open) == 0 &&
           static_cast<uint64_t>(open.st_size) == open_.size && ::access(next.c_str(), F_OK) != 0;
}

Result<void> Log::find_end() {
    if (is_as_we_left_it() && remarks_.empty()) return {};
    remarks_.clear();
    line_is_unfinished_ = false;
    const Position found = TRY(open_newest());
    const bool gone = found.seq < end_.seq || (found.seq == end_.seq && found != end_);
    if (gone)
        // Chained to what was there, so that whoever took it away cannot have it look whole.
        remarks_.push_back(records_missing(end_.seq, found.seq));
    else
        end_ = found;
    return {};
}

Result<Position> Log::open_newest() {
    const std::vector<Segment> segments = TRY(list_segments(options_.directory));
    const unsigned newest = segments.empty() ? 0 : segments.back().number;
    if (newest < open_.number || newest == 0) {
        // Ours was removed. Its number is not used again: a copy of it may come back.
        const Position found = TRY(read_end(segments));
        TRY(create_segment(open_.number + 1));
        return found;
    }
    const bool same =
        open_.fd && newest == open_.number && is_still_at(open_.fd->get(), segments.back().path);
    if (!same) {
        // Read to find its end, appended to for all that is written.
        open_ = {};
        UniqueFd fd = TRY(sys::open(segments.back().path, O_RDWR | O_APPEND | O_NOFOLLOW));
        open_.fd = std::make_shared<UniqueFd>(std::move(fd));
        open_.number = newest;
    }
    open_.size = TRY(size_of(open_.fd->get(), segments.back().path));
    return read_end(segments);
}

// Newest first, until there is a record: a segment is empty when its writer died just after creating it.
Result<Position> Log::read_end(const std::vector<Segment>& segments) {
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
        const UniqueFd fd = TRY(sys::open(segment->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        const uint64_t size = TRY(size_of(fd.get(), segment->path));
        const Tail tail = TRY(read_tail(fd.get(), size, segment->path));
        if (segment == segments.rbegin()) {
            line_is_unfinished_ = tail.unfinished_line;
            if (!tail.damage.empty() || tail.completed) remarks_.push_back(recovered(tail));
        }
        if (tail.found) return tail.last;
    }
    return Position{};
}

Result<void> Log::create_segment(unsigned number) {
    const std::string path = segment_path(options_.directory, number);
    UniqueFd fd = TRY(sys::open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY(sync_directory(options_.directory));
    open_ = {std::make_shared<UniqueFd>(std::move(fd)), number, 0};
    line_is_unfinished_ = false;
    return {};
}

// ---- writing; the lock is held

Result<void> Log::write_entries(std::span<const Entry> entries) {
    const auto format = [&](bool begins_segment) {
        std::string bytes = line_is_unfinished_ ? "\n" : "";
        Position position = end_;
        const auto add = [&](const Entry& entry) {
            const Line line = format_record(position, entry);
            bytes += line.text;
            position = line.position;
        };
        if (begins_segment) {
            Entry segment{"segment", {}};
            segment.members.integer("number", open_.number);
            add(segment);
        }
        for (const Entry& remark : remarks_) add(remark);
        for (const Entry& entry : entries) add(entry);
        return std::pair(std::move(bytes), position);
    };
    auto [bytes, position] = format(open_.size == 0);
    // What is damaged is spoken of where it lies; the next append rotates.
    const bool room = open_.size + bytes.size() <= options_.segment_size.count || open_.size == 0;
    if (!room && remarks_.empty()) {
        // What a segment holds is on the disk before another one is there.
        if (::fdatasync(open_.fd->get()) != 0) return errno_error("sync the audit log");
        TRY(create_segment(open_.number + 1));
        std::tie(bytes, position) = format(true);
    }
    TRY(write_bytes(bytes));
    end_ = position;
    remarks_.clear();
    line_is_unfinished_ = false;
    return {};
}

Result<void> Log::write_bytes(std::string_view bytes) {
    const std::string path = segment_path(options_.directory, open_.number);
    const auto before = static_cast<off_t>(open_.size);
    size_t done = 0;
    NoFileSizeSignal no_signal;
    while (done < bytes.size()) {
        const ssize_t n = ::write(open_.fd->get(), bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            Error error = with_disk_remedy(errno_error("write the audit log " + path));
            if (error.error_number() == EFBIG) no_signal.was_sent();
            // Nobody was told of these bytes yet. If they cannot be taken back they are damage, and treated
            // so.
            if (done > 0 && ::ftruncate(open_.fd->get(), before) != 0) open_ = {nullptr, open_.number, 0};
            return error;
        }
        done += static_cast<size_t>(n);
    }
    open_.size += bytes.size();
    return {};
}

Result<void> Log::sync_now() {
    sync_failed_ = ::fdatasync(open_.fd->get()) != 0;
    if (sync_failed_) return with_disk_remedy(errno_error("sync the audit log " + options_.directory));
    is_dirty_ = false;
    return {};
}

// Writes a checkpoint and keeps a copy of it beside the key. First the disk: a copy that is newer than the
// log after a power cut would look like a log that was cut.
Result<void> Log::sign() {
    owes_checkpoint_ = true;
    // It signs what is there; so what has to be said before it is written first.
    if (open_.size == 0 || !remarks_.empty()) TRY(write_entries({}));
    Entry entry{"checkpoint", {}};
    entry.members.text("key", key_->id());
    const std::string unsigned_line = format_record(end_, entry).text;
    const std::string message = unsigned_line.substr(0, unsigned_line.rfind(",\"hash\":\""));
    entry.members.text("signature", key_->sign(signed_message(message)));
    const auto [line, position] = format_record(end_, entry);
    TRY(write_bytes(line));
    end_ = position;
    TRY(sync_now());

    const std::string path = newest_checkpoint_path(options_.keys_directory, options_.directory);
    const std::string temporary = path + "." + std::to_string(::getpid());
    {
        const UniqueFd file = TRY(sys::open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        TRY(sys::write_all(file.get(), line));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return errno_error("rename " + temporary);
    owes_checkpoint_ = false;
    unsigned_records_ = 0;
    return {};
}

void Log::sync_every_interval() {
    std::unique_lock lock(mutex_);
    while (true) {
        closing_.wait_for(lock, kSyncInterval, [this] { return closes_; });
        if (is_dirty_ && open_.fd) {
            const std::shared_ptr<UniqueFd> fd = open_.fd;
            is_dirty_ = false;
            lock.unlock();
            const bool synced = ::fdatasync(fd->get()) == 0;
            lock.lock();
            if (!synced) sync_failed_ = true;  // held against the next append
        }
        if (closes_) return;
    }
}

}  // namespace cellblock::observe
