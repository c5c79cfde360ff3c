// Widths count code points, which is right for what Cellblock prints.
#include "cli/table.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/printable.hpp"

namespace cellblock::cli {
namespace {

size_t width(const std::string& text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0U) != 0x80U; }));
}

}  // namespace

void Table::add(std::vector<std::string> row) {
    CHECK(row.size() == rows_.front().size());
    // Names and paths of others could otherwise steer the terminal.
    for (std::string& cell : row) cell = printable_line(cell);
    rows_.push_back(std::move(row));
}

std::string Table::text() const {
    std::vector<size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (size_t column = 0; column < row.size(); ++column)
            widths[column] = std::max(widths[column], width(row[column]));
    std::string result;
    for (const auto& row : rows_) {
        std::string line;
        for (size_t column = 0; column < row.size(); ++column) {
            line += row[column];
            line += std::string(widths[column] - width(row[column]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        result += line + "\n";
    }
    return result;
}

}  // namespace cellblock::cli
