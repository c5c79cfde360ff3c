// One walk over the layer makes one list of changes.
#include "changes/recorder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <optional>
#include <set>

#include "base/sys.hpp"
#include "changes/names.hpp"

namespace cellblock::changes {
namespace {

constexpr const char* kTooDeep = "it lies deeper than 64 directories";
constexpr const char* kClosed = "its permissions keep it closed to you";
constexpr const char* kTooMuch = "there is more than the kernel's --scratch allows";
constexpr const char* kSeveralNames = "it is a hard link, of which each would become a file of its own";
constexpr const char* kInMotion = "it was being changed";

int64_t nanoseconds(const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string join(const std::string& directory, const std::string& name) {
    return directory.empty() ? name : directory + "/" + name;
}

/// Names in a directory, sorted; at most `limit` of them.
std::vector<std::string> names_in(int directory_fd, size_t limit) {
    std::vector<std::string> names;
    // A description of its own: the position in the directory belongs to it.
    const int copy = ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (!stream) {
        if (copy >= 0) ::close(copy);
        return names;
    }
    while (const dirent* entry = ::readdir(stream)) {
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
        if (names.size() == limit) break;
        names.emplace_back(entry->d_name);
    }
    ::closedir(stream);
    std::ranges::sort(names);
    return names;
}

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

/// The overlay shows nothing of the host's directory here.
bool is_opaque(int directory_fd) {
    char value = 0;
    return ::fgetxattr(directory_fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

std::string link_target(int directory_fd, const std::string& name) {
    char target[PATH_MAX];
    const ssize_t n = ::readlinkat(directory_fd, name.c_str(), target, sizeof target);
    return n > 0 ? std::string(target, static_cast<size_t>(n)) : "";
}

/// Where the next data is at or after `at`; `size` when there is none.
off_t next_data(int fd, off_t at, off_t size) {
    const off_t found = ::lseek(fd, at, SEEK_DATA);
    return found < 0 || found > size ? size : found;
}

/// Reads only where one of them has data: a hole costs a cell nothing, so it must not cost us anything
/// either.
bool same_contents(int one, int other, uint64_t size) {
    constexpr size_t kSize = 65536;
    std::vector<char> a(kSize);
    std::vector<char> b(kSize);
    const auto end = static_cast<off_t>(size);
    for (off_t at = 0; at < end;) {
        at = std::min(next_data(one, at, end), next_data(other, at, end));
        const size_t wanted = std::min(kSize, static_cast<size_t>(end - at));
        if (wanted == 0) break;
        const ssize_t n = ::pread(one, a.data(), wanted, at);
        if (n <= 0 || ::pread(other, b.data(), static_cast<size_t>(n), at) != n ||
            std::memcmp(a.data(), b.data(), static_cast<size_t>(n)) != 0)
            return false;
        at += n;
    }
    return true;
}

}  // namespace

class Recorder::Scan {
  public:
    Scan(Recorder& recorder, Pass pass, int64_t cell_began_ns)
        : recorder_(recorder), pass_(pass), cell_began_ns_(cell_began_ns) {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        now_ns_ = nanoseconds(now);
        for (const Change& change : recorder.set_.changes()) bases_.emplace(change.path, change.base);
    }

    Result<void> run(int layer_fd) {
        const uint64_t last_blob = recorder_.last_blob_;
        walk(layer_fd, "", Opaque::no, 0);
        recorder_.seen_ = std::move(seen_);
        recorder_.hidden_ = std::move(hidden_);
        const bool is_same =
            changes_ == recorder_.set_.changes() && complete_ == recorder_.set_.header().complete;
        if (!trouble_ && !is_same) {
            recorder_.set_.forget_applied();
            return recorder_.set_.write(std::move(changes_), complete_);
        }
        // What this pass has copied for nothing would take the host's disk, cell by cell.
        if (recorder_.last_blob_ != last_blob) recorder_.set_.remove_unnamed();
        if (!trouble_) return {};
        recorder_.seen_.clear();  // it names contents that have just been removed
        return *std::move(trouble_);
    }

  private:
    /// Whether a directory hides what the host has in it, and did so at the last pass already.
    enum class Opaque { no, yes, since_the_last_pass };

    /// As many names as may still be looked at.
    std::vector<std::string> more_names(int directory_fd) {
        std::vector<std::string> names =
            names_in(directory_fd, std::min(kMaxChanges + 1, kMaxVisits - visits_));
        visits_ += names.size();
        complete_ = complete_ && names.size() <= kMaxChanges && visits_ < kMaxVisits;
        return names;
    }

    /// False when there is no room for one more path.
    bool may_visit(const std::string& path) {
        name_bytes_ += path.size();
        // Nothing behind a full list: its contents would be copied for nothing.
        if (changes_.size() < kMaxChanges && name_bytes_ <= kMaxNameBytes) return true;
        complete_ = false;
        return false;
    }

    void walk(int layer_dir, const std::string& path, Opaque opaque, int depth) {
        const std::vector<std::string> names = more_names(layer_dir);
        for (const std::string& name : names) {
            const std::string below = join(path, name);
            if (!may_visit(below)) return;
            visit(layer_dir, below, name, depth);
        }
        if (opaque == Opaque::no) return;
        const auto host = open_beneath(recorder_.directory_fd(), path, O_RDONLY | O_DIRECTORY);
        if (!host) return;
        const std::set<std::string> kept(names.begin(), names.end());
        for (const std::string& name : more_names(host->get()))
            if (!kept.contains(name) && may_visit(join(path, name)))
                add_deleted(join(path, name), depth + 1, opaque == Opaque::since_the_last_pass);
    }

    void visit(int layer_dir, const std::string& path, const std::string& name, int depth) {
        struct stat info {};
        if (::fstatat(layer_dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return;  // gone meanwhile
        if (is_whiteout(info)) return add_deleted(path, depth, false);
        const HostState host = look(recorder_.directory_fd(), path);
        const bool hides_directory = host.exists && host.type == Type::directory && !S_ISDIR(info.st_mode);
        if (hides_directory) add_deleted_children(path, depth, hid_all(path));
        Change change;
        change.path = path;
        change.mode = info.st_mode & 0777U;
        if (S_ISDIR(info.st_mode)) return visit_directory(layer_dir, std::move(change), host, name, depth);
        if (S_ISREG(info.st_mode)) return visit_file(layer_dir, std::move(change), host, name, info);
        if (S_ISLNK(info.st_mode)) {
            change.type = Type::symlink;
            change.target = link_target(layer_dir, name);
            name_bytes_ += change.target.size();
            if (host.exists && host.type == Type::symlink && host_target(path) == change.target)
                return remember(path, host, true);
        } else {
            change.type = Type::other;
        }
        add(std::move(change), host);
    }

    void visit_directory(int layer_dir, Change change, const HostState& host, const std::string& name,
                         int depth) {
        change.type = Type::directory;
        const std::string path = change.path;
        const UniqueFd directory(
            ::openat(layer_dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory.valid()) change.not_saved = kClosed;
        if (depth >= kMaxDepth) change.not_saved = kTooDeep;
        const bool same_type = host.exists && host.type == Type::directory;
        const bool deeper = change.not_saved.empty();
        if (!same_type || change.mode != host.mode || !deeper) add(std::move(change), host);
        if (!deeper) return;
        const bool hides_all = !same_type || is_opaque(directory.get());
        const Opaque opaque = !same_type || !hides_all ? Opaque::no
                              : hid_all(path)          ? Opaque::since_the_last_pass
                                                       : Opaque::yes;
        remember(path, base_of(path, host), hides_all);
        walk(directory.get(), path, opaque, depth + 1);
    }

    void visit_file(int layer_dir, Change change, const HostState& host, const std::string& name,
                    const struct stat& info) {
        Seen seen;
        seen.inode = info.st_ino;
        seen.size = static_cast<uint64_t>(info.st_size);
        seen.mode = change.mode;
        seen.ctime_ns = nanoseconds(info.st_ctim);
        seen.settled = now_ns_ - seen.ctime_ns > kTimeStep;
        seen.compared_with = host;
        const auto before = recorder_.seen_.find(change.path);
        if (pass_ == Pass::quick && before != recorder_.seen_.end() && is_same(before->second, seen)) {
            if (before->second.differs) keep(before->second.change);
            // What is equal is no longer the cell's own: whatever the host has now is what the cell sees.
            remember(change.path, before->second.differs ? base_of(change.path, host) : host, true);
            seen_.insert(*before);
            return;
        }
        compare(layer_dir, change, host, name, seen);
        if (seen.differs)
            seen.change = add(change, host);
        else
            remember(change.path, host, true);
        seen_.emplace(change.path, std::move(seen));
    }

    static bool is_same(const Seen& before, const Seen& now) {
        return before.settled && before.inode == now.inode && before.size == now.size &&
               before.mode == now.mode && before.ctime_ns == now.ctime_ns &&
               before.compared_with == now.compared_with && before.change.not_saved.empty();
    }

    void compare(int layer_dir, Change& change, const HostState& host, const std::string& name, Seen& seen) {
        seen.differs = true;
        change.size = seen.size;
        // Not to wait for a FIFO that has taken the file's place, nor to follow a link.
        const UniqueFd file(
            ::openat(layer_dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        struct stat info {};
        if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
            change.not_saved = file.valid() ? kInMotion : kClosed;
            return;
        }
        change.size = static_cast<uint64_t>(info.st_size);
        // Every name would take as much of the host's disk again, which the size of the layer does not bound.
        if (info.st_nlink > 1) {
            change.not_saved = kSeveralNames;
            return;
        }
        if (host.exists && host.type == Type::file && host.size == change.size) {
            const auto original = open_beneath(recorder_.directory_fd(), change.path, O_RDONLY | O_NONBLOCK);
            if (original && same_contents(file.get(), original->get(), change.size)) {
                seen.differs = change.mode != host.mode;
                change.kind = Kind::mode;
                return;
            }
        }
        save(file.get(), change);
    }

    void save(int file, Change& change) {
        const uint64_t left =
            recorder_.options_.budget.count - std::min(recorder_.options_.budget.count, used_);
        auto blob = recorder_.set_.create_blob(++recorder_.last_blob_);
        if (!blob) return fail(std::move(blob).error());
        auto copied = copy_contents(file, blob->get(), left);
        if (copied) {
            used_ += *copied;
            change.blob = recorder_.last_blob_;
        } else if (copied.error().error_number() == EFBIG) {
            change.not_saved = kTooMuch;
            if (::ftruncate(blob->get(), 0) != 0) fail(errno_error("give back room"));
        } else {
            fail(std::move(copied).error());
        }
    }

    /// A change as it was found the last time.
    void keep(const Change& change) {
        struct stat info {};
        if (const auto blob = recorder_.set_.open_blob(change.blob); change.blob != 0 && blob)
            if (::fstat(blob->get(), &info) == 0) used_ += static_cast<uint64_t>(info.st_blocks) * 512;
        push(change);
    }

    [[nodiscard]] bool hid_all(const std::string& path) const {
        const auto before = recorder_.hidden_.find(path);
        return before != recorder_.hidden_.end() && before->second.hides_all;
    }

    void remember(const std::string& path, const HostState& base, bool hides_all) {
        hidden_.insert_or_assign(path, Hidden{base, hides_all});
    }

    /// What the host had when the cell's version took its place: a person's later work must not be taken for
    /// it, or it would be undone. `is_new`: the path was hidden before the host had anything there.
    [[nodiscard]] HostState base_of(const std::string& path, const HostState& host,
                                    bool is_new = false) const {
        if (const auto known = bases_.find(path); known != bases_.end()) return known->second;
        const auto& applied = recorder_.set_.applied();
        if (const auto known = applied.find(path); known != applied.end()) return known->second;
        if (const auto known = recorder_.hidden_.find(path); known != recorder_.hidden_.end())
            return known->second.base;
        if (is_new) return {};
        HostState base = host;
        // Changed by both at once; with no time of change it equals nothing that the host can have.
        if (host.exists && host.type != Type::directory && host.ctime_ns > cell_began_ns_) base.ctime_ns = 0;
        return base;
    }

    Change add(Change change, const HostState& host, bool is_new = false) {
        if (change.kind == Kind::added && host.exists)
            change.kind =
                change.type == Type::directory && host.type == Type::directory ? Kind::mode : Kind::modified;
        change.base = base_of(change.path, host, is_new);
        remember(change.path, change.base, change.type != Type::directory || change.kind == Kind::deleted);
        push(change);
        return change;
    }

    void add_deleted(const std::string& path, int depth, bool is_new) {
        const HostState host = look(recorder_.directory_fd(), path);
        if (!host.exists) return remember(path, host, true);
        if (host.type == Type::directory) add_deleted_children(path, depth, is_new || hid_all(path));
        Change change;
        change.path = path;
        change.kind = Kind::deleted;
        change.type = host.type;
        change.mode = host.mode;
        add(std::move(change), host, is_new);
    }

    /// What lies below goes first, so that a directory is empty when its turn comes.
    void add_deleted_children(const std::string& path, int depth, bool is_new) {
        if (depth >= kMaxDepth) {
            complete_ = false;
            return;
        }
        const auto directory = open_beneath(recorder_.directory_fd(), path, O_RDONLY | O_DIRECTORY);
        if (!directory) return;
        for (const std::string& name : more_names(directory->get())) {
            const std::string below = join(path, name);
            if (!may_visit(below)) return;
            add_deleted(below, depth + 1, is_new);
        }
    }

    void push(Change change) {
        if (changes_.size() < kMaxChanges)
            changes_.push_back(std::move(change));
        else
            complete_ = false;
    }

    [[nodiscard]] std::string host_target(const std::string& path) const {
        const auto parent = open_beneath(recorder_.directory_fd(), parent_of(path), O_PATH | O_DIRECTORY);
        return parent ? link_target(parent->get(), name_of(path)) : "";
    }

    void fail(Error error) {
        if (!trouble_) trouble_ = std::move(error);
    }

    Recorder& recorder_;
    const Pass pass_;
    const int64_t cell_began_ns_;
    int64_t now_ns_ = 0;
    size_t visits_ = 0;
    size_t name_bytes_ = 0;
    uint64_t used_ = 0;
    bool complete_ = true;
    std::optional<Error> trouble_;
    std::vector<Change> changes_;
    std::unordered_map<std::string, HostState> bases_;
    std::unordered_map<std::string, Seen> seen_;
    std::unordered_map<std::string, Hidden> hidden_;
};

Result<std::unique_ptr<Recorder>> Recorder::create(Options options) {
    UniqueFd directory = TRY(open_real_directory(options.directory));
    Header header;
    header.directory = options.directory;
    header.pid = ::getpid();
    header.started = std::time(nullptr);
    Set set = TRY(Set::create(options.state_directory, header));
    return std::unique_ptr<Recorder>(new Recorder(std::move(options), std::move(set), std::move(directory)));
}

Result<void> Recorder::record(int layer_fd, Pass pass, int64_t cell_began_ns) {
    const UniqueFd held = TRY(set_.lock());
    // What was applied meanwhile rests on the host's new state.
    TRY(set_.reread());
    return Scan(*this, pass, cell_began_ns).run(layer_fd);
}

}  // namespace cellblock::changes
