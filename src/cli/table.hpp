// Tables for a terminal: a heading, and columns as wide as their widest cell.
#pragma once

#include <string>
#include <vector>

namespace cellblock::cli {

class Table {
  public:
    explicit Table(std::vector<std::string> heading) : rows_{std::move(heading)} {}
    /// As many cells as the heading has. What they quote of strangers is made printable here.
    void add(std::vector<std::string> row);
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace cellblock::cli
