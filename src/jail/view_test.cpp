// What a jail sees and cannot write: every row of the mount tables, and the ways around them.
#include "jail/view.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "base/sys.hpp"
#include "jail/child.hpp"
#include "jail/harness.hpp"
#include "jail/layer_marks.hpp"
#include "jail/policy/mounts.hpp"
#include "jail/selftest.hpp"

namespace cellblock::jail::testing {
namespace {

namespace fs = std::filesystem;

// What shows host directories through overlays.
class ViewInside : public JailTest {};
INSTANTIATE_IN_MODES(ViewInside, modes_providing(policy::Guarantee::shown_alone));
class EveryView : public JailTest {};
INSTANTIATE_IN_EVERY_MODE(EveryView);
class QuotasInside : public JailTest {};
INSTANTIATE_IN_MODES(QuotasInside, modes_providing(policy::Guarantee::inotify_quota));

TEST(MountPolicy, EveryRowIsUniqueAndHasAReason) {
    std::set<std::string> paths;
    for (const auto& row : policy::base_view()) {
        EXPECT_TRUE(paths.insert(row.path).second) << row.path << " has two rows";
        EXPECT_GE(std::strlen(row.reason), 5U) << row.path;
    }
    for (const auto& row : policy::process_masks()) {
        EXPECT_TRUE(paths.insert(row.path).second) << row.path << " has two rows";
        EXPECT_TRUE(std::string(row.path).starts_with("/proc/")) << row.path;
        EXPECT_GE(std::strlen(row.reason), 5U) << row.path;
    }
    for (const auto& row : policy::namespace_quotas()) {
        EXPECT_TRUE(paths.insert(row.path).second) << row.path << " has two rows";
        EXPECT_GE(std::strlen(row.reason), 5U) << row.path;
    }
}

bool can_write_below(const std::string& directory) {
    const std::string file = directory + "/cellblock-test";
    const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY, 0600);
    if (fd < 0) return false;
    ::close(fd);
    ::unlink(file.c_str());
    return true;
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

void check(bool holds, const std::string& what) {
    if (!holds) std::cout << what << "\n";
}

void check_row(const policy::ViewRow& row) {
    const std::string path = row.path;
    struct statvfs flags {};
    if (exists(path)) ::statvfs(row.path, &flags);
    const bool is_directory = fs::is_directory(path);
    switch (row.view) {
        case policy::View::host_tree:
            if (!exists(path)) return;
            check((flags.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) == (ST_RDONLY | ST_NOSUID | ST_NODEV),
                  path + " is not ro,nosuid,nodev");
            check(!is_directory || !can_write_below(path), path + " is writable");
            return;
        case policy::View::directory:
            check(is_directory && !can_write_below(path), path + " is writable or missing");
            return;
        case policy::View::scratch:
        case policy::View::shared_memory:
            check(can_write_below(path), path + " is not writable");
            check((flags.f_flag & (ST_NOSUID | ST_NODEV)) == (ST_NOSUID | ST_NODEV),
                  path + " is not nosuid,nodev");
            return;
        case policy::View::host_device:
            // Landlock keeps /dev/random and /dev/urandom from being written to.
            check(::open(row.path, path.ends_with("random") ? O_RDONLY : O_RDWR) >= 0,
                  path + " cannot be opened");
            check(::chmod(row.path, 0600) != 0 && ::unlink(row.path) != 0, path + " can be changed");
            return;
        case policy::View::text:
            check(exists(path) && ::open(row.path, O_RDONLY) >= 0, path + " cannot be read");
            check(::open(row.path, O_WRONLY) < 0 && ::unlink(row.path) != 0, path + " can be changed");
            return;
        case policy::View::symlink:
        case policy::View::host_symlink:
            check(!exists(path) || ::unlink(row.path) != 0, path + " can be removed");
            return;
        case policy::View::processes:
            check(exists("/proc/self/status"), "no /proc");
            return;
        case policy::View::terminals:
            check(::open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0, "no terminals");
            return;
    }
}

void check_mask(const policy::MaskRow& row) {
    const std::string path = row.path;
    if (!exists(path)) return;
    if (row.mask != policy::Mask::read_only) {
        char byte;
        const int fd = ::open(row.path, O_RDONLY);
        if (fs::is_directory(path))
            check(fs::is_empty(path), path + " is not empty");
        else
            check(fd < 0 || ::read(fd, &byte, 1) <= 0, path + " can be read");
        return;
    }
    if (!fs::is_directory(path)) {
        check(::open(row.path, O_WRONLY) < 0, path + " is writable");
        return;
    }
    std::error_code ignored;
    const auto options = fs::directory_options::skip_permission_denied;
    for (auto at = fs::recursive_directory_iterator(path, options, ignored);
         at != fs::recursive_directory_iterator(); at.increment(ignored))
        if (!at->is_symlink(ignored) && !at->is_directory(ignored))
            check(::open(at->path().c_str(), O_WRONLY | O_NONBLOCK) < 0,
                  at->path().string() + " is writable");
}

INSIDE(check_view) {
    for (const auto& row : policy::base_view()) check_row(row);
    for (const auto& row : policy::process_masks()) check_mask(row);
    return 0;
}

INSIDE(check_quotas) {
    for (const auto& row : policy::namespace_quotas())
        if (exists(row.path)) {
            std::string value;
            std::ifstream(row.path) >> value;
            check(value == row.value, std::string(row.path) + " is " + value);
        }
    return 0;
}

TEST_P(QuotasInside, EveryQuotaIsInEffect) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const Outcome outcome = inside(*jail, "check_quotas");
        EXPECT_EQ(outcome.exit.code, 0) << outcome.errors;
        EXPECT_EQ(outcome.output, "");
    });
}

