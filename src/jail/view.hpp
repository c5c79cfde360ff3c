// The mount view of one jail: compiled from the policy tables and the plan before the clone, built by the
// child with system calls alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "jail/identity.hpp"
#include "jail/jail.hpp"
#include "jail/policy/landlock.hpp"

namespace cellblock::jail {

/// One thing to put at one absolute path of the new root.
struct ViewStep {
    enum class Kind {
        directory,
        text,
        symlink,
        tree,
        shown_directory,
        shown_file,
        changed_directory,
        device,
        scratch,
        shared_memory,
        processes,
        terminals
    };
    Kind kind;
    std::string path;
    std::string
        argument;  ///< text: contents · symlink: target · scratch: directory's name · shown_file: its name
    mode_t mode = 0755;  ///< directory, scratch
    /// tree, shown_directory, changed_directory, device, shown_file (the directory): index into View::trees
    int tree = -1;
};

/// A host tree, opened before the root changes. In root mode the parent opens what only root may traverse to.
struct HostTree {
    std::string source;
    bool is_directory = false;
    bool is_device = false;
    bool is_layer = false;  ///< to become the layer of an overlay: alone, without what is mounted below it
    bool is_writable = false;
    mode_t mode = 0;   ///< permissions
    dev_t device = 0;  ///< what stood at `source` when the plan was made; something else by now is an error
    ino_t inode = 0;
    int fd = -1;  ///< the child's descriptor of the detached mount
};

struct View {
    std::vector<HostTree> trees;
    std::vector<ViewStep> base;
    std::vector<ViewStep> environment;
    std::vector<UniqueFd> parent_fds;  ///< owners of trees[…].fd that the parent opened
    std::string scratch_size;
    std::string scratch_inodes;
    std::string shared_memory_size;
    int proc_fd = -1;  ///< child: detached mount of the jail's /proc
    /// Child: one overlay's fsopen(2) context for each directory and file shown through one, by which the
    /// parent can refresh it. As many as there are of these; -1 until made.
    std::vector<int> context_fds;
    /// Mounts that take writes; at most one of them is a changed directory.
    std::vector<policy::WritablePath> writable_paths;
    bool has_changed_directory = false;
    size_t changed_context = 0;  ///< its place among context_fds
    int changes_fd = -1;         ///< child: the directory of its upper layer
};

/// Parent, before the clone: looks at the host and decides. Errors name a mount that cannot be.
Result<View> compile_view(const Plan& plan, const Identity& identity);

// Child. Each returns 0 or -errno and leaves in `detail` the path that it was at.

/// Detaches the host's trees and /proc as descriptors while the host is still in sight.
int open_host_trees(View& view, const char*& detail);
int open_process_view(View& view, const char*& detail);
/// A tmpfs becomes the root. The host's is out of sight, and holds what the view is built of.
int enter_new_root(const View& view, const char*& detail);
int build_base(const View& view, const char*& detail);
int show_environment(View& view, const char*& detail);
/// The host's root is unmounted, and all else that the view does not show.
int leave_old_root(const char*& detail);
int forbid_namespaces(const char*& detail);
int mask_processes(const char*& detail);
int make_root_read_only(const char*& detail);

/// Directories that the child hands over, to be looked at and written to by the parent: one of each file
/// system that takes writes, and the home directory.
inline constexpr const char* kHandedOver[] = {"/tmp", "/dev/shm", kHome};
inline constexpr size_t kSpaces = 2;          ///< the first ones are looked at for how full they are
inline constexpr size_t kHomeHandedOver = 2;  ///< the home directory's place
/// Parent: how full the spaces are, by descriptors in the order of kHandedOver.
std::vector<Space> read_spaces(const std::vector<UniqueFd>& descriptors);

}  // namespace cellblock::jail
