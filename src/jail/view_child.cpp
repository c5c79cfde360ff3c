// Child side of the mount view: system calls alone, no allocation. Order matters twice: what comes from the
// host is detached before the root changes, and our own file systems are mounted before what the environment
// brings, which may lie below them (/tmp/project/.venv).
#include <climits>
#include <cstdlib>

#include "jail/policy/mounts.hpp"
#include "jail/raw.hpp"
#include "jail/view.hpp"

namespace cellblock::jail {
namespace {

constexpr uint64_t kReadOnly = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr unsigned kWritable = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
// Where file systems stand that nobody is to reach later, while the view is built of parts of them: a mount
// in the host's root, with which it goes. (Each call of umount waits for a grace period of RCU: on a busy
// host for milliseconds.) Until then it is the working directory, and the following are names in it.
constexpr const char* kStaging = "/proc";  // Any directory that exists everywhere would do.
constexpr const char* kNewRoot = "root";
// The scratch file system, whose directories are handed out.
constexpr const char* kScratch = "scratch";
// The layers of overlays. One tree after the other is mounted over the one before.
constexpr const char* kTreeLayer = "tree";
constexpr const char* kEmptyLayer = "empty";
constexpr const char* kLowerLayers = "tree:empty";
// Where overlays stand of which a single file is shown.
constexpr const char* kOverlay = "overlay";
// The upper layer of the directory that takes writes: a file system of its own, so that it has a size.
constexpr const char* kChanges = "changes";
constexpr const char* kUpperLayer = "changes/upper";
constexpr const char* kWorkLayer = "changes/work";
// Room for directories, symlinks and small generated files.
constexpr const char* kRootSize = "4194304";

int stat_path(int dir_fd, const char* path, struct stat& info, int flags = 0) {
    return static_cast<int>(raw::call(SYS_newfstatat, dir_fd, path, &info, flags));
}

/// Something to mount on. What exists already is fine, whoever made it.
int make_mount_point(const char* path, bool is_directory) {
    const int e = is_directory ? raw::make_directory(path, 0755)
                               : static_cast<int>(raw::call(SYS_mknodat, AT_FDCWD, path, S_IFREG | 0444, 0));
    return e == -EEXIST ? 0 : e;
}

int make_path(const char* path, bool is_directory) {
    // Mostly what it lies in exists.
    if (const int e = make_mount_point(path, is_directory); e != -ENOENT) return e;
    char partial[PATH_MAX];
    const size_t length = std::strlen(path);
    if (length >= sizeof partial) return -ENAMETOOLONG;
    for (size_t i = 1; i < length; ++i) {
        if (path[i] != '/') continue;
        std::memcpy(partial, path, i);
        partial[i] = '\0';
        if (const int e = make_mount_point(partial, true); e < 0) return e;
    }
    return make_mount_point(path, is_directory);
}

int write_new_file(const ViewStep& step) {
    const int fd = raw::open(step.path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0444);
    if (fd < 0) return fd;
    const long n = raw::write(fd, step.argument.data(), step.argument.size());
    raw::close(fd);
    if (n < 0) return static_cast<int>(n);
    return static_cast<size_t>(n) == step.argument.size() ? 0 : -ENOSPC;
}

int attach(int mount_fd, const char* path) {
    if (mount_fd < 0) return mount_fd;
    const int e = raw::move_mount(mount_fd, path);
    raw::close(mount_fd);
    return e;
}

/// `at` is where `text` goes and, afterwards, where more goes; `end` is one past the last place. False when
/// there is no room.
bool append(char*& at, const char* end, const char* text) {
    const size_t length = std::strlen(text);
    if (length >= static_cast<size_t>(end - at)) return false;
    std::memcpy(at, text, length + 1);
    at += length;
    return true;
}

int mount_tmpfs(const char* path, const char* size, const char* inodes, const char* mode) {
    char options[128];
    char* at = options;
    for (const char* text : {"size=", size, ",nr_inodes=", inodes, ",mode=", mode})
        if (!append(at, options + sizeof options, text)) return -ENAMETOOLONG;
    return static_cast<int>(raw::call(SYS_mount, "tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options));
}

int mount_terminals(const char* path) {
    // Without nodev: a terminal is a device.
    return static_cast<int>(
        raw::call(SYS_mount, "devpts", path, "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0600"));
}

int detach_clone(const char* path) {
    return raw::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int open_host_tree(HostTree& tree) {
    if (tree.fd < 0) {
        // A device, an overlay's layer and what takes writes come without what is mounted below them, else
        // everything. For an ordinary user the kernel refuses (EINVAL) to show what such a mount covers.
        const bool alone = tree.is_device || tree.is_layer || tree.is_writable;
        const unsigned depth = alone ? 0U : static_cast<unsigned>(AT_RECURSIVE);
        tree.fd = raw::open_tree(AT_FDCWD, tree.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth);
        if (tree.fd < 0) return tree.fd;
    }
    struct stat now {};
    if (const int e = stat_path(tree.fd, "", now, AT_EMPTY_PATH); e < 0) return e;
    if (now.st_dev != tree.device || now.st_ino != tree.inode) return -ESTALE;
    // mount_setattr reaches submounts; a remount with MS_BIND|MS_RDONLY would leave them writable.
    if (tree.is_device)
        return raw::set_mount_attributes(tree.fd, "", AT_EMPTY_PATH,
                                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (tree.is_writable)
        return raw::set_mount_attributes(tree.fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return raw::set_mount_attributes(tree.fd, "", AT_EMPTY_PATH | AT_RECURSIVE, kReadOnly);
}

int show_tree(const ViewStep& step, const HostTree& tree) {
    if (const int e = make_path(step.path.c_str(), tree.is_directory); e < 0) return e;
    return attach(tree.fd, step.path.c_str());
}

int make_staging(const View& view) {
    if (const int e = mount_tmpfs(kStaging, "4096", "16", "0755"); e < 0) return e;
    if (const int e = raw::change_directory(kStaging); e < 0) return e;
    for (const char* directory : {kNewRoot, kScratch, kTreeLayer, kEmptyLayer, kOverlay})
        if (const int e = raw::make_directory(directory, 0755); e < 0) return e;
    return mount_tmpfs(kScratch, view.scratch_size.c_str(), view.scratch_inodes.c_str(), "0755");
}

/// A detached overlay over what is attached at kTreeLayer. Its context comes back in `context_fd`.
int make_overlay(int& context_fd) {
    context_fd = raw::open_filesystem("overlay");
    if (context_fd < 0) return context_fd;
    int e = raw::set_option(context_fd, "source", "overlay");
    // Without an upper layer the kernel wants two lower ones.
    if (e == 0) e = raw::set_option(context_fd, "lowerdir", kLowerLayers);
    // One device number for everything in it, as in the tree itself: du -x and find -xdev ask.
    if (e == 0) e = raw::set_option(context_fd, "xino", "on");
    return e == 0 ? raw::create_filesystem(context_fd, kReadOnly) : e;
}

// Through an overlay and not bound: its inodes are not the host's, so that no socket in it has a listener, no
// FIFO another end and no lock another holder. The layer is read with our own rights, which reach no file
// that the host does not let this user id read.
int show_directory(const ViewStep& step, const HostTree& tree, int& context_fd) {
    if (const int e = make_path(step.path.c_str(), true); e < 0) return e;
    if (const int e = attach(tree.fd, kTreeLayer); e < 0) return e;
    return attach(make_overlay(context_fd), step.path.c_str());
}

// As show_directory(), of one file: with an inode of its own, and without a word about where the host has it.
int show_file(const ViewStep& step, const HostTree& tree, int& context_fd) {
    if (const int e = make_path(step.path.c_str(), false); e < 0) return e;
    if (const int e = attach(tree.fd, kTreeLayer); e < 0) return e;
    const int overlay = make_overlay(context_fd);
    if (overlay < 0) return overlay;
    const int e = raw::move_mount(overlay, kOverlay);
    // Not through a link that has taken its place: it would begin in this directory, beside the old root.
    const int file = e < 0 ? e
                           : raw::open_tree(overlay, step.argument.c_str(),
                                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    raw::close(overlay);
    return attach(file, step.path.c_str());
}

int make_changes(const View& view, const HostTree& tree, int& changes_fd) {
    if (const int e = raw::make_directory(kChanges, 0755); e < 0) return e;
    if (const int e = mount_tmpfs(kChanges, view.scratch_size.c_str(), view.scratch_inodes.c_str(), "0700");
        e < 0)
        return e;
    // It lends its mode to the directory shown. The owner is the jail's user, who must be able to write.
    if (const int e = raw::make_directory(kUpperLayer, tree.mode | S_IRWXU); e < 0) return e;
    if (const int e = raw::make_directory(kWorkLayer, 0700); e < 0) return e;
    changes_fd = raw::open(kUpperLayer, O_RDONLY | O_DIRECTORY);
    return changes_fd < 0 ? changes_fd : 0;
}

/// A detached overlay that keeps what is written in kUpperLayer.
int make_changed_overlay(int& context_fd) {
    context_fd = raw::open_filesystem("overlay");
    if (context_fd < 0) return context_fd;
    int e = raw::set_option(context_fd, "source", "overlay");
    if (e == 0) e = raw::set_option(context_fd, "lowerdir", kTreeLayer);
    if (e == 0) e = raw::set_option(context_fd, "upperdir", kUpperLayer);
    if (e == 0) e = raw::set_option(context_fd, "workdir", kWorkLayer);
    // Its own marks in user.*, since trusted.* takes a privilege over the host. It also switches off
    // following marks that somebody planted in the layers.
    if (e == 0) e = raw::set_flag(context_fd, "userxattr");
    if (e == 0) e = raw::set_option(context_fd, "xino", "on");
    return e == 0 ? raw::create_filesystem(context_fd, kWritable) : e;
}

// As show_directory(), with an upper layer: writes end there, the host's tree stays read-only.
int show_changed_directory(View& view, const ViewStep& step, const HostTree& tree, int& context_fd) {
    if (const int e = make_path(step.path.c_str(), true); e < 0) return e;
    if (const int e = attach(tree.fd, kTreeLayer); e < 0) return e;
    if (const int e = make_changes(view, tree, view.changes_fd); e < 0) return e;
    return attach(make_changed_overlay(context_fd), step.path.c_str());
}

int build_scratch(const ViewStep& step) {
    char inner[128];
    char* at = inner;
    for (const char* text : {kScratch, "/", step.argument.c_str()})
        if (!append(at, inner + sizeof inner, text)) return -ENAMETOOLONG;
    if (const int e = raw::make_directory(inner, step.mode); e < 0) return e;
    if (const int e = make_path(step.path.c_str(), true); e < 0) return e;
    return attach(detach_clone(inner), step.path.c_str());
}

int build(const View& view, const ViewStep& step) {
    const char* path = step.path.c_str();
    switch (step.kind) {
        case ViewStep::Kind::directory:
            return raw::make_directory(path, step.mode);
        case ViewStep::Kind::text:
            return write_new_file(step);
        case ViewStep::Kind::symlink:
            return static_cast<int>(raw::call(SYS_symlinkat, step.argument.c_str(), AT_FDCWD, path));
        case ViewStep::Kind::tree:
        case ViewStep::Kind::device:
            return show_tree(step, view.trees[static_cast<size_t>(step.tree)]);
        case ViewStep::Kind::shown_directory:
        case ViewStep::Kind::shown_file:
        case ViewStep::Kind::changed_directory:
            break;  // show_environment()
        case ViewStep::Kind::scratch:
            return build_scratch(step);
        case ViewStep::Kind::processes:
            if (const int e = make_path(path, true); e < 0) return e;
            return attach(view.proc_fd, path);
        case ViewStep::Kind::terminals:
            if (const int e = make_path(path, true); e < 0) return e;
            return mount_terminals(path);
        case ViewStep::Kind::shared_memory:
            if (const int e = make_path(path, true); e < 0) return e;
            return mount_tmpfs(path, view.shared_memory_size.c_str(), view.scratch_inodes.c_str(), "1777");
    }
    return -EINVAL;
}

int build_all(const View& view, const std::vector<ViewStep>& steps, const char*& detail) {
    for (const ViewStep& step : steps) {
        detail = step.path.c_str();
        if (const int e = build(view, step); e < 0) return e;
    }
    return 0;
}

// By path and not as a descriptor: a detached mount needs a mount namespace, and the quota for those is 0 by
// now.
int bind(const char* source, const char* target) {
    return static_cast<int>(raw::call(SYS_mount, source, target, nullptr, MS_BIND, nullptr));
}

/// What hides others: a mount with all its attributes, which those that are bound from it have, too.
struct Covers {
    const char* file = nullptr;
    const char* directory = nullptr;
};

int cover_with(const char*& cover, const char* first, uint64_t attributes, const char* path) {
    if (const int e = bind(cover ? cover : first, path); e < 0 || cover) return e;
    cover = path;
    return raw::set_mount_attributes(AT_FDCWD, path, 0, attributes);
}

int mask_as(policy::Mask mask, const char* path, Covers& covers) {
    // /dev/null must stay a device that can be opened.
    constexpr uint64_t kFile = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    constexpr uint64_t kDirectory = kFile | MOUNT_ATTR_NODEV;
    switch (mask) {
        case policy::Mask::read_only: {
            const char* own = nullptr;
            return cover_with(own, path, kDirectory, path);
        }
        case policy::Mask::hidden_file:
            return cover_with(covers.file, "/dev/null", kFile, path);
        case policy::Mask::hidden_directory:
            return cover_with(covers.directory, "/run", kDirectory, path);
    }
    return -EINVAL;
}

int mask(const policy::MaskRow& row, Covers& covers) {
    int e = mask_as(row.mask, row.path, covers);
    // Not looked at beforehand, since most kernels have what the table says, and a look costs as much as a
    // mount.
    if (e == -ENOTDIR)
        e = mask_as(row.mask == policy::Mask::hidden_file ? policy::Mask::hidden_directory
                                                          : policy::Mask::hidden_file,
                    row.path, covers);
    struct stat info {};
    // Passed over is what is not there, and not what something else was missing for.
    return e == -ENOENT && stat_path(AT_FDCWD, row.path, info) == -ENOENT ? 0 : e;
}

}  // namespace

int open_host_trees(View& view, const char*& detail) {
    for (HostTree& tree : view.trees) {
        detail = tree.source.c_str();
        if (const int e = open_host_tree(tree); e < 0) return e;
    }
    return 0;
}

int open_process_view(View& view, const char*& detail) {
    // While the host's /proc is in sight: the kernel allows a new one only to who sees a complete one.
    detail = "";
    const int fs = raw::open_filesystem("proc");
    if (fs < 0) return fs;
    const int e = raw::set_option(fs, "source", "proc");
    view.proc_fd =
        e < 0 ? e : raw::create_filesystem(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    raw::close(fs);
    return view.proc_fd < 0 ? view.proc_fd : 0;
}

int enter_new_root(const View& view, const char*& detail) {
    detail = "staging";
    if (const int e = make_staging(view); e < 0) return e;
    detail = "";
    if (const int e = mount_tmpfs(kNewRoot, kRootSize, "8192", "0755"); e < 0) return e;
    // The old root is stacked on the new one. Names from "/" on begin below it.
    return static_cast<int>(raw::call(SYS_pivot_root, kNewRoot, kNewRoot));
}

int leave_old_root(const char*& detail) {
    detail = "";
    if (const int e = raw::change_directory("/"); e < 0) return e;
    // "." is what is stacked there. The overlays keep their layers, and directories of the scratch file
    // system stay where they were put.
    return static_cast<int>(raw::call(SYS_umount2, ".", MNT_DETACH));
}

int build_base(const View& view, const char*& detail) {
    return build_all(view, view.base, detail);
}

int show_environment(View& view, const char*& detail) {
    size_t shown = 0;
    for (const ViewStep& step : view.environment) {
        detail = step.path.c_str();
        int e = 0;
        if (step.kind == ViewStep::Kind::shown_directory)
            e = show_directory(step, view.trees[static_cast<size_t>(step.tree)], view.context_fds[shown++]);
        else if (step.kind == ViewStep::Kind::shown_file)
            e = show_file(step, view.trees[static_cast<size_t>(step.tree)], view.context_fds[shown++]);
        else if (step.kind == ViewStep::Kind::changed_directory)
            e = show_changed_directory(view, step, view.trees[static_cast<size_t>(step.tree)],
                                       view.context_fds[shown++]);
        else
            e = build(view, step);
        if (e < 0) return e;
    }
    return 0;
}

int forbid_namespaces(const char*& detail) {
    for (const policy::QuotaRow& row : policy::namespace_quotas()) {
        detail = row.path;
        const int e = raw::write_text(row.path, row.value, std::strlen(row.value));
        if (e < 0 && e != -ENOENT) return e;  // A kernel without that kind of namespace has no such file.
    }
    return 0;
}

int mask_processes(const char*& detail) {
    Covers covers;
    for (const policy::MaskRow& row : policy::process_masks()) {
        detail = row.path;
        if (const int e = mask(row, covers); e < 0) return e;
    }
    return 0;
}

int make_root_read_only(const char*& detail) {
    detail = "/";
    // This one mount only: those below have their own attributes.
    return raw::set_mount_attributes(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY);
}

}  // namespace cellblock::jail
