// Lets the user of one of root's jails act as the owner of one directory of the host: an idmapped mount.
#pragma once

#include <sys/stat.h>

#include "base/result.hpp"
#include "jail/identity.hpp"

namespace cellblock::jail {

/// `mount_fd` is a detached mount of the directory that `directory` describes. Afterwards the files in it
/// that belong to the directory's owner (and group) belong to the jail's host id there; all others keep
/// theirs. For root mode. Fails where the file system knows no idmapped mounts (mount_setattr(2)).
Result<void> show_as_owner(int mount_fd, const struct stat& directory, const Identity& identity);

}  // namespace cellblock::jail
