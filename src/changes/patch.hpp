// Unified diffs of texts, as `diff -u` writes them, for people to read: names and lines are printable().
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cellblock::changes {

/// Larger files are not compared line by line.
inline constexpr size_t kMaxPatchedSize = size_t{1} << 20U;
/// Lines that differ between the first and the last difference, in either text; beyond it all of them are
/// shown as replaced.
inline constexpr size_t kMaxComparedLines = 2000;

/// True for what has no zero byte and is no larger than kMaxPatchedSize.
bool is_text(std::string_view contents);

/// The hunks between `before` and `after` with a header for `path`; a text that does not exist is nullopt.
std::string unified_diff(const std::string& path, std::optional<std::string_view> before,
                         std::optional<std::string_view> after);

}  // namespace cellblock::changes