TEST_P(EveryView, EveryRowIsInEffect) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const Outcome outcome = inside(*jail, "check_view");
        EXPECT_EQ(outcome.exit.code, 0) << outcome.errors;
        EXPECT_EQ(outcome.output, "");
    });
}

TEST_P(EveryView, NothingOfTheHostIsNamed) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(shell(*jail, "ls /").output, shell(*jail,
                                                     "ls -d /bin /dev /etc /home /lib* /opt /proc /run /sbin "
                                                     "/sys /tmp /usr /var 2>/dev/null | cut -c2-")
                                                   .output);
        const bool own_devices = policy::provides(plan.backend, policy::Guarantee::own_devices);
        EXPECT_EQ(shell(*jail, "ls /home /opt /dev").output,
                  std::string("/dev:\n") + (own_devices ? "" : "core\n") +
                      "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\n" +
                      (own_devices ? "" : "tty\n") + "urandom\nzero\n\n/home:\ncell\n\n/opt:\ntest\n");
        EXPECT_NE(shell(*jail, "echo > /dev/tty").exit.code, 0) << "there is no terminal";
        for (const char* secret :
             {"/etc/shadow", "/etc/sudoers", "/etc/ssh",         "/root",    "/run/docker.sock",
              "/var/run",    "/var/lib",     "/etc/ssl/private", "/boot",    "/mnt",
              "/srv",        "/sys/kernel",  "/sys/fs/cgroup",   "/dev/mem", "/dev/console",
              "/dev/kvm",    "/dev/vsock",   "/dev/fuse",        "/dev/vda", "/dev/net"})
            EXPECT_NE(shell(*jail, std::string("test -e ") + secret).exit.code, 0) << secret;
        EXPECT_EQ(shell(*jail, "cut -d: -f1 /etc/passwd").output, "root\ncell\nnobody\n");
        EXPECT_EQ(shell(*jail, "cat /etc/hostname /etc/machine-id; uname -n").output,
                  "test\n" + std::string(32, '0') + "\ntest\n");
        EXPECT_EQ(shell(*jail, "grep -c cellblock /proc/self/cgroup").output, "0\n");
        EXPECT_EQ(shell(*jail, "tr -d '\\0' < /proc/1/cmdline; cat /proc/1/comm").output,
                  "jail-initjail-init\n");
        EXPECT_EQ(shell(*jail, "ls -d /proc/[0-9]* > f; wc -l < f").output, "2\n") << "pid 1 and sh";
    });
}

