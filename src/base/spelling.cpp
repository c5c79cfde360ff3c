// One row of the matrix at a time.
#include "base/spelling.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace cellblock {

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = std::exchange(row[0], i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

bool is_misspelt(std::string_view word, std::string_view known) {
    // Lengths first: words of others are as long as they like.
    const size_t longer = std::max(word.size(), known.size());
    const size_t shorter = std::min(word.size(), known.size());
    return longer - shorter <= kMisspelling && shorter > kMisspelling &&
           edit_distance(word, known) <= kMisspelling;
}

}  // namespace cellblock
