// Which cells of a saved notebook show what recorded cells produced. The notebook is a stranger's file; the
// records are those of a log that has been checked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cellblock::cli {

/// Larger notebooks, and those with more cells, or outputs in a cell, are refused.
inline constexpr size_t kMaxNotebook = size_t{256} << 20U;
inline constexpr size_t kMaxNotebookCells = 100'000;

enum class MatchState {
    match,       ///< a recorded cell of this code produced these outputs
    edited,      ///< the code is recorded, with other outputs, or the outputs with other code
    unrecorded,  ///< no record is about this code
    unclear,     ///< the code is recorded, and its outputs cannot be compared
    empty,       ///< nothing: no code and no outputs
};
std::string_view to_text(MatchState state);

/// A record that a cell's state refers to.
struct MatchedRecord {
    std::string seq;
    std::string time;
    std::string verdict;
    std::string kernel;
    std::string hash;
};

struct MatchedCell {
    size_t number = 0;  ///< among all cells, from 1
    std::string id;     ///< as the notebook says; may be empty
    std::string source;
    MatchState state = MatchState::unrecorded;
    std::string reason;  ///< a sentence, but for what matches
    std::optional<MatchedRecord> record;
};

class NotebookMatch {
  public:
    /// The code cells of a notebook (nbformat 4).
    static Result<NotebookMatch> read(std::string_view text);
    /// A whole record of the log, in the order of the log.
    void add_record(std::string_view type, std::string_view line);
    /// After the last record.
    std::vector<MatchedCell> cells();

  private:
    struct Cell {
        MatchedCell cell;
        std::string code;     // its hash, as records write it
        std::string outputs;  // the same
        bool has_outputs = false;
        std::string trouble;
    };
    struct Produced {
        MatchedRecord record;
        std::string cell_id;
        std::string trouble;
    };
    /// A cell in a kernel. Restarted kernels have the same id and count anew, and so the later one counts.
    using Run = std::pair<std::string, std::string>;

    void judge(Cell& cell) const;
    [[nodiscard]] const Produced* find(const std::string& code, const std::string& outputs,
                                       const std::string& cell_id) const;

    std::vector<Cell> cells_;
    std::set<std::string, std::less<>> codes_;
    std::set<std::string, std::less<>> outputs_;
    // By code and outputs, those that a cell of the notebook has; one for each id of a cell, the newest.
    std::map<std::pair<std::string, std::string>, std::map<std::string, Produced>> produced_;
    std::map<std::string, Produced> by_code_;       // the newest
    std::map<std::string, Produced> by_outputs_;    // the newest
    std::map<std::string, Produced> incomparable_;  // by code, the newest
    std::map<Run, Produced> ends_;                  // for records about what happened later
    std::map<Run, std::string> open_;               // cells without an end: their code
};

}  // namespace cellblock::cli
