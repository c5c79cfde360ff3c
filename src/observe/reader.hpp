// Reading a log from its first line to the last, without changing anything and without holding writers up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "observe/segments.hpp"

namespace cellblock::observe {

/// Where something stands in the log, as people find it.
struct Place {
    std::string path;
    uint64_t line = 0;  ///< from 1
};

class Reader {
  public:
    struct Line {
        std::string_view text;  ///< without the line feed; valid until the next call
        /// False for the end of a file without line feed, and for the pieces of lines that are too long for
        /// records.
        bool whole = true;
    };

    /// Looks what there is, under the log's lock where that can be had: whoever writes just now has finished.
    /// An empty list of segments is no error.
    static Result<Reader> open(const std::string& directory);

    /// The next line; false at the end of what there was when open() or refresh() looked.
    Result<bool> next(Line& line);
    /// After next() said that there is no more: the beginning of a line that has no end yet.
    [[nodiscard]] std::string_view unfinished() const { return std::string_view(buffer_).substr(used_); }
    /// Looks again; next() goes on where it ended.
    Result<void> refresh();

    /// Of the line that next() gave.
    [[nodiscard]] Place place() const { return {segments_[current_].path, line_}; }
    [[nodiscard]] size_t segments() const { return segments_.size(); }
    [[nodiscard]] uint64_t bytes() const;

  private:
    struct Part {
        unsigned number = 0;
        std::string path;
        uint64_t size = 0;
    };

    explicit Reader(std::string directory) : directory_(std::move(directory)) {}
    Result<bool> fill();

    std::string directory_;
    std::vector<Part> segments_;
    size_t current_ = 0;
    UniqueFd fd_;
    uint64_t offset_ = 0;  // read of the current segment
    uint64_t line_ = 0;
    bool in_long_line_ = false;
    std::string buffer_;
    size_t used_ = 0;  // of buffer_
};

}  // namespace cellblock::observe