TEST_P(EveryView, InitIsClosed) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        for (const char* file :
             {"environ", "mem", "maps", "fd/0", "auxv", "syscall", "stack", "smaps", "pagemap", "io"})
            EXPECT_NE(shell(*jail, std::string("head -c1 /proc/1/") + file).exit.code, 0) << file;
        for (const char* link : {"root", "cwd", "exe", "ns/user", "fd"})
            EXPECT_NE(shell(*jail, std::string("ls /proc/1/") + link + "/").exit.code, 0) << link;
        EXPECT_NE(shell(*jail, "exec 3<>/proc/1/mem").exit.code, 0);
        EXPECT_NE(shell(*jail, "echo 0 > /proc/1/oom_score_adj").exit.code, 0);
    });
}

TEST_P(ViewInside, TheWorkerDiesFirstWhenMemoryIsShort) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(shell(*jail, "cat /proc/1/oom_score_adj; sleep 0.2; cat /proc/self/oom_score_adj").output,
                  "0\n500\n");
    });
}

TEST_P(ViewInside, MountsMayLieBelowOneAnotherAndBelowScratch) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        fs::create_directories(dir.path() + "/outer/inner");
        fs::create_directories(dir.path() + "/other");
        std::ofstream(dir.path() + "/outer/file") << "outer";
        std::ofstream(dir.path() + "/other/file") << "other";
        plan.mounts.push_back({dir.path() + "/outer", "/tmp/deep/down"});
        plan.mounts.push_back({dir.path() + "/other", "/tmp/deep/down/inner"});
        plan.mounts.push_back({dir.path() + "/other/file", "/home/someone/one-file"});
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(
            shell(*jail, "cat /tmp/deep/down/file /tmp/deep/down/inner/file /home/someone/one-file").output,
            "outerotherother");
        EXPECT_NE(shell(*jail, "touch /tmp/deep/down/x").exit.code, 0);
        EXPECT_NE(shell(*jail, "touch /tmp/deep/down/inner/x").exit.code, 0);
        EXPECT_NE(shell(*jail, "echo x >> /home/someone/one-file").exit.code, 0);
        EXPECT_EQ(shell(*jail, "ls /home").output, "cell\nsomeone\n");
    });
}

TEST_P(ViewInside, AMountWithoutAPlaceIsASentence) {
    in_mode([](Plan plan) {
        plan.mounts.push_back({"/usr/share", "/usr/does/not/exist"});
        auto jail = Jail::start(plan);
        ASSERT_FALSE(jail);
        EXPECT_NE(
            jail.error().sentence().find("show the environment (/usr/does/not/exist): Read-only file system"),
            std::string::npos)
            << jail.error().sentence();
        EXPECT_FALSE(jail.error().remedy().empty());
    });
}

TEST_P(ViewInside, ASymlinkOutOfAMountLeadsNowhere) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        std::ofstream(dir.path() + "/canary") << "secret";
        fs::create_directory(dir.path() + "/shown");
        fs::create_symlink(dir.path() + "/canary", dir.path() + "/shown/absolute");
        fs::create_symlink("../canary", dir.path() + "/shown/relative");
        fs::create_symlink("/etc/shadow", dir.path() + "/shown/shadow");
        plan.mounts.push_back({dir.path() + "/shown", "/opt/shown"});
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(shell(*jail, "cat /opt/shown/*; ls -L /opt/shown/absolute").output, "");
    });
}

