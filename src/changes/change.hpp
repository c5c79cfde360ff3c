// What a cell has changed in a directory of the host, one entry for each path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cellblock::changes {

enum class Kind { added, modified, mode, deleted };
enum class Type { file, directory, symlink, other };

std::string_view to_text(Kind kind);
std::string_view to_text(Type type);

/// What stands at a path of the host, as far as it takes to notice that somebody has changed it.
struct HostState {
    bool exists = false;
    Type type = Type::other;
    mode_t mode = 0;  ///< permissions
    uint64_t inode = 0;
    uint64_t size = 0;
    int64_t mtime_ns = 0;
    int64_t ctime_ns = 0;
    bool operator==(const HostState&) const = default;
};

struct Change {
    std::string path;  ///< relative to the directory; any bytes
    Kind kind = Kind::added;
    Type type = Type::file;  ///< what the cell has put there; of a deleted one, what the host has
    mode_t mode = 0;         ///< permissions; setuid, setgid and sticky bits are never among them
    uint64_t size = 0;       ///< of a file
    std::string target;      ///< of a symlink
    HostState base;          ///< the host's when the change was first seen
    uint64_t blob = 0;       ///< number of the saved contents; 0: none
    std::string not_saved;   ///< why there are no contents; empty: there are, or none are needed
    bool operator==(const Change&) const = default;
};

/// Without following a symbolic link at `path` or on the way to it. What cannot be looked at does not exist.
HostState look(int directory_fd, const std::string& path);

/// The host's state is still the one on which the change rests. Of directories only that there is one: their
/// times change with every file in them.
bool is_unchanged(const HostState& base, const HostState& now);

}  // namespace cellblock::changes
