// A set: what the cells of one kernel have changed in one directory, kept in a directory of the user's state
// until it is applied or discarded. Names that cells chose are text in it, never names of its own files.
//
//     <state>/20261121-190512-4711/    manifest   one JSON object a line: the set, then each change
//                                      files/7    contents
//                                      lock       held while one program reads or writes the set
//                                      running    held by the kernel as long as it lives
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/user_directories.hpp"
#include "changes/change.hpp"

namespace cellblock::changes {

/// Changes of one set. What is beyond is not recorded, and said.
inline constexpr size_t kMaxChanges = 16384;
/// Sets that are kept. No kernel that would make another starts: each may take as much of the disk as its
/// kernel's --scratch says. What a killed kernel has left with no change in it is removed then, and does not
/// count.
inline constexpr size_t kMaxSets = 32;
/// Of a manifest: its lines have a few hundred bytes, and up to three for each byte of a name.
inline constexpr size_t kMaxManifest = size_t{256} * 1024 * 1024;

/// $XDG_STATE_HOME/cellblock/changes, else ~/.local/state/cellblock/changes. An error when neither is known.
Result<std::string> state_directory(const Variables& variable);

struct Header {
    std::string directory;  ///< whose files were changed, absolute
    int pid = 0;            ///< of the kernel
    int64_t started = 0;    ///< seconds since 1970
    bool complete = true;   ///< false: there were more than kMaxChanges
};

class Set {
  public:
    /// A new, empty one, which `header` describes; held as running until it is destroyed, and removed then
    /// when nothing was ever in it.
    static Result<Set> create(const std::string& state_directory, const Header& header);
    /// An existing one, locked until it is destroyed; waits for whoever holds it (a cell's end, a command).
    static Result<Set> open(const std::string& state_directory, const std::string& id);
    Set(Set&&) = default;
    Set& operator=(Set&&) = delete;
    Set(const Set&) = delete;
    ~Set();

    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] const Header& header() const { return header_; }
    [[nodiscard]] const std::vector<Change>& changes() const { return changes_; }
    /// Whether its kernel lives.
    [[nodiscard]] bool is_running() const;

    /// For the kernel: takes the lock until the value is destroyed.
    Result<UniqueFd> lock();
    /// What apply() has left on the host, by path, as long as the kernel has not taken note of it: only
    /// against that can a later edit of a person's be told from our own work.
    [[nodiscard]] const std::unordered_map<std::string, HostState>& applied() const { return applied_; }
    void note_applied(const std::string& path, const HostState& state) { applied_[path] = state; }
    /// With the next write().
    void forget_applied() { applied_.clear(); }

    /// Reads the list again, when somebody else has written it. The lock must be held.
    Result<void> reread();
    /// Replaces the list, and removes contents that nobody names any more.
    Result<void> write(std::vector<Change> changes, bool complete);
    /// Removes contents that the list does not name.
    void remove_unnamed() const;
    /// A new file for contents.
    Result<UniqueFd> create_blob(uint64_t number);
    /// Contents for reading.
    [[nodiscard]] Result<UniqueFd> open_blob(uint64_t number) const;
    /// Removes the whole set.
    Result<void> remove();

  private:
    Set(std::string path, std::string id) : path_(std::move(path)), id_(std::move(id)) {}
    Result<void> read();
    /// How many sets there are, after removing those that killed kernels have left with nothing in them. No
    /// command lists these, so nobody else would, and kMaxSets of them would keep kernels from starting.
    static Result<size_t> count_and_tidy(const std::string& state_directory);
    [[nodiscard]] std::pair<ino_t, int64_t> manifest_state() const;

    std::string path_;
    std::string id_;
    Header header_;
    std::vector<Change> changes_;
    std::unordered_map<std::string, HostState> applied_;
    std::pair<ino_t, int64_t> manifest_;  // inode and time, as it was when the list was read or written here
    UniqueFd lock_;
    UniqueFd running_;  // of create() only
};

/// The names of the sets there are, oldest first.
Result<std::vector<std::string>> list_sets(const std::string& state_directory);

/// Copies `from` to the empty file `to`, with its holes. At most `limit` bytes of data; the value says how
/// many, and more is EFBIG.
Result<uint64_t> copy_contents(int from, int to, uint64_t limit);

}  // namespace cellblock::changes
