// One file of the store: a line that says what it is, and bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cellblock::run {

/// Another one whenever what is kept, or how, is.
inline constexpr std::string_view kStoreFormat = "cellblock store 3";

/// Finds damage, which is not an attacker's: the store is the user's own. SHA-256 would take longer than all
/// that comes after it in a run of a built program.
uint64_t checksum(std::string_view bytes);
/// Of a file of `size` bytes; nothing when it has less.
std::optional<uint64_t> checksum_of(int fd, uint64_t size);

/// A file that was not there before.
Result<void> write_new(const std::string& path, std::initializer_list<std::string_view> parts,
                       mode_t mode = 0600);

/// `kind` and `key` say what the bytes are; a file that was copied from another place is not taken for it.
Result<void> write_entry(const std::string& path, std::string_view kind, std::string_view key,
                         std::string_view bytes);
/// Nothing when there is none, or it is another one's, or not whole. Marks it as used.
std::optional<std::string> read_entry(const std::string& path, std::string_view kind, std::string_view key);

}  // namespace cellblock::run
