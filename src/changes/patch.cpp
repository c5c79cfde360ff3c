// The longest common subsequence of lines, by the textbook's table; what both texts begin and end with is
// left out of it.
#include "changes/patch.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "changes/names.hpp"

namespace cellblock::changes {
namespace {

constexpr size_t kContext = 3;

struct Line {
    char sign;  // ' ', '-', '+'
    std::string_view text;
};

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t length = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return lines;
}

using Lines = std::vector<std::string_view>;

void compare_middle(const Lines& before, const Lines& after, std::vector<Line>& out) {
    const size_t rows = before.size();
    const size_t columns = after.size();
    if (rows > kMaxComparedLines || columns > kMaxComparedLines) {
        for (const auto line : before) out.push_back({'-', line});
        for (const auto line : after) out.push_back({'+', line});
        return;
    }
    // length[i][j]: of the longest common subsequence of what follows i and j.
    std::vector<std::vector<uint16_t>> length(rows + 1, std::vector<uint16_t>(columns + 1, 0));
    for (size_t i = rows; i-- > 0;)
        for (size_t j = columns; j-- > 0;)
            length[i][j] = before[i] == after[j] ? static_cast<uint16_t>(length[i + 1][j + 1] + 1)
                                                 : std::max(length[i + 1][j], length[i][j + 1]);
    size_t i = 0;
    size_t j = 0;
    while (i < rows || j < columns) {
        if (i < rows && j < columns && before[i] == after[j]) {
            out.push_back({' ', before[i++]});
            ++j;
        } else if (i < rows && (j == columns || length[i + 1][j] >= length[i][j + 1])) {
            out.push_back({'-', before[i++]});
        } else {
            out.push_back({'+', after[j++]});
        }
    }
}

std::vector<Line> compare(const Lines& before, const Lines& after) {
    size_t head = 0;
    while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
    size_t tail = 0;
    while (tail < before.size() - head && tail < after.size() - head &&
           before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
        ++tail;
    const auto middle = [&](const Lines& lines) {
        return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                     lines.end() - static_cast<std::ptrdiff_t>(tail));
    };
    std::vector<Line> out;
    for (size_t i = 0; i < head; ++i) out.push_back({' ', before[i]});
    compare_middle(middle(before), middle(after), out);
    for (size_t i = before.size() - tail; i < before.size(); ++i) out.push_back({' ', before[i]});
    return out;
}

std::string shown(const Line& line) {
    std::string_view text = line.text;
    const bool ends = text.ends_with('\n');
    if (ends) text.remove_suffix(1);
    std::string out(1, line.sign);
    // A tab is no harm in a text.
    while (!text.empty()) {
        const size_t length = std::min(text.find('\t'), text.size());
        out += printable(text.substr(0, length));
        if (length < text.size()) out += '\t';
        text.remove_prefix(std::min(length + 1, text.size()));
    }
    return out + (ends ? "\n" : "\n\\ No newline at end of file\n");
}

std::string range(size_t first, size_t count) {
    return std::to_string(count == 0 ? first : first + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

}  // namespace

bool is_text(std::string_view contents) {
    return contents.size() <= kMaxPatchedSize && contents.find('\0') == std::string_view::npos;
}

std::string unified_diff(const std::string& path, std::optional<std::string_view> before,
                         std::optional<std::string_view> after) {
    const std::vector<Line> lines = compare(lines_of(before.value_or("")), lines_of(after.value_or("")));
    std::string out = "--- " + (before ? "a/" + printable(path) : "/dev/null") + "\n+++ " +
                      (after ? "b/" + printable(path) : "/dev/null") + "\n";
    size_t old_line = 0;
    size_t new_line = 0;
    for (size_t at = 0; at < lines.size();) {
        // The hunk ends where more than twice the context is the same.
        size_t first = at;
        while (first < lines.size() && lines[first].sign == ' ') ++first;
        if (first == lines.size()) break;
        size_t last = first;
        for (size_t i = first; i < lines.size() && i - last <= 2 * kContext; ++i)
            if (lines[i].sign != ' ') last = i;
        const size_t begin = std::max(at, first - std::min(first, kContext));
        const size_t end = std::min(lines.size(), last + 1 + kContext);
        old_line += begin - at;
        new_line += begin - at;
        size_t old_count = 0;
        size_t new_count = 0;
        std::string hunk;
        for (size_t i = begin; i < end; ++i) {
            old_count += lines[i].sign != '+' ? 1U : 0U;
            new_count += lines[i].sign != '-' ? 1U : 0U;
            hunk += shown(lines[i]);
        }
        out += "@@ -" + range(old_line, old_count) + " +" + range(new_line, new_count) + " @@\n" + hunk;
        old_line += old_count;
        new_line += new_count;
        at = end;
    }
    return out;
}

}  // namespace cellblock::changes
