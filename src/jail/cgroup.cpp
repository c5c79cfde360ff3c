// Both versions of cgroups behind one interface. Every limit is read back: a kernel that takes a write and
// does something else (rounding apart) must not be believed.
#include "jail/cgroup.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "base/installation.hpp"
#include "base/sys.hpp"
#include "jail/cgroup_counters.hpp"
#include "jail/systemd_scope.hpp"

namespace cellblock::jail {
namespace {

constexpr size_t kMaxFile = 64 * 1024;
constexpr int64_t kCpuPeriodUs = 100'000;
// Version 1 charges memory+swap first and does not count refusals there (seen on 6.18). A little more than
// the memory limit lets that one be hit, and counted, first; it is all that can ever be swapped out.
constexpr uint64_t kSwapSlack = 1 << 20;
// On top of the memory limit, so a part of it; beyond it senders wait.
constexpr uint64_t kTcpShare = 4;
constexpr const char* kTcpLimit = "memory.kmem.tcp.limit_in_bytes";
// Ends the name of the leaf in which the kernel process itself stands (version 2).
constexpr std::string_view kOwnLeaf = "-kernel";
constexpr int kInitProcesses = 1;  // pid 1 is not the user's
// A cgroup stays busy for a moment after its last process was reaped.
constexpr std::chrono::milliseconds kRemoveTimeout{500};

// With the program's path: sudo has a search path of its own, in which a home's or a project's bin is not.
std::string v1_remedy() {
    const auto root = installation_root();
    return "Ask an administrator to run 'sudo " + (root ? *root + "/bin/" : "") + "cellblock" +
           " delegate USER' once after each boot, or choose the isolation level 'namespaced', where "
           "memory is sampled and not enforced by the kernel.";
}
constexpr std::string_view kV2Remedy =
    "Start the front end in a login session of systemd, whose user manager hands out cgroups (with sudo -u "
    "or "
    "su there is none: use 'machinectl shell USER@' or ssh), or choose the isolation level 'namespaced', "
    "where memory is sampled and not enforced by the kernel.";

int64_t read_number(const std::string& path) {
    const auto text = sys::read_file(path, kMaxFile);
    return text ? to_number(*text).value_or(-1) : -1;
}

int64_t read_keyed(const std::string& path, std::string_view key) {
    const auto text = sys::read_file(path, kMaxFile);
    return text ? keyed(*text, key) : -1;
}

/// Cached files are charged, and given back before anybody is killed; what lies in a tmpfs is none of them.
int64_t less_cached_files(int64_t usage, Bytes enough, const std::string& statistics,
                          std::string_view inactive, std::string_view active) {
    if (usage < 0 || static_cast<uint64_t>(usage) <= enough.count) return usage;
    const int64_t cached = std::max<int64_t>(read_keyed(statistics, inactive), 0) +
                           std::max<int64_t>(read_keyed(statistics, active), 0);
    return std::max<int64_t>(usage - cached, 0);
}

/// Writes a limit and checks that the kernel keeps it. Memory is rounded down to pages.
Result<void> set_limit(const std::string& file, const std::string& value) {
    TRY(sys::write_file(file, value));
    std::string kept = TRY(sys::read_file(file, kMaxFile));
    while (!kept.empty() && kept.back() == '\n') kept.pop_back();
    if (kept == value) return {};
    const auto asked = to_number(value);
    const auto answered = to_number(kept);
    const int64_t page = ::sysconf(_SC_PAGESIZE);
    if (asked && answered && *answered <= *asked && *asked - *answered < page) return {};
    return Error("write " + value + " to " + file + ": the kernel keeps " + kept);
}

void remove_stale(const std::string& parent) {
    DIR* dir = ::opendir(parent.c_str());
    if (!dir) return;
    while (const dirent* entry = ::readdir(dir))
        if (is_stale_cgroup(entry->d_name)) ::rmdir((parent + "/" + entry->d_name).c_str());
    ::closedir(dir);
}

/// One directory of a hierarchy; removed by the destructor.
class Directory {
  public:
    static Result<std::unique_ptr<Directory>> make(const std::string& path) {
        if (::mkdir(path.c_str(), 0755) != 0) return errno_error("create cgroup " + path);
        return std::unique_ptr<Directory>(new Directory(path));
    }
    ~Directory() {
        const auto deadline = std::chrono::steady_clock::now() + kRemoveTimeout;
        // What stays busy belongs to a process that cannot be killed; the next start removes it.
        while (::rmdir(path_.c_str()) != 0 && errno == EBUSY && std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

  private:
    explicit Directory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

Result<void> check_listed(const Directory& directory, pid_t pid) {
    const std::string path = directory.file("cgroup.procs");
    const std::string listed = "\n" + TRY(sys::read_file(path, kMaxFile));
    if (listed.find("\n" + std::to_string(pid) + "\n") == std::string::npos)
        return Error("process " + std::to_string(pid) + " is not in " + path);
    return {};
}

std::string cpu_quota(double cpus) {
    return std::to_string(std::llround(cpus * static_cast<double>(kCpuPeriodUs)));
}

std::string process_limit(const Limits& limits) {
    return std::to_string(limits.processes + kInitProcesses);
}

// ---- version 1

class CgroupV1 final : public Cgroup {
  public:
    static Result<std::unique_ptr<Cgroup>> create(const CgroupHost& host, const Limits& limits,
                                                  const std::string& name) {
        auto cgroup = std::unique_ptr<CgroupV1>(new CgroupV1);
        TRY(cgroup->add(host, "memory", name, cgroup->memory_));
        TRY(cgroup->add(host, "pids", name, cgroup->pids_));
        if (limits.cpus > 0) TRY(cgroup->add(host, "cpu", name, cgroup->cpu_));
        // Only counts; when cpu and cpuacct are mounted together the directory is there already.
        if (host.v1.contains("cpuacct")) {
            if (cgroup->cpu_ && host.v1.at("cpuacct") == host.v1.at("cpu"))
                cgroup->usage_ = cgroup->cpu_;
            else
                TRY(cgroup->add(host, "cpuacct", name, cgroup->usage_));
        }
        TRY(cgroup->apply(limits));
        cgroup->counters_ = counters_v1(cgroup->memory_->file(""), cgroup->pids_->file(""),
                                        cgroup->usage_ ? cgroup->usage_->file("") : "");
        return std::unique_ptr<Cgroup>(std::move(cgroup));
    }

    int clone_fd() const override { return -1; }

    Result<std::vector<UniqueFd>> entrances() const override {
        std::vector<UniqueFd> opened;
        // "tasks" takes one thread, so that nothing need be locked against its siblings.
        for (const auto& directory : directories())
            opened.push_back(TRY(sys::open(directory->file("tasks"), O_WRONLY)));
        return opened;
    }

    Result<void> check_holds(pid_t pid) const override {
        for (const auto& directory : directories()) TRY(check_listed(*directory, pid));
        return {};
    }

    int64_t memory_in_use(Bytes enough) const override {
        return less_cached_files(read_number(memory_->file("memory.usage_in_bytes")), enough,
                                 memory_->file("memory.stat"), "total_inactive_file", "total_active_file");
    }

  private:
    using DirectoryPtr = std::shared_ptr<Directory>;

    CgroupV1() = default;

    /// One of each hierarchy.
    [[nodiscard]] std::vector<DirectoryPtr> directories() const {
        std::vector<DirectoryPtr> all{memory_, pids_};
        if (cpu_) all.push_back(cpu_);
        if (usage_ && usage_ != cpu_) all.push_back(usage_);
        return all;
    }

    Result<void> add(const CgroupHost& host, const std::string& controller, const std::string& name,
                     DirectoryPtr& out) {
        const auto own = host.v1.find(controller);
        if (own == host.v1.end())
            return std::move(Error("this host has no cgroup controller '" + controller + "'"))
                .with_remedy("Boot the kernel with it enabled (cgroup_enable=memory on some distributions).");
        // Below our own cgroup when we may; else below the directory that `cellblock delegate` made for this
        // user.
        auto made = make_below(own->second, name);
        if (!made && (made.error().error_number() == EACCES || made.error().error_number() == EPERM ||
                      made.error().error_number() == EROFS)) {
            const std::string delegated =
                host.v1_mounts.at(controller) + "/cellblock-" + std::to_string(::geteuid());
            if (::access(delegated.c_str(), W_OK | X_OK) == 0) made = make_below(delegated, name);
        }
        if (!made) return std::move(made).error().with_remedy(v1_remedy());
        out = DirectoryPtr(*std::move(made));
        return {};
    }

    static Result<std::unique_ptr<Directory>> make_below(const std::string& parent, const std::string& name) {
        remove_stale(parent);
        return Directory::make(parent + "/" + name);
    }

    Result<void> apply(const Limits& limits) {
        const std::string bytes = std::to_string(limits.memory.count);
        // Memory first: the kernel refuses memory+swap below memory.
        TRY(set_limit(memory_->file("memory.limit_in_bytes"), bytes));
        // Absent without swap accounting; then swap could take what memory may not.
        const std::string with_swap = memory_->file("memory.memsw.limit_in_bytes");
        if (::access(with_swap.c_str(), F_OK) == 0)
            TRY(set_limit(with_swap, std::to_string(limits.memory.count + kSwapSlack)));
        else
            TRY(set_limit(memory_->file("memory.swappiness"), "0"));
        // Version 1 does not charge what waits in TCP sockets to the memory limit: it has a counter of its
        // own.
        const std::string tcp = memory_->file(kTcpLimit);
        if (::access(tcp.c_str(), F_OK) == 0)
            TRY(set_limit(tcp, std::to_string(limits.memory.count / kTcpShare)));
        TRY(set_limit(pids_->file("pids.max"), process_limit(limits)));
        if (cpu_) {
            TRY(set_limit(cpu_->file("cpu.cfs_period_us"), std::to_string(kCpuPeriodUs)));
            TRY(set_limit(cpu_->file("cpu.cfs_quota_us"), cpu_quota(limits.cpus)));
        }
        return {};
    }

    DirectoryPtr memory_, pids_, cpu_, usage_;
};

// ---- version 2

bool has_word(const std::string& text, std::string_view word) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const size_t end = std::min(rest.find_first_of(" \n"), rest.size());
        if (rest.substr(0, end) == word) return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

std::vector<std::string> controllers_for(const Limits& limits) {
    std::vector<std::string> controllers = {"memory", "pids"};
    if (limits.cpus > 0) controllers.emplace_back("cpu");
    return controllers;
}

class CgroupV2 final : public Cgroup {
  public:
    static Result<std::unique_ptr<Cgroup>> create(const std::string& own, const Limits& limits,
                                                  const std::string& name) {
        auto cgroup = std::unique_ptr<CgroupV2>(new CgroupV2);
        TRY(cgroup->prepare(own, name, limits));
        return std::unique_ptr<Cgroup>(std::move(cgroup));
    }

    int clone_fd() const override { return fd_.get(); }
    Result<void> check_holds(pid_t pid) const override { return check_listed(*directory_, pid); }

    int64_t memory_in_use(Bytes enough) const override {
        return less_cached_files(read_number(directory_->file("memory.current")), enough,
                                 directory_->file("memory.stat"), "inactive_file", "active_file");
    }

  private:
    CgroupV2() = default;

    // The kernel process may stand in a leaf that an earlier jail made; see hand_on().
    static std::string base_of(const std::string& own) {
        return own.ends_with(kOwnLeaf) ? own.substr(0, own.rfind('/')) : own;
    }

    Result<void> prepare(const std::string& own, const std::string& name, const Limits& limits) {
        const std::string parent = base_of(own);
        const std::vector<std::string> controllers = controllers_for(limits);
        const std::string available = TRY(sys::read_file(parent + "/cgroup.controllers", kMaxFile));
        for (const auto& controller : controllers)
            if (!has_word(available, controller))
                return Error("cgroup " + parent + " has no controller '" + controller + "' to hand on");
        remove_stale(parent);
        TRY(hand_on(parent, controllers, name));
        // It only counts: a host that does not hand it on is none on which no jail can be made.
        if (has_word(available, "io")) [[maybe_unused]]
            const auto counted = sys::write_file(parent + "/cgroup.subtree_control", "+io");
        directory_ = TRY(Directory::make(parent + "/" + name));
        TRY(set_limit(directory_->file("memory.max"), std::to_string(limits.memory.count)));
        // Absent without swap accounting.
        if (::access(directory_->file("memory.swap.max").c_str(), F_OK) == 0)
            TRY(set_limit(directory_->file("memory.swap.max"), "0"));
        TRY(set_limit(directory_->file("pids.max"), process_limit(limits)));
        if (limits.cpus > 0)
            TRY(set_limit(directory_->file("cpu.max"),
                          cpu_quota(limits.cpus) + " " + std::to_string(kCpuPeriodUs)));
        fd_ = TRY(sys::open(directory_->file("."), O_RDONLY | O_DIRECTORY));
        counters_ = counters_v2(directory_->file(""));
        return {};
    }

    static Result<void> hand_on(const std::string& parent, const std::vector<std::string>& controllers,
                                const std::string& name) {
        const std::string control = parent + "/cgroup.subtree_control";
        const std::string enabled = TRY(sys::read_file(control, kMaxFile));
        std::string missing;
        for (const auto& controller : controllers)
            if (!has_word(enabled, controller)) missing += (missing.empty() ? "+" : " +") + controller;
        if (missing.empty()) return {};
        auto written = sys::write_file(control, missing);
        if (written || written.error().error_number() != EBUSY) return written;
        // Only a cgroup without processes of its own can hand controllers to its children, and we stand in
        // it. When we are the only one, a leaf of our own makes room.
        const std::string processes = TRY(sys::read_file(parent + "/cgroup.procs", kMaxFile));
        if (processes != std::to_string(::getpid()) + "\n")
            return Error("hand controllers on from cgroup " + parent + ": other processes share it", EBUSY);
        const std::string leaf = parent + "/" + name.substr(0, name.rfind('-')) + std::string(kOwnLeaf);
        if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return errno_error("create cgroup " + leaf);
        TRY(sys::write_file(leaf + "/cgroup.procs", std::to_string(::getpid())));
        return sys::write_file(control, missing);
    }

    std::unique_ptr<Directory> directory_;
    UniqueFd fd_;
};

Result<void> delegate_directory(const std::string& path, uid_t uid, gid_t gid) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return errno_error("create cgroup " + path);
    // The directory, to make cgroups in it; the process lists, to move processes. Never its limit files: they
    // are the administrator's.
    for (const std::string& part : {path, path + "/cgroup.procs", path + "/tasks"})
        if (::chown(part.c_str(), uid, gid) != 0 && errno != ENOENT)
            return errno_error("give " + part + " to the user");
    return {};
}

}  // namespace

std::string cgroup_name(pid_t owner, uint64_t owner_start_time, unsigned number) {
    return "cellblock-" + std::to_string(owner) + "-" + std::to_string(owner_start_time) + "-" +
           std::to_string(number);
}

bool is_stale_cgroup(const std::string& name) {
    constexpr std::string_view prefix = "cellblock-";
    if (!name.starts_with(prefix)) return false;
    const char* at = name.data() + prefix.size();
    const char* const end = name.data() + name.size();
    pid_t owner = 0;
    uint64_t start = 0;
    unsigned number = 0;
    const auto pid_end = std::from_chars(at, end, owner);
    if (pid_end.ec != std::errc() || pid_end.ptr == end || *pid_end.ptr != '-') return false;
    const auto start_end = std::from_chars(pid_end.ptr + 1, end, start);
    if (start_end.ec != std::errc() || start_end.ptr == end || *start_end.ptr != '-') return false;
    const auto number_end = std::from_chars(start_end.ptr + 1, end, number);
    const bool is_jail = number_end.ec == std::errc() && number_end.ptr == end;
    if (!is_jail && std::string_view(start_end.ptr, static_cast<size_t>(end - start_end.ptr)) != kOwnLeaf)
        return false;
    const auto lives = sys::start_time_of(owner);
    return !lives || *lives != start;
}

namespace {

// Below our own cgroup when it can be divided; else in a scope of our own that systemd gives us.
Result<std::unique_ptr<Cgroup>> create_v2(const std::string& own, const Limits& limits,
                                          const std::string& name) {
    auto below = CgroupV2::create(own, limits, name);
    if (below || below.error().error_number() == EEXIST) return below;
    const std::string scope = name.substr(0, name.rfind('-'));
    if (auto entered = enter_own_scope(scope); !entered)
        return Error(below.error().what() + "; " + entered.error().what())
            .with_remedy(std::string(kV2Remedy));
    const CgroupHost host = TRY(look_at_cgroups());
    CHECK(host.v2);
    auto inside = CgroupV2::create(*host.v2, limits, name);
    if (!inside) return std::move(inside).error().with_remedy(std::string(kV2Remedy));
    return inside;
}

}  // namespace

Result<std::unique_ptr<Cgroup>> Cgroup::create(const CgroupHost& host, const Limits& limits,
                                               unsigned number) {
    const std::string name = cgroup_name(::getpid(), TRY(sys::start_time_of(::getpid())), number);
    if (host.joins_late()) return CgroupV1::create(host, limits, name);
    if (host.v2) {
        TRY(require_controllers(host, controllers_for(limits)));
        return create_v2(*host.v2, limits, name);
    }
    return std::move(Error("this host shows no cgroups"))
        .with_remedy("Mount them at /sys/fs/cgroup, or choose the isolation level 'namespaced'.");
}

Result<void> delegate_cgroups(uid_t uid, gid_t gid) {
    const CgroupHost host = TRY(look_at_cgroups());
    const std::string name = "/cellblock-" + std::to_string(uid);
    if (host.joins_late()) {
        for (const char* controller : {"memory", "pids", "cpu", "cpuacct"})
            if (const auto mount = host.v1_mounts.find(controller); mount != host.v1_mounts.end())
                TRY(delegate_directory(mount->second + name, uid, gid));
        return {};
    }
    return std::move(Error("this host has cgroup version 2, where systemd delegates"))
        .with_remedy("Nothing needs delegating by hand: kernels ask their user's systemd.");
}

}  // namespace cellblock::jail
