// A built program as an entry of the store: what is executable lies in files of its own, so that it can be
// shown.
#pragma once

#include <span>
#include <string>

#include "run/store.hpp"

namespace cellblock::run {

/// The store's directory of them.
inline constexpr const char* kPrograms = "programs";
// Within an entry that is a directory: what jails are shown, and how many bytes that is.
inline constexpr const char* kTree = "/tree";
inline constexpr const char* kSize = "/size";

/// In `fresh`, which is empty: the list of files, the programs among them in kTree, and kSize.
Result<void> write_program(const std::string& fresh, const std::string& key, std::span<const File> files);
/// What was written to `entry`, which `lock` holds; nothing when it is not whole.
std::optional<KeptProgram> read_program(const std::string& entry, UniqueFd lock, const std::string& key);

}  // namespace cellblock::run
