// Recorder: compares the layer that takes a jail's writes with the host's directory, and keeps what differs
// in a Set.
//
// The layer is written by hostile processes, also while it is read: nothing in it is followed, waited for or
// believed beyond what one fstat(2) of an open descriptor says, and everything has a bound. Its format is
// overlayfs's: https://docs.kernel.org/filesystems/overlayfs.html (whiteouts, opaque directories,
// "userxattr").
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "changes/set.hpp"

namespace cellblock::changes {

/// Directories below one another that are looked into.
inline constexpr int kMaxDepth = 64;
/// Names that one pass looks at, and the bytes of all their paths: each costs memory in several lists and a
/// line of the manifest, and a directory that is renamed while it is read can be met again and again. What is
/// beyond is not recorded, and said.
inline constexpr size_t kMaxVisits = 8 * kMaxChanges;
inline constexpr size_t kMaxNameBytes = size_t{4} * 1024 * 1024;
/// A time stamp of the layer that is older than this cannot be given to a later write.
inline constexpr int64_t kTimeStep = 50'000'000;

class Recorder {
  public:
    struct Options {
        std::string state_directory;
        std::string directory;  ///< the host's, absolute
        Bytes budget{0};        ///< of all contents that are kept
    };
    /// Fails when no changes could be kept; the directory must exist.
    static Result<std::unique_ptr<Recorder>> create(Options options);

    enum class Pass {
        quick,     ///< contents whose time stamps are the same are taken to be the same
        thorough,  ///< every file is read: writes through a mapping leave no time stamp
    };
    /// Brings the set up to date with the layer. Blocking; as long as it takes to copy what is new.
    /// What the host has changed since `cell_began_ns` (nanoseconds since 1970) is not taken for what the
    /// cell saw when it made its change.
    Result<void> record(int layer_fd, Pass pass, int64_t cell_began_ns = INT64_MAX);

    [[nodiscard]] Set& set() { return set_; }
    [[nodiscard]] int directory_fd() const { return directory_.get(); }

  private:
    /// What is remembered of a file of the layer: it need not be read again while neither side has changed.
    struct Seen {
        uint64_t inode = 0;
        uint64_t size = 0;
        mode_t mode = 0;
        int64_t ctime_ns = 0;
        bool settled = false;
        HostState compared_with;
        bool differs = false;
        Change change;  // where it differs
    };
    /// What is remembered of every path of the layer.
    struct Hidden {
        HostState base;          ///< the host's that the cell's version rests on
        bool hides_all = false;  ///< also what the host gets below it later
    };
    class Scan;

    Recorder(Options options, Set set, UniqueFd directory)
        : options_(std::move(options)), set_(std::move(set)), directory_(std::move(directory)) {}

    Options options_;
    Set set_;
    UniqueFd directory_;
    std::unordered_map<std::string, Seen> seen_;
    std::unordered_map<std::string, Hidden> hidden_;
    uint64_t last_blob_ = 0;
};

}  // namespace cellblock::changes
