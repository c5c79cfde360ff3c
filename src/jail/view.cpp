// Parent side of the mount view: rows and plan become steps with every string spelled out.
#include "jail/view.hpp"

#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/sys.hpp"
#include "jail/owner_map.hpp"
#include "jail/policy/mounts.hpp"
#include "jail/raw.hpp"
#include "jail/steps.hpp"

namespace cellblock::jail {
namespace {

using Kind = ViewStep::Kind;
using policy::ViewRow;

std::string generated_text(std::string_view generator, const Plan& plan, const Identity& identity) {
    const std::string uid = std::to_string(identity.inside_uid);
    const std::string gid = std::to_string(identity.inside_gid);
    if (generator == "passwd")
        return "root:x:0:0:root:/root:/usr/sbin/nologin\n" +
               (std::string(kUserName) + ":x:" + uid + ":" + gid + ":Cellblock:" + kHome + ":/bin/sh\n") +
               "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
    if (generator == "group")
        return "root:x:0:\n" + (std::string(kUserName) + ":x:" + gid + ":\n") + "nogroup:x:65534:\n";
    if (generator == "hosts") return "127.0.0.1 localhost " + plan.name + "\n::1 localhost ip6-localhost\n";
    if (generator == "hostname") return plan.name + "\n";
    if (generator == "resolv.conf")
        return plan.network == Network::allow ? "nameserver " + std::string(kNameServer) + "\n" : "";
    if (generator == "nsswitch.conf")
        return "passwd: files\ngroup: files\nhosts: files" +
               std::string(plan.network == Network::allow ? " dns" : "") +
               "\nservices: files\nprotocols: files\n";
    if (generator == "host.conf") return "multi on\n";
    if (generator == "machine-id") return std::string(32, '0') + "\n";
    if (generator == "shells") return "/bin/sh\n/bin/bash\n";
    check_failed("every text row has a generator", __FILE__, __LINE__, static_cast<const char*>(__func__));
}

// The descriptor of a detached copy of the tree at `source`; needs no trust in paths afterwards.
Result<UniqueFd> detach_tree(const std::string& source) {
    const int fd = raw::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd == -EPERM)
        return Error("open " + source, -fd)
            .with_remedy(
                "Root may not do that without CAP_SYS_ADMIN, which containers take away. Run the kernel as "
                "an ordinary user there (Docker: --user), whose jails need no privileges.");
    if (fd < 0) return Error("open " + source, -fd);
    return UniqueFd(fd);
}

class Compiler {
  public:
    Compiler(const Plan& plan, const Identity& identity) : plan_(plan), identity_(identity) {}

    Result<View> compile() {
        for (const ViewRow& row : policy::base_view()) TRY(add_base(row));
        for (const Mount& mount : plan_.mounts) TRY(add_environment(mount));
        view_.scratch_size = std::to_string(plan_.limits.scratch.count);
        view_.scratch_inodes = std::to_string(plan_.limits.scratch_inodes);
        view_.shared_memory_size = std::to_string(plan_.limits.shared_memory.count);
        return std::move(view_);
    }

  private:
    Result<void> add_base(const ViewRow& row) {
        switch (row.view) {
            case policy::View::directory:
                add(Kind::directory, row.path, "", to_mode(row.argument));
                return {};
            case policy::View::text:
                add(Kind::text, row.path, generated_text(row.argument, plan_, identity_));
                return {};
            case policy::View::symlink:
                add(Kind::symlink, row.path, row.argument);
                return {};
            case policy::View::scratch:
                // Its name inside the scratch file system, where there are no directories above it.
                add(Kind::scratch, row.path, flat_name(row.path), to_mode(row.argument));
                return {};
            case policy::View::shared_memory:
                add(Kind::shared_memory, row.path, "");
                return {};
            case policy::View::processes:
                add(Kind::processes, row.path, "");
                return {};
            case policy::View::terminals:
                add(Kind::terminals, row.path, "");
                return {};
            case policy::View::host_symlink:
                if (const std::string target = link_target(row.path); !target.empty()) {
                    add(Kind::symlink, row.path, target);
                    return {};
                }
                return add_host_tree(row);
            case policy::View::host_tree:
            case policy::View::host_device:
                return add_host_tree(row);
        }
        return {};
    }

    static mode_t to_mode(const char* octal) { return static_cast<mode_t>(std::strtoul(octal, nullptr, 8)); }

    static std::string flat_name(std::string path) {
        std::replace(path.begin(), path.end(), '/', '-');
        return path;
    }

    static std::string link_target(const char* path) {
        char target[PATH_MAX];
        const ssize_t n = ::readlink(path, target, sizeof target);
        return n > 0 && static_cast<size_t>(n) < sizeof target ? std::string(target, static_cast<size_t>(n))
                                                               : "";
    }