TEST(View, ASourceThatWasReplacedSinceTheLookIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to detach trees outside of a jail";
    auto dir = sys::TempDir::create("cellblock-view-").value();
    fs::create_directory(dir.path() + "/source");
    Plan plan;
    plan.name = "test";
    plan.mounts = {{dir.path() + "/source", "/opt/source"}};
    const Identity ordinary{false, 1000, 1000, 1000, 1000};
    View same = compile_view(plan, ordinary).value();
    const char* detail = "";
    EXPECT_EQ(open_host_trees(same, detail), 0) << detail;
    for (const HostTree& tree : same.trees) ::close(tree.fd);

    View replaced = compile_view(plan, ordinary).value();
    fs::rename(dir.path() + "/source", dir.path() + "/moved");
    fs::create_directory(dir.path() + "/source");
    EXPECT_EQ(open_host_trees(replaced, detail), -ESTALE);
    EXPECT_EQ(detail, replaced.trees.back().source.c_str());
    for (const HostTree& tree : replaced.trees) ::close(tree.fd);
}

// The kernel keeps from an ordinary user what a mount covers, and root's jails show it as it is.
TEST(View, WhatIsMountedBelowAShownDirectoryIsNotShown) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount on the host";
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        // In a mount namespace of its own: the host's view does not change.
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            std::_Exit(3);
        fs::permissions(dir.path(), fs::perms(0755));
        fs::create_directory(dir.path() + "/below");
        if (::mount("tmpfs", (dir.path() + "/below").c_str(), "tmpfs", 0, "mode=0777") != 0) std::_Exit(4);
        std::ofstream(dir.path() + "/below/canary") << "secret";
        Plan plan;
        plan.level = Level::namespaced;
        plan.name = "test";
        plan.mounts = {{dir.path(), "/opt/tree"}};
        {
            auto jail = Jail::start(plan).value();
            EXPECT_EQ(shell(*jail, "ls -A /opt/tree/below; ls /opt/tree").output, "below\n");
            EXPECT_NE(shell(*jail, "touch /opt/tree/below/x").exit.code, 0);
        }
        const pid_t ordinary = ::fork();
        if (ordinary == 0) {
            if (::setresgid(54321, 54321, 54321) != 0 || ::setresuid(54321, 54321, 54321) != 0) std::_Exit(5);
            auto jail = Jail::start(plan);
            std::_Exit(!jail && jail.error().remedy().find("mounted below") != std::string::npos ? 0 : 6);
        }
        int status = 0;
        ::waitpid(ordinary, &status, 0);
        EXPECT_EQ(status, 0) << "an ordinary user is told";
        ::umount2((dir.path() + "/below").c_str(), MNT_DETACH);
        fs::remove_all(dir.path());
        std::_Exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
}

// The cell connects to a service of the host, writes to its FIFO or holds its locks, by their names in a
// directory that it sees read-only. Barrier: the overlay, whose inodes are others.
INSIDE(reach_for_the_host) {
    const std::string& directory = arguments.at(0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (directory + "/socket").c_str(), sizeof address.sun_path - 1);
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        const int fd = ::socket(AF_UNIX, type, 0);
        const bool refused = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == -1;
        check(refused && errno == ECONNREFUSED, "connect answered " + std::to_string(refused ? errno : 0));
    }
    const bool alone = ::open((directory + "/fifo").c_str(), O_WRONLY | O_NONBLOCK) == -1;
    // Landlock's answer comes before the overlay's, which is that there is no reader (ENXIO).
    check(alone && (errno == EACCES || errno == ENXIO),
          "the FIFO has a reader: " + std::to_string(alone ? errno : 0));
    for (const char* name : {"", "/locked"}) {
        const int fd = ::open((directory + name).c_str(), O_RDONLY);
        check(fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0, std::string("the host's lock holds: ") + name);
    }
    return 0;
}

