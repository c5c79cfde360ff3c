// Words that people choose among, as values of options and settings.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cellblock {

/// The place of `text` among `known`. The error names them all, and the one that was probably meant.
Result<size_t> find_word(std::string_view text, std::span<const std::string_view> known);

/// The same among the rows of a table, of which `word` is a member.
template <class Rows, class Word>
Result<size_t> find_row(std::string_view text, const Rows& rows, Word word) {
    std::vector<std::string_view> known;
    for (const auto& row : rows) known.push_back(std::invoke(word, row));
    return find_word(text, known);
}

}  // namespace cellblock
