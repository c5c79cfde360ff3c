// An idmapped mount takes its map from a user namespace; that needs a process to be made, for a moment.
#include "jail/owner_map.hpp"

#include <sys/wait.h>

#include <string>

#include "base/sys.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

/// The last id that a map can name; 2^32-1 means "none".
constexpr uint64_t kLastId = 0xfffffffe;

/// Every id stays what it is, except that `owner` becomes `other`, which no file has.
std::string owner_map(uint64_t owner, uint64_t other) {
    std::string lines;
    const auto same = [&](uint64_t from, uint64_t to) {
        if (from <= to)
            lines += std::to_string(from) + " " + std::to_string(from) + " " + std::to_string(to - from + 1) +
                     "\n";
    };
    // Without `other` itself, since two ids cannot become one. It lies above all that people have.
    const uint64_t low = owner < other ? owner : other;
    const uint64_t high = owner < other ? other : owner;
    if (low > 0) same(0, low - 1);
    lines += std::to_string(owner) + " " + std::to_string(other) + " 1\n";
    same(low + 1, high - 1);
    same(high + 1, kLastId);
    return lines;
}

/// A process in a new user namespace, which ends with this object.
class NamespaceHolder {
  public:
    static Result<NamespaceHolder> create() {
        auto [read_end, write_end] = TRY(sys::pipe());
        clone_args args{};
        int pidfd = -1;
        args.flags = CLONE_NEWUSER | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
        args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
        const pid_t pid = raw::clone3(args);
        if (pid == 0) {
            // Until the other end closes, with this process or with its object.
            raw::close(write_end.get());
            char byte = 0;
            raw::read(read_end.get(), &byte, 1);
            raw::exit_process(0);
        }
        if (pid < 0) return Error("make a user namespace", -pid);
        return NamespaceHolder(pid, UniqueFd(pidfd), std::move(write_end));
    }
    ~NamespaceHolder() {
        if (!pidfd_.valid()) return;
        keep_.reset();
        siginfo_t info{};
        while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | __WALL) != 0 &&
               errno == EINTR) {
        }
    }
    NamespaceHolder(NamespaceHolder&&) = default;
    NamespaceHolder& operator=(NamespaceHolder&&) = delete;

    [[nodiscard]] std::string proc(const char* file) const {
        return "/proc/" + std::to_string(pid_) + "/" + file;
    }

  private:
    NamespaceHolder(pid_t pid, UniqueFd pidfd, UniqueFd keep)
        : pid_(pid), pidfd_(std::move(pidfd)), keep_(std::move(keep)) {}

    pid_t pid_;
    UniqueFd pidfd_;
    UniqueFd keep_;
};

}  // namespace

Result<void> show_as_owner(int mount_fd, const struct stat& directory, const Identity& identity) {
    const NamespaceHolder holder = TRY(NamespaceHolder::create());
    TRY(sys::write_file(holder.proc("uid_map"), owner_map(directory.st_uid, identity.host_uid)));
    TRY(sys::write_file(holder.proc("gid_map"), owner_map(directory.st_gid, identity.host_gid)));
    const UniqueFd user_namespace = TRY(sys::open(holder.proc("ns/user"), O_RDONLY));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<__u64>(user_namespace.get());
    const long e = raw::call(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
    if (e == 0) return {};
    return Error("map its owner to the jail's user", static_cast<int>(-e))
        .with_remedy(
            "Its file system, or this kernel, knows no idmapped mounts (ext4, xfs and btrfs do, overlays do "
            "not; "
            "Linux 5.19 is needed). Run the kernel as an ordinary user, or choose --notebook-dir ro.");
}

}  // namespace cellblock::jail
