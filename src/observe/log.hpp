// The audit log: records that any number of processes append to one directory at the same time. Each append
// takes the directory's lock, looks where the chain ends now, and writes whole lines; so each process sees
// the files as they are, also when they were rotated, replaced or removed since. What is damaged stays as it
// is and is spoken of in the next record; nothing is ever rewritten.
//
// A process never chains to something older than what it has seen: records that have disappeared leave a gap
// that `verify` finds.
//
// Threads: any, at the same time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "observe/key.hpp"
#include "observe/record.hpp"
#include "observe/segments.hpp"

namespace cellblock::observe {

/// When records are forced to the disk (fdatasync), so that a power cut cannot take them.
enum class Sync {
    each,      ///< after every append
    cell,      ///< when a cell has ended, before its reply is sent, and when a kernel starts and stops
    interval,  ///< at most kSyncInterval later, by a thread of its own
};
std::string_view to_text(Sync sync);

inline constexpr std::chrono::seconds kSyncInterval{1};
inline constexpr Bytes kSegmentSize = 64_MiB;
/// A checkpoint follows after so many records, besides those that are asked for.
inline constexpr uint64_t kCheckpointEvery = 256;
/// In one append.
inline constexpr size_t kMaxEntries = 128;

struct LogOptions {
    std::string directory;
    /// With the signing key and the newest checkpoint; empty: checkpoints are not signed.
    std::string keys_directory;
    Sync sync = Sync::cell;
    Bytes segment_size = kSegmentSize;
    std::chrono::milliseconds lock_patience{10'000};
    uint64_t checkpoint_every = kCheckpointEvery;
};

/// Whether an append ends something that `Sync::cell` waits for.
enum class Barrier { none, cell };

struct Written {
    Position last;  ///< of the last of the entries
    /// The records are in the file, but perhaps not on the disk.
    std::optional<Error> not_synced;
};

class Log {
  public:
    /// Makes the directory (mode 0700) if there is none, and proves that it can be locked and its end be
    /// read.
    static Result<std::unique_ptr<Log>> open(LogOptions options);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Appends all of `entries`, at most kMaxEntries, one after the other, or none of them. What could not be
    /// done after an earlier append (a checkpoint, a sync) is made up for first.
    Result<Written> append(std::span<const Entry> entries, Barrier barrier);
    /// Whether there was a key when it was opened.
    [[nodiscard]] bool is_signed() const { return key_.has_value(); }
    /// Signs the chain up to here, where there is a key, and forces it to the disk.
    Result<void> checkpoint();

  private:
    /// What the file that we write looked like when we left it.
    struct Open {
        std::shared_ptr<UniqueFd> fd;
        unsigned number = 0;
        uint64_t size = 0;
    };

    explicit Log(LogOptions options, std::optional<SigningKey> key);
    Result<DirectoryLock> lock();
    Result<void> find_end();
    bool is_as_we_left_it() const;
    Result<Position> open_newest();
    Result<Position> read_end(const std::vector<Segment>& segments);
    Result<void> create_segment(unsigned number);
    Result<void> write_entries(std::span<const Entry> entries);
    Result<void> write_bytes(std::string_view bytes);
    Result<void> sign();
    Result<void> sync_now();
    Result<void> settle_debts();
    void sync_every_interval();

    const LogOptions options_;
    const std::optional<SigningKey> key_;

    std::mutex mutex_;
    UniqueFd lock_fd_;
    Open open_;
    Position end_;                // of the chain, as it was when we looked last
    std::vector<Entry> remarks_;  // what was found at the end of the chain, to be recorded first
    bool line_is_unfinished_ = false;
    uint64_t unsigned_records_ = 0;
    bool owes_checkpoint_ = false;
    bool is_dirty_ = false;     // something may not be on the disk yet
    bool sync_failed_ = false;  // and the next append must not pass before it works

    std::condition_variable closing_;
    bool closes_ = false;
    std::thread syncer_;  // Sync::interval only; last, because it uses the others
};

/// The file in a keys directory with the newest checkpoint of the log in `directory`: that line of the log,
/// copied.
std::string newest_checkpoint_path(const std::string& keys_directory, const std::string& directory);
/// What a checkpoint's signature is about.
std::string signed_message(std::string_view record_before_signature);

}  // namespace cellblock::observe