    // A row that this host has nothing for is passed over: the tables name what several distributions have.
    Result<void> add_host_tree(const ViewRow& row) {
        HostTree tree;
        tree.source = row.path;
        struct stat info {};
        if (::stat(row.path, &info) != 0) return {};
        tree.is_device = row.view == policy::View::host_device;
        if (tree.is_device && !S_ISCHR(info.st_mode))
            return Error(tree.source + " is no character device on this host");
        remember(tree, info);
        ViewStep step{tree.is_device ? Kind::device : Kind::tree, row.path, ""};
        step.tree = add_tree(std::move(tree));
        view_.base.push_back(std::move(step));
        return {};
    }

    Result<void> add_environment(const Mount& mount) {
        HostTree tree;
        tree.source = mount.source;
        struct stat info {};
        if (::stat(mount.source.c_str(), &info) != 0) {
            Error error = step_error(Step::environment_mounts, errno, mount.source);
            return error;
        }
        if (mount.inode && *mount.inode != Inode{info.st_dev, info.st_ino})
            return Error("show " + mount.source +
                         " in the jail: something else has taken its place meanwhile");
        remember(tree, info);
        // A socket or FIFO of the host would be a way to talk to whoever holds its other end.
        if (!tree.is_directory && !S_ISREG(info.st_mode))
            return Error("show " + mount.source + " in the jail: it is neither a directory nor a file");
        const bool takes_changes = mount.access == Access::copy_on_write;
        if (takes_changes && (!tree.is_directory || view_.has_changed_directory))
            return Error("let cells change " + mount.source + ": one directory of a jail can be changed");
        // bubblewrap knows no overlays. gVisor needs none: its kernel opens no socket or FIFO of the host's,
        // and keeps locks to itself; and what it holds open would keep an overlay from forgetting names.
        const bool is_like_a_copy = mount.access == Access::like_a_copy && plan_.backend == Backend::native;
        const bool has_overlay = plan_.backend != Backend::runsc || takes_changes;
        if (is_like_a_copy) TRY(take_directory_of(tree, info));
        tree.is_writable = mount.access == Access::read_write;
        tree.is_layer = tree.is_directory && !tree.is_writable;
        if (identity_.root_mode) {
            // The child gives up root's identity first, and /root may be closed to everybody else.
            auto fd = detach_tree(tree.source);
            if (!fd) return std::move(fd).error();
            if (takes_changes || tree.is_writable)
                if (auto mapped = show_as_owner(fd->get(), info, identity_); !mapped)
                    return std::move(mapped).error().context("let " + mount.source + " be written to");
            tree.fd = fd->get();
            view_.parent_fds.push_back(*std::move(fd));
        }
        ViewStep step{tree.is_layer && has_overlay ? Kind::shown_directory : Kind::tree, mount.target, ""};
        if (is_like_a_copy) {
            step.kind = Kind::shown_file;
            step.argument = mount.source.substr(mount.source.rfind('/') + 1);
        }
        if (takes_changes) {
            step.kind = Kind::changed_directory;
            view_.has_changed_directory = true;
            view_.writable_paths.push_back({policy::WritablePath::Kind::changed_directory, mount.target});
            view_.changed_context = view_.context_fds.size();
        }
        if (tree.is_writable)
            view_.writable_paths.push_back({policy::WritablePath::Kind::volume, mount.target});
        if (tree.is_layer && has_overlay) view_.context_fds.push_back(-1);
        step.tree = add_tree(std::move(tree));
        view_.environment.push_back(std::move(step));
        return {};
    }

    /// Instead of the file: a layer is a directory.
    static Result<void> take_directory_of(HostTree& tree, struct stat& info) {
        if (tree.is_directory) return Error("show " + tree.source + " like a copy: it is no file");
        tree.source.resize(std::max<size_t>(tree.source.rfind('/'), 1));
        if (::stat(tree.source.c_str(), &info) != 0)
            return step_error(Step::environment_mounts, errno, tree.source);
        remember(tree, info);
        return {};
    }

    static void remember(HostTree& tree, const struct stat& info) {
        tree.is_directory = S_ISDIR(info.st_mode);
        tree.mode = info.st_mode & 0777;
        tree.device = info.st_dev;
        tree.inode = info.st_ino;
    }

    void add(Kind kind, std::string path, std::string argument, mode_t mode = 0755) {
        view_.base.push_back({kind, std::move(path), std::move(argument), mode});
    }

    int add_tree(HostTree tree) {
        view_.trees.push_back(std::move(tree));
        return static_cast<int>(view_.trees.size()) - 1;
    }

    const Plan& plan_;
    const Identity& identity_;
    View view_;
};

}  // namespace

Result<View> compile_view(const Plan& plan, const Identity& identity) {
    return Compiler(plan, identity).compile();
}

std::vector<Space> read_spaces(const std::vector<UniqueFd>& descriptors) {
    std::vector<Space> spaces;
    for (size_t i = 0; i < kSpaces && i < descriptors.size(); ++i) {
        struct statfs info {};
        if (::fstatfs(descriptors[i].get(), &info) != 0) continue;
        const auto block = static_cast<uint64_t>(info.f_bsize);
        spaces.push_back({kHandedOver[i], Bytes{(info.f_blocks - info.f_bfree) * block},
                          Bytes{info.f_blocks * block}, info.f_files - info.f_ffree, info.f_files});
    }
    return spaces;
}

}  // namespace cellblock::jail
