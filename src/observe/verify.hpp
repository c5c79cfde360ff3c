// Is the log what was written? Follows the chain from the first record to the last, and says which record is
// the first that is wrong, and in which way.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "observe/key.hpp"
#include "observe/reader.hpp"
#include "observe/record.hpp"

namespace cellblock::observe {

enum class Wrong {
    edited,     ///< the record's bytes are not those that were chained
    deleted,    ///< records are missing before others
    inserted,   ///< there is something between two records that belong together
    reordered,  ///< the record stands somewhere else
    truncated,  ///< records at the end are missing: a checkpoint knows of more
    rewritten,  ///< the chain fits, but it is not the one that was signed
};
std::string_view to_text(Wrong wrong);

struct Finding {
    Wrong wrong = Wrong::edited;
    uint64_t seq = 0;  ///< of the first record that is wrong or missing
    Place place;       ///< where this shows
    std::string what;  ///< a sentence
};

struct VerifyOptions {
    /// Public keys that checkpoints are checked with; none: their signatures are not checked.
    const PublicKeys* keys = nullptr;
    /// Checkpoints that were kept elsewhere, as lines of the log: what they know of must be there.
    std::vector<std::string> kept_checkpoints;
    /// The first segments may be gone (archived).
    bool begins_anywhere = false;
};

struct VerifyReport {
    std::optional<Finding> finding;  ///< the first; what comes after it was not looked at
    uint64_t records = 0;
    uint64_t segments = 0;
    uint64_t bytes = 0;
    uint64_t checkpoints = 0;   ///< with a valid signature
    uint64_t unchecked = 0;     ///< checkpoints without a key to check them with
    uint64_t signed_up_to = 0;  ///< the last record that a checkpoint vouches for; 0: none
    uint64_t torn = 0;          ///< records that were never finished, as the record after each of them says
    uint64_t unfinished_bytes =
        0;  ///< of a record at the very end that was never finished: the next writer will say so
    Position last;
    std::string first_time;
    std::string last_time;

    [[nodiscard]] bool ok() const { return !finding; }
};

Result<VerifyReport> verify(const std::string& directory, const VerifyOptions& options);

}  // namespace cellblock::observe
