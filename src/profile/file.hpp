// Reading files that others may have written or put in the way: regular files of bounded size, from an owner
// that the layer trusts. Whatever else lies there (a FIFO, a device) is not even opened.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"

namespace cellblock::profile {

enum class Trust {
    system,    ///< the owner's that is asked for (root), and writable for nobody else
    user,      ///< of this user or of root, and not writable for everybody
    stranger,  ///< anybody's, but not a symbolic link, which could lead to what only we can read
};

/// Nothing when there is no such file. Anything else that keeps it from being read is an error. `owner` is
/// whom Trust::system means.
Result<std::optional<std::string>> read_if_present(const std::string& path, Trust trust, size_t max_size,
                                                   uid_t owner = 0);

}  // namespace cellblock::profile
