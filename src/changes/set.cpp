// Files of a set. Its directory belongs to the user and is closed to everybody else; jails do not see it.
#include "changes/set.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/sys.hpp"
#include "changes/names.hpp"

namespace cellblock::changes {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kCopySize = 65536;
/// One line: a path of PATH_MAX bytes, three characters for each at most, and numbers.
constexpr off_t kMaxEmptyManifest = 16384;

json to_json(const HostState& state) {
    if (!state.exists) return nullptr;
    return {{"type", to_text(state.type)}, {"mode", state.mode},      {"inode", state.inode},
            {"size", state.size},          {"mtime", state.mtime_ns}, {"ctime", state.ctime_ns}};
}

json to_json(const Change& change) {
    return {{"path", encode(change.path)},  {"kind", to_text(change.kind)}, {"type", to_text(change.type)},
            {"mode", change.mode},          {"size", change.size},          {"target", encode(change.target)},
            {"base", to_json(change.base)}, {"blob", change.blob},          {"not_saved", change.not_saved}};
}

json to_json(const Header& header) {
    return {{"version", kVersion},
            {"directory", encode(header.directory)},
            {"pid", header.pid},
            {"started", header.started},
            {"complete", header.complete}};
}

template <class Word, size_t N>
Word read_word(const json& value, const std::array<Word, N>& words) {
    for (const Word word : words)
        if (value.get<std::string>() == to_text(word)) return word;
    throw json::other_error::create(501, "unknown word", nullptr);
}

constexpr std::array kTypes{Type::file, Type::directory, Type::symlink, Type::other};
constexpr std::array kKinds{Kind::added, Kind::modified, Kind::mode, Kind::deleted};

HostState read_state(const json& value) {
    HostState state;
    if (value.is_null()) return state;
    state.exists = true;
    state.type = read_word(value.at("type"), kTypes);
    value.at("mode").get_to(state.mode);
    value.at("inode").get_to(state.inode);
    value.at("size").get_to(state.size);
    value.at("mtime").get_to(state.mtime_ns);
    value.at("ctime").get_to(state.ctime_ns);
    return state;
}

std::string read_name(const json& value) {
    auto name = decode(value.get<std::string>());
    if (!name) throw json::other_error::create(501, "a name that cannot be decoded", nullptr);
    return *std::move(name);
}

Change read_change(const json& value) {
    Change change;
    change.path = read_name(value.at("path"));
    if (!is_plain_path(change.path))
        throw json::other_error::create(501, "a path that leads elsewhere", nullptr);
    change.kind = read_word(value.at("kind"), kKinds);
    change.type = read_word(value.at("type"), kTypes);
    change.mode = value.at("mode").get<mode_t>() & 0777U;
    value.at("size").get_to(change.size);
    change.target = read_name(value.at("target"));
    change.base = read_state(value.at("base"));
    value.at("blob").get_to(change.blob);
    value.at("not_saved").get_to(change.not_saved);
    return change;
}

Result<UniqueFd> locked_file(const std::string& path, int operation) {
    UniqueFd fd = TRY(sys::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    while (::flock(fd.get(), operation) != 0)
        if (errno != EINTR) return errno_error("lock " + path);
    return fd;
}

std::string new_id(const Header& header) {
    const auto seconds = static_cast<std::time_t>(header.started);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    const size_t length = std::strftime(text, sizeof text, "%Y%m%d-%H%M%S-", &parts);
    return std::string(text, length) + std::to_string(header.pid);
}

void remove_empty(const std::string& path) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
}

}  // namespace

Result<std::string> state_directory(const Variables& variable) {
    auto base = user_directory(UserDirectory::state, variable);
    if (!base)
        return std::move(base)
            .error()
            .context("find the directory for changed files")
            .with_remedy("Set HOME.");
    return *base + "/cellblock/changes";
}

