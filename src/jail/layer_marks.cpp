// One question to the file system.
#include "jail/layer_marks.hpp"

#include <sys/xattr.h>

#include <cerrno>

namespace cellblock::jail {

// Asking is enough: a file system without such attributes does not say that there is none of this name.
bool keeps_marks(int layer_fd) {
    char value = 0;
    return ::fgetxattr(layer_fd, "user.overlay.opaque", &value, sizeof value) >= 0 || errno == ENODATA ||
           errno == ERANGE;
}

}  // namespace cellblock::jail