TEST_P(ViewInside, SocketsFifosAndLocksOfTheHostAreOutOfReach) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        const std::string shown = dir.path() + "/shown";
        fs::create_directory(shown);
        std::ofstream(shown + "/locked") << "x";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, (shown + "/socket").c_str(), sizeof address.sun_path - 1);
        const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(::listen(listener.get(), 4), 0);
        ASSERT_EQ(::mkfifo((shown + "/fifo").c_str(), 0666), 0);
        for (const char* name : {"/socket", "/fifo", "/locked", ""})
            fs::permissions(shown + name, fs::perms(0777));
        const UniqueFd reader(::open((shown + "/fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        ASSERT_TRUE(reader.valid());
        std::vector<UniqueFd> locks;
        for (const char* name : {"", "/locked"}) {
            locks.emplace_back(::open((shown + name).c_str(), O_RDONLY | O_CLOEXEC));
            ASSERT_EQ(::flock(locks.back().get(), LOCK_EX | LOCK_NB), 0);
        }
        plan.mounts.push_back({shown, "/opt/shown"});
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "reach_for_the_host", {"/opt/shown"}).output, "");
        EXPECT_EQ(::accept(listener.get(), nullptr, nullptr), -1);
    });
}

TEST_P(ViewInside, AFileLikeACopyIsNotTheHosts) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        fs::permissions(dir.path(), fs::perms(0755));
        std::ofstream(dir.path() + "/file") << "#!/bin/sh\necho ran\n";
        std::ofstream(dir.path() + "/other") << "secret";
        fs::permissions(dir.path() + "/file", fs::perms(0555));
        const UniqueFd lock(::open((dir.path() + "/file").c_str(), O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
        plan.mounts.push_back({dir.path() + "/file", "/opt/shown/program", Access::like_a_copy});
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(shell(*jail,
                        "/opt/shown/program; ls -A /opt/shown; flock -n /opt/shown/program echo free; "
                        "echo x 2>/dev/null >>/opt/shown/program || echo read-only; "
                        "grep -c " +
                            dir.path() + " /proc/self/mountinfo")
                      .output,
                  "ran\nprogram\nfree\nread-only\n0\n");
    });
}

// The attack: whoever writes beside the file puts a link in its place. While the view is made, ".." still
// leads to the host's files.
TEST_P(ViewInside, AFileLikeACopyIsNoLink) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        fs::permissions(dir.path(), fs::perms(0755));
        std::ofstream(dir.path() + "/other") << "secret";
        fs::create_symlink("../.." + dir.path() + "/other", dir.path() + "/link");
        plan.mounts.push_back({dir.path() + "/link", "/opt/link", Access::like_a_copy});
        const auto jail = Jail::start(plan);
        if (jail) {
            EXPECT_EQ(shell(**jail, "cat /opt/link").output, "");
        }
    });
}

TEST_P(ViewInside, WhatIsExchangedAfterItWasJudgedIsNotShown) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        fs::permissions(dir.path(), fs::perms(0755));
        for (const char* name : {"/shown", "/secret"}) fs::create_directory(dir.path() + name);
        std::ofstream(dir.path() + "/secret/file") << "secret";
        struct stat status {};
        ASSERT_EQ(::stat((dir.path() + "/shown").c_str(), &status), 0);
        plan.mounts.push_back(
            {dir.path() + "/shown", "/opt/shown", Access::read_only, Inode{status.st_dev, status.st_ino}});
        EXPECT_EQ(shell(*Jail::start(plan).value(), "ls -A /opt/shown").output, "");
        fs::rename(dir.path() + "/shown", dir.path() + "/away");
        fs::create_symlink(dir.path() + "/secret", dir.path() + "/shown");
        const auto jail = Jail::start(plan);
        ASSERT_FALSE(jail.ok());
        EXPECT_NE(jail.error().sentence().find("taken its place"), std::string::npos);
    });
}

