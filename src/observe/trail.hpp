// The audit log as a kernel uses it: what must be recorded before something happens, what is recorded because
// it has happened, and what follows when that cannot be done.
//
// What could not be recorded when it happened is kept (kMaxLate of them) and recorded, with its own time, as
// soon as that is possible; a record of type `gap` before it says how many come late, how many are missing,
// and why.
//
// Threads: any, at the same time.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "observe/log.hpp"

namespace cellblock::observe {

/// Records that wait for a log that can be written again; beyond it they are counted.
inline constexpr size_t kMaxLate = 64;
/// In one call.
inline constexpr size_t kMaxAtOnce = kMaxEntries - kMaxLate - 1;

/// What happens while the log cannot be written.
enum class OnError {
    stop,  ///< no cell runs
    go_on,
};

struct TrailOptions {
    LogOptions log;
    OnError on_error = OnError::stop;
};

class Trail {
  public:
    /// Opens nothing yet: a log that cannot be opened is the first record's trouble, and every later one
    /// tries again.
    explicit Trail(TrailOptions options) : options_(std::move(options)) {}

    /// Before something happens: an error means that it must not. With OnError::go_on there is none.
    Result<void> admit(std::vector<Entry> entries);
    /// Before something that has no record of its own: an error, as of admit(), after an attempt that failed
    /// and until one works. Attempts nothing itself, as an empty one could not tell whether there is room.
    [[nodiscard]] Result<void> permit() const;
    /// What has happened. The position is that of the last entry, or nothing when it is not in the log yet.
    std::optional<Position> note(std::vector<Entry> entries, Barrier barrier);
    /// Whether there is a key that checkpoints are signed with; nothing when the log cannot be opened.
    [[nodiscard]] std::optional<bool> is_signed();
    /// Signs and syncs what there is, as far as that works.
    void checkpoint();

    /// Why the last attempt failed, as a sentence; empty when it worked.
    [[nodiscard]] std::string trouble() const;

  private:
    Result<void> open();
    Result<Written> write(const std::vector<Entry>& entries, Barrier barrier);
    void keep(std::vector<Entry> entries);

    const TrailOptions options_;
    mutable std::mutex mutex_;
    std::unique_ptr<Log> log_;
    std::deque<Entry> late_;
    uint64_t missed_ = 0;
    std::string first_trouble_;  // of the gap that late_ and missed_ are about
    std::optional<Error> trouble_;
};

}  // namespace cellblock::observe
