// Which of the known words was meant: for the remedy of errors about unknown names.
#pragma once

#include <cstddef>
#include <string_view>

namespace cellblock {

/// What differs from a known word in so few letters was meant to be that one.
inline constexpr size_t kMisspelling = 2;

/// How many letters have to be added, removed or replaced to make one of the other (Levenshtein).
size_t edit_distance(std::string_view a, std::string_view b);

/// Whether `word` is `known` with at most kMisspelling mistakes, and not something else altogether.
bool is_misspelt(std::string_view word, std::string_view known);

}  // namespace cellblock
