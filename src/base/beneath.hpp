// Paths that strangers have chosen, below a directory: what they may look like, and how they are opened so
// that they lead nowhere else.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace cellblock {

/// True for what an overlay or a directory listing can yield: relative, no empty part, no "." or "..".
bool is_plain_path(std::string_view path);

/// Opens `path` below the directory `root_fd` ("" is that directory itself). No symbolic link is followed,
/// not on the way either, and nothing outside is reached whatever happens meanwhile (openat2(2),
/// RESOLVE_BENEATH). `mode` is for O_CREAT.
Result<UniqueFd> open_beneath(int root_fd, const std::string& path, int flags, mode_t mode = 0);

}  // namespace cellblock