Result<Set> Set::create(const std::string& state_directory, const Header& header) {
    std::error_code error;
    // The specification of the state directory wants 0700 for those that have to be made.
    const mode_t before = ::umask(077);
    fs::create_directories(state_directory, error);
    ::umask(before);
    if (error) return Error("create " + state_directory, error.value());
    const size_t others = TRY(count_and_tidy(state_directory));
    if (others >= kMaxSets)
        return Error("keep what cells change: the changes of " + std::to_string(others) +
                     " kernels are kept already")
            .with_remedy("Run: cellblock diff --list, then cellblock apply or cellblock discard.");
    std::string id = new_id(header);
    std::string path = state_directory + "/" + id;
    // A second session of this process in the same second.
    for (int again = 2; ::mkdir(path.c_str(), 0700) != 0; ++again) {
        constexpr int kAttempts = 100;
        if (errno != EEXIST || again > kAttempts) return errno_error("create " + path);
        id = new_id(header) + "-" + std::to_string(again);
        path = state_directory + "/" + id;
    }
    Set set(path, id);
    set.running_ = TRY(locked_file(path + "/running", LOCK_EX));
    if (::mkdir((path + "/files").c_str(), 0700) != 0) return errno_error("create " + path + "/files");
    set.header_ = header;
    const UniqueFd held = TRY(set.lock());
    TRY(set.write({}, true));
    return set;
}

Result<Set> Set::open(const std::string& state_directory, const std::string& id) {
    if (!is_plain_path(id) || id.find('/') != std::string::npos)
        return Error("open the changes \"" + printable(id) + "\": that is no name of changes");
    Set set(state_directory + "/" + id, id);
    struct stat info {};
    if (::stat(set.path_.c_str(), &info) != 0)
        return Error("there are no changes \"" + printable(id) + "\"")
            .with_remedy("\"cellblock diff --list\" lists them.");
    set.lock_ = TRY(set.lock());
    TRY(set.read());
    return set;
}

// Without the locks of their lists, which a command holds while a person thinks. A list is replaced as a
// whole.
Result<size_t> Set::count_and_tidy(const std::string& state_directory) {
    size_t count = 0;
    for (const std::string& id : TRY(list_sets(state_directory))) {
        Set set(state_directory + "/" + id, id);
        struct stat manifest {};
        // Long ones have changes in them. (Reading them all would take long.)
        const bool may_be_empty = ::stat((set.path_ + "/manifest").c_str(), &manifest) == 0 &&
                                  manifest.st_size <= kMaxEmptyManifest && !set.is_running();
        if (may_be_empty && set.read() && set.changes_.empty() && set.header_.complete)
            remove_empty(set.path_);
        else
            ++count;
    }
    return count;
}

Set::~Set() {
    if (running_.valid() && changes_.empty() && header_.complete) remove_empty(path_);
}

