// Names of files that cells have chosen: how they are opened, stored, shown, and which of them are protected.
// A name is any sequence of bytes but "/" and zero; a path here is relative, and has neither "." nor "..".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/beneath.hpp"
#include "base/printable.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace cellblock::changes {

/// Opens a directory of which `path` is the real path: a link anywhere on the way is an error.
Result<UniqueFd> open_real_directory(const std::string& path);

/// "a/b" and "c" of "a/b/c"; "" and "c" of "c".
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);

/// `path` is `directory` or lies below it.
bool is_below(std::string_view path, std::string_view directory);

using cellblock::is_plain_path;
using cellblock::open_beneath;
using cellblock::printable;
/// ASCII without control characters, and back; an error for what encode() cannot have written.
std::string encode(std::string_view name);
Result<std::string> decode(std::string_view text);

/// Files that programs of the host execute, or obey, without being asked to. One that a cell wrote is carried
/// over only when it is named.
struct ProtectedName {
    const char* glob;  ///< of one part of a path, fnmatch(3); the row holds for everything below it
    std::string_view reason;
};
std::span<const ProtectedName> protected_names();
/// The row that protects `path`, by its name or one of a directory above; null when none does.
const ProtectedName* find_protection(const std::string& path);

/// The same for many paths, which a cell may have made deep: the directories above are looked at once.
class Protections {
  public:
    const ProtectedName* find(const std::string& path);

  private:
    std::unordered_map<std::string, const ProtectedName*> directories_;
};

}  // namespace cellblock::changes
