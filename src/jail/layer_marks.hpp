// What the layer of a copy_on_write mount can remember. overlayfs marks a directory of its layer that has
// replaced one of the host's by an extended attribute in user.*, and tmpfs has those since Linux 6.6 only.
#pragma once

namespace cellblock::jail {

/// `layer_fd` is Jail::changes_fd(). False: inside, removing a directory of the host's that had something in
/// it, or making one where there was one, fails with EIO. Nothing else does.
bool keeps_marks(int layer_fd);

}  // namespace cellblock::jail