bool Set::is_running() const {
    const auto fd = sys::open(path_ + "/running", O_RDONLY | O_NOFOLLOW);
    return fd && ::flock(fd->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<UniqueFd> Set::lock() {
    return locked_file(path_ + "/lock", LOCK_EX);
}

std::pair<ino_t, int64_t> Set::manifest_state() const {
    struct stat info {};
    return ::stat((path_ + "/manifest").c_str(), &info) == 0
               ? std::pair{info.st_ino, info.st_ctim.tv_nsec + 1000000000 * info.st_ctim.tv_sec}
               : std::pair<ino_t, int64_t>{};
}

Result<void> Set::reread() {
    return manifest_state() == manifest_ ? Result<void>{} : read();
}

Result<void> Set::read() {
    manifest_ = manifest_state();
    const std::string text = TRY(sys::read_file(path_ + "/manifest", kMaxManifest));
    changes_.clear();
    applied_.clear();
    // A seam for exceptions: those of the JSON library end here.
    try {
        bool first = true;
        for (size_t at = 0; at < text.size();) {
            const size_t end = std::min(text.find('\n', at), text.size());
            const json line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                                          text.begin() + static_cast<std::ptrdiff_t>(end));
            at = end + 1;
            if (line.contains("applied")) {
                applied_[read_name(line.at("applied"))] = read_state(line.at("state"));
                continue;
            }
            if (!first) {
                changes_.push_back(read_change(line));
                continue;
            }
            first = false;
            if (line.at("version").get<int>() != kVersion)
                return Error("read " + path_ + ": another version of Cellblock wrote it");
            header_.directory = read_name(line.at("directory"));
            line.at("pid").get_to(header_.pid);
            line.at("started").get_to(header_.started);
            line.at("complete").get_to(header_.complete);
        }
        if (first) return Error("read " + path_ + "/manifest: it is empty");
    } catch (const json::exception& error) {
        return Error("read " + path_ + "/manifest: " + error.what());
    }
    return {};
}

Result<void> Set::write(std::vector<Change> changes, bool complete) {
    header_.complete = complete;
    std::string text = to_json(header_).dump() + "\n";
    for (const Change& change : changes) text += to_json(change).dump() + "\n";
    for (const auto& [path, state] : applied_)
        text += json{{"applied", encode(path)}, {"state", to_json(state)}}.dump() + "\n";
    const std::string fresh = path_ + "/manifest.new";
    {
        const UniqueFd fd = TRY(sys::open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        TRY(sys::write_all(fd.get(), text));
    }
    if (::rename(fresh.c_str(), (path_ + "/manifest").c_str()) != 0) return errno_error("write " + path_);
    manifest_ = manifest_state();
    changes_ = std::move(changes);
    remove_unnamed();
    return {};
}

void Set::remove_unnamed() const {
    std::set<std::string> named;
    for (const Change& change : changes_)
        if (change.blob != 0) named.insert(std::to_string(change.blob));
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path_ + "/files", error))
        if (!named.contains(entry.path().filename())) fs::remove(entry.path(), error);
}

Result<UniqueFd> Set::create_blob(uint64_t number) {
    return sys::open(path_ + "/files/" + std::to_string(number), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW,
                     0600);
}

Result<UniqueFd> Set::open_blob(uint64_t number) const {
    return sys::open(path_ + "/files/" + std::to_string(number), O_RDONLY | O_NOFOLLOW);
}

Result<void> Set::remove() {
    std::error_code error;
    fs::remove_all(path_, error);
    if (error) return Error("remove " + path_, error.value());
    return {};
}

Result<std::vector<std::string>> list_sets(const std::string& state_directory) {
    std::vector<std::string> ids;
    std::error_code error;
    for (fs::directory_iterator at(state_directory, error), end; !error && at != end; at.increment(error))
        if (fs::exists(at->path() / "manifest", error)) ids.push_back(at->path().filename());
    if (error && error != std::errc::no_such_file_or_directory)
        return Error("list " + state_directory, error.value());
    std::ranges::sort(ids);
    return ids;
}

Result<uint64_t> copy_contents(int from, int to, uint64_t limit) {
    uint64_t copied = 0;
    char buffer[kCopySize];
    off_t at = 0;
    while (true) {
        const off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;  // no data behind `at`
        if (data < 0) return errno_error("copy a file");
        const off_t hole = ::lseek(from, data, SEEK_HOLE);
        if (hole < 0) return errno_error("copy a file");
        for (at = data; at < hole;) {
            const size_t wanted = std::min(sizeof buffer, static_cast<size_t>(hole - at));
            const ssize_t n = ::pread(from, buffer, wanted, at);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_error("copy a file");
            if (n == 0) break;  // it was cut meanwhile
            copied += static_cast<uint64_t>(n);
            if (copied > limit) return Error("copy a file", EFBIG);
            if (::pwrite(to, buffer, static_cast<size_t>(n), at) != n) return errno_error("copy a file");
            at += n;
        }
        if (at < hole) break;
    }
    struct stat info {};
    if (::fstat(from, &info) != 0 || ::ftruncate(to, info.st_size) != 0) return errno_error("copy a file");
    return copied;
}

}  // namespace cellblock::changes