// An overlay reads its layer with the rights of who mounted it, which must not be more than the jail's.
TEST_P(ViewInside, AnOverlayOpensNothingThatTheHostKeepsClosed) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to own what the jail may not read";
    auto dir = sys::TempDir::create("cellblock-view-").value();
    fs::permissions(dir.path(), fs::perms(0755));
    fs::create_directory(dir.path() + "/closed");
    std::ofstream(dir.path() + "/closed/file") << "secret";
    std::ofstream(dir.path() + "/file") << "secret";
    std::ofstream(dir.path() + "/open") << "shown";
    fs::permissions(dir.path() + "/closed", fs::perms(0700));
    fs::permissions(dir.path() + "/file", fs::perms(0600));
    in_mode([&](Plan plan) {
        plan.mounts.push_back({dir.path(), "/opt/shown"});
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(
            shell(*jail, "cat /opt/shown/open /opt/shown/file /opt/shown/closed/file; ls /opt/shown/closed")
                .output,
            "shown");
        EXPECT_EQ(shell(*jail, "cat /opt/shown/file").errors, "cat: /opt/shown/file: Permission denied\n");
        EXPECT_NE(shell(*jail, "chmod 644 /opt/shown/open; touch /opt/shown/open").exit.code, 0);
    });
}

TEST_P(ViewInside, WhatTheHostReplacesIsSeenAfterARefresh) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        fs::permissions(dir.path(), fs::perms(0755));
        const auto write = [&](const std::string& name, const char* text) {
            std::ofstream(dir.path() + "/" + name) << text;
        };
        write("grows", "1");
        write("replaced", "old");
        plan.mounts.push_back({dir.path(), "/opt/shown"});
        auto jail = Jail::start(plan).value();
        const std::string look = "cd /opt/shown; cat grows replaced; cat late 2>/dev/null || echo -";
        EXPECT_EQ(shell(*jail, look).output, "1old-\n");
        std::ofstream(dir.path() + "/grows", std::ios::app) << "2";
        EXPECT_EQ(shell(*jail, "cat /opt/shown/grows").output, "12") << "contents need no refresh";
        // As editors save: beside, then over it.
        write(".new", "new");
        fs::rename(dir.path() + "/.new", dir.path() + "/replaced");
        write("late", "here");
        for (int i = 0; i < 3; ++i) {
            auto refreshed = jail->refresh_view();
            ASSERT_TRUE(refreshed) << refreshed.error().sentence();
        }
        EXPECT_EQ(shell(*jail, look).output, "12newhere");
        fs::remove(dir.path() + "/late");
        ASSERT_TRUE(jail->refresh_view());
        EXPECT_EQ(shell(*jail, look).output, "12new-\n");
    });
}

Mount changed(const sys::TempDir& directory) {
    return {directory.path(), "/opt/shown", Access::copy_on_write};
}

TEST_P(ViewInside, WhatIsWrittenToAChangedDirectoryStaysInItsLayer) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        std::ofstream(dir.path() + "/kept") << "kept";
        std::ofstream(dir.path() + "/changed") << "old";
        std::ofstream(dir.path() + "/deleted") << "old";
        fs::create_directory(dir.path() + "/tree");
        std::ofstream(dir.path() + "/tree/below") << "old";
        fs::create_directory(dir.path() + "/empty");
        plan.mounts.push_back(changed(dir));
        auto jail = Jail::start(plan).value();
        const Outcome outcome = shell(
            *jail,
            "cd /opt/shown && cat kept && echo new > changed && rm deleted && echo new > added && "
            "chmod 600 tree/below && echo x > tree/other && mkdir made && rmdir empty made && mkfifo pipe && "
            "ln -s /etc/passwd link && ls -A tree && stat -c %u:%g . added");
        EXPECT_EQ(outcome.errors, "");
        const std::string id =
            ::geteuid() == 0 ? "1000:1000" : std::to_string(::geteuid()) + ":" + std::to_string(::getegid());
        EXPECT_EQ(outcome.output, "keptbelow\nother\n" + id + "\n" + id + "\n");
        // The host's files are as they were.
        std::set<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(dir.path()))
            names.insert(entry.path().filename());
        EXPECT_EQ(names, (std::set<std::string>{"kept", "changed", "deleted", "tree", "below", "empty"}));
        std::string text;
        std::ifstream(dir.path() + "/changed") >> text;
        EXPECT_EQ(text, "old");
        // The layer holds the rest.
        const int layer = jail->changes_fd();
        struct stat info {};
        ASSERT_EQ(::fstatat(layer, "deleted", &info, AT_SYMLINK_NOFOLLOW), 0);
        EXPECT_TRUE(S_ISCHR(info.st_mode) && info.st_rdev == 0);
        ASSERT_EQ(::fstatat(layer, "added", &info, AT_SYMLINK_NOFOLLOW), 0);
        EXPECT_EQ(info.st_size, 4);
        EXPECT_NE(::fstatat(layer, "kept", &info, AT_SYMLINK_NOFOLLOW), 0);
    });
}

