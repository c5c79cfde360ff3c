// Where the lines of somebody's code have gone when a template was put around it, and the way back:
// compilers, tracebacks and panics speak of lines of the file, and people look for them in what they wrote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cellblock::run {

/// Lines of one file that come from one value of a template.
struct Region {
    std::string file;  ///< path in the program
    size_t first = 1;  ///< line
    size_t count = 0;
    size_t indent = 0;  ///< columns that were put before each
    std::string name;   ///< of the value: "code"
};

class LineMap {
  public:
    LineMap() = default;
    explicit LineMap(std::vector<Region> regions) : regions_(std::move(regions)) {}

    [[nodiscard]] bool is_empty() const { return regions_.empty(); }
    [[nodiscard]] const std::vector<Region>& regions() const { return regions_; }
    /// The text with every place that lies in a region named so: `main.py", line 17` → `code", line 5`,
    /// `main.go:17:3` → `code:5:1`. Places outside of all regions stay as they are.
    [[nodiscard]] std::string apply(std::string_view text) const;

  private:
    friend class MappedLines;
    /// One line. `file` is the one that was spoken of last: rustc shows its lines with their numbers before
    /// them.
    [[nodiscard]] std::string apply_to_line(std::string_view line, std::string& file) const;
    [[nodiscard]] const Region* find(std::string_view file, size_t line) const;
    bool replace_place(std::string_view line, size_t& at, std::string& out, std::string& file) const;

    std::vector<Region> regions_;
};

/// The same for text that arrives in pieces.
class MappedLines {
  public:
    /// A longer line is passed on as it is.
    static constexpr size_t kMaxLine = 64 * 1024;

    /// `map` must outlive this.
    explicit MappedLines(const LineMap& map) : map_(map) {}
    /// What is finished by these bytes.
    std::string add(std::string_view bytes);
    /// The rest.
    std::string finish();

  private:
    const LineMap& map_;
    std::string unfinished_;
    std::string file_;
    bool is_too_long_ = false;
};

}  // namespace cellblock::run
