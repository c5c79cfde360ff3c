// What a jail sees: one row a path, in the order in which they are built, each with its reason. The
// environment's own mounts (Plan::mounts) come after these. Nothing that has no row exists inside.
#pragma once

#include <span>

namespace cellblock::jail::policy {

enum class View {
    directory,     ///< empty directory; `argument` is its mode in octal
    host_tree,     ///< the host's file or tree, read-only with everything below; its symlinks stay symlinks.
                   ///< Absent inside when the host has none.
    host_symlink,  ///< the symlink as the host has it; when the host has no symlink there, like host_tree
    host_device,   ///< one device node of the host
    text,          ///< a generated file; `argument` names the generator
    symlink,       ///< to `argument`
    scratch,  ///< a directory of the one scratch tmpfs, capped in size and inodes, writable; `argument` is
              ///< its mode
    shared_memory,  ///< tmpfs, capped in size, writable
    processes,      ///< proc of the jail's own pid namespace
    terminals,      ///< devpts of its own
};

struct ViewRow {
    View view;
    const char* path;
    const char* argument;
    const char* reason;
};

/// The base system.
std::span<const ViewRow> base_view();

enum class Mask {
    read_only,         ///< readable, not writable
    hidden_file,       ///< an empty file
    hidden_directory,  ///< an empty directory
};

/// Parts of the jail's /proc that belong to the host. Absent paths are passed over; what is a directory where
/// a file is expected is hidden all the same.
struct MaskRow {
    Mask mask;
    const char* path;
    const char* reason;
};

std::span<const MaskRow> process_masks();

/// Sysctls of the jail's user namespace: a second lock behind the system call filter. Absent ones are passed
/// over.
struct QuotaRow {
    const char* path;
    const char* value;
    const char* reason;
};

std::span<const QuotaRow> namespace_quotas();

}  // namespace cellblock::jail::policy