// Linux before 6.6 has no attributes for the marks that this needs: then it fails, and doctor has said so.
TEST_P(ViewInside, ADirectoryOfTheHostsIsRemovedAndReplacedWhereItsLayerKeepsMarks) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        fs::create_directory(dir.path() + "/tree");
        std::ofstream(dir.path() + "/tree/below") << "old";
        plan.mounts.push_back(changed(dir));
        auto jail = Jail::start(plan).value();
        const Outcome outcome = shell(*jail, "cd /opt/shown && rm -r tree && mkdir tree && ls -A tree");
        EXPECT_EQ(outcome.exit.code == 0, keeps_marks(jail->changes_fd())) << outcome.errors;
        EXPECT_EQ(outcome.errors,
                  outcome.exit.code == 0 ? "" : "rm: cannot remove 'tree': Input/output error\n");
        EXPECT_EQ(outcome.output, "");
        EXPECT_TRUE(fs::exists(dir.path() + "/tree/below"));
    });
}

TEST_P(ViewInside, AChangedDirectoryShowsWhatTheHostDoesElsewhereInIt) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        std::ofstream(dir.path() + "/replaced") << "old";
        plan.mounts.push_back(changed(dir));
        auto jail = Jail::start(plan).value();
        const std::string look = "cd /opt/shown; cat replaced; cat late 2>/dev/null || echo -; cat own";
        EXPECT_EQ(shell(*jail, "echo own > /opt/shown/own;" + look).output, "old-\nown\n");
        std::ofstream(dir.path() + "/.new") << "new";
        fs::rename(dir.path() + "/.new", dir.path() + "/replaced");
        std::ofstream(dir.path() + "/late") << "here";
        auto refreshed = jail->refresh_view();
        ASSERT_TRUE(refreshed) << refreshed.error().sentence();
        EXPECT_EQ(shell(*jail, look).output, "newhereown\n");
    });
}

// The cell fills the disk of the host through its notebook directory, or leaves there what acts later.
// Barrier: a file system of its own below the overlay, with a size; the filter; Landlock.
TEST_P(ViewInside, TheLayerOfChangesHasASizeAndNoPrivileges) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        plan.limits.scratch = 1_MiB;
        plan.limits.scratch_inodes = 64;
        plan.mounts.push_back(changed(dir));
        auto jail = Jail::start(plan).value();
        EXPECT_NE(shell(*jail, "head -c 2000000 /dev/zero > /opt/shown/big").errors.find("No space left"),
                  std::string::npos);
        EXPECT_NE(
            shell(*jail, "rm /opt/shown/big; cd /opt/shown; for i in $(seq 100); do : > f$i || exit; done")
                .errors.find("No space left"),
            std::string::npos);
        EXPECT_NE(shell(*jail, "chmod 4755 /opt/shown/f1").exit.code, 0);
        EXPECT_NE(shell(*jail, "mknod /opt/shown/whiteout c 0 0").exit.code, 0);
        EXPECT_TRUE(fs::is_empty(dir.path()));
    });
}

