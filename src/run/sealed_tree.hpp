// What a preparation has left, as a tree that is only read from then on.
#pragma once

#include <filesystem>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cellblock::run {

/// Checks and seals it: nothing but files and directories, which everybody may read. Its size.
Result<Bytes> seal(const std::filesystem::path& tree);

/// What tells a tree from what it was when it was sealed: a part that is gone, or was cut short when the
/// power went. Its bytes are not read, which would take longer than what they are for. Empty when it cannot
/// be told.
std::string fingerprint_of(const std::filesystem::path& tree);

}  // namespace cellblock::run