TEST_P(ViewInside, OneDirectoryAtMostTakesChanges) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-view-").value();
        plan.mounts.push_back(changed(dir));
        plan.mounts.push_back({dir.path(), "/opt/again", Access::copy_on_write});
        auto jail = Jail::start(plan);
        ASSERT_FALSE(jail);
        EXPECT_NE(jail.error().sentence().find("one directory"), std::string::npos)
            << jail.error().sentence();
    });
}

// Root's jails have a user of their own, to whom root's directory would be read-only.
TEST(View, RootsJailsActAsTheOwnerInAChangedDirectory) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto dir = sys::TempDir::create("cellblock-view-").value();  // mode 0700
    std::ofstream(dir.path() + "/own") << "own";
    std::ofstream(dir.path() + "/foreign") << "foreign";
    fs::permissions(dir.path() + "/foreign", fs::perms(0600));
    ASSERT_EQ(::chown(dir.path().c_str(), 54321, 54321), 0);
    ASSERT_EQ(::chown((dir.path() + "/own").c_str(), 54321, 54321), 0);
    Plan plan;
    plan.level = Level::namespaced;
    plan.name = "test";
    plan.mounts = {changed(dir)};
    auto jail = Jail::start(plan).value();
    EXPECT_EQ(
        shell(*jail, "cd /opt/shown; echo ed >> own; cat own; stat -c %u own foreign; cat foreign").output,
        "owned\n1000\n65534\n");
    EXPECT_EQ(fs::file_size(dir.path() + "/own"), 3U);
}

TEST(View, RootsJailsSeeWhatOnlyRootMayTraverseTo) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto dir = sys::TempDir::create("cellblock-view-").value();  // mode 0700
    fs::create_directory(dir.path() + "/venv");
    fs::permissions(dir.path() + "/venv", fs::perms(0755));
    std::ofstream(dir.path() + "/venv/file") << "shown";
    std::ofstream(dir.path() + "/secret") << "hidden";
    Plan plan;
    plan.level = Level::namespaced;
    plan.name = "test";
    plan.mounts = {{dir.path() + "/venv", dir.path() + "/venv"}};
    auto jail = Jail::start(plan).value();
    EXPECT_EQ(shell(*jail, "cat " + dir.path() + "/venv/file").output, "shown");
    EXPECT_EQ(shell(*jail, "ls " + dir.path()).output, "venv\n");
}

TEST(SelfTest, ActsAreUnique) {
    std::set<std::string> names;
    for (const ForbiddenAct& act : forbidden_acts()) EXPECT_TRUE(names.insert(act.name).second) << act.name;
}

TEST(SelfTest, BelievesNothingOutsideAJail) {
    // Every act that asks for protection must fail its proof in this unprotected process, else it proves
    // nothing.
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to whom nothing is forbidden";
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        // The acts really happen: in throw-away namespaces.
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            std::_Exit(3);
        ChildPlan plan;
        struct stat root {};
        ::stat("/", &root);
        plan.host_root_device = root.st_dev;
        plan.host_root_inode = root.st_ino;
        plan.parent_pid = ::getppid();
        const std::set<std::string> safe = {"see the host's root",
                                            "read /etc/shadow",
                                            "have a process other than pid 1 in sight",
                                            "hold a capability",
                                            "gain privileges by exec",
                                            "run without the filter",
                                            "mount",
                                            "keep a descriptor of the kernel process"};
        ::fcntl(0, F_DUPFD, 10);
        for (const ForbiddenAct& act : forbidden_acts()) {
            if (!safe.contains(act.name)) continue;  // would change the host or this process
            EXPECT_FALSE(act.fails(plan)) << act.name;
        }
        std::_Exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace cellblock::jail::testing
