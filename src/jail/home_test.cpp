// Files that are put into a jail's home directory and read from it, and directories of the host that take
// writes.
#include "jail/home.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/sys.hpp"
#include "jail/harness.hpp"

namespace cellblock::jail::testing {
namespace {

namespace fs = std::filesystem;

constexpr Bytes kPlenty = 1_MiB;

class JailHome : public JailTest {};
INSTANTIATE_IN_EVERY_MODE(JailHome);

class JailVolumes : public JailTest {};
INSTANTIATE_IN_MODES(JailVolumes, modes_providing(policy::Guarantee::writable_volumes));

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST_P(JailHome, HasTheFilesThatArePutThereAsItsOwn) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        ASSERT_TRUE(jail->place({"a/b/text", "hello\n"}));
        ASSERT_TRUE(jail->place({"a/program", "#!/bin/sh\necho ran\n", true}));
        EXPECT_EQ(shell(*jail, "cat ~/a/b/text; ~/a/program; echo more >> ~/a/b/text && rm -r ~/a").output,
                  "hello\nran\n");
    });
}

TEST_P(JailHome, TakesNoPathThatLeadsElsewhereOrIsTaken) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        for (const char* path : {"../x", "/x", "a/../../x", "", "a//b", "."})
            EXPECT_FALSE(jail->place({path, "x"})) << path;
        ASSERT_EQ(shell(*jail, "ln -s /tmp ~/link; ln -s /tmp/file ~/file").exit.code, 0);
        EXPECT_FALSE(jail->place({"link/x", "x"}));
        EXPECT_FALSE(jail->place({"file", "x"}));
        ASSERT_TRUE(jail->place({"twice", "1"}));
        EXPECT_FALSE(jail->place({"twice", "2"}));
        EXPECT_EQ(shell(*jail, "ls /tmp").output, "");
    });
}

TEST_P(JailHome, FilesAreTakenFromIt) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        ASSERT_EQ(
            shell(*jail,
                  "mkdir -p ~/out/deep; printf one > ~/out/1; printf two > ~/out/deep/2; chmod +x ~/out/1")
                .exit.code,
            0);
        auto files = jail->take("out", kPlenty, 10).value();
        std::ranges::sort(files, {}, &HomeFile::path);
        ASSERT_EQ(files.size(), 2U);
        EXPECT_EQ(files[0].path, "out/1");
        EXPECT_EQ(files[0].content, "one");
        EXPECT_TRUE(files[0].is_executable);
        EXPECT_EQ(files[1].path, "out/deep/2");
        EXPECT_EQ(files[1].content, "two");
        EXPECT_FALSE(files[1].is_executable);
        EXPECT_FALSE(jail->take("absent", kPlenty, 10));
    });
}

// The jail offers something else than a file: a way to the host's files, to wait for ever, or to fill memory.
// Barrier: openat2() beneath the home directory; only regular files; bounds.
TEST_P(JailHome, NothingElseThanFilesIsTakenNorTooMuch) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        ASSERT_EQ(shell(*jail,
                        "cd; ln -s /etc/passwd link; ln -s / root; mkfifo fifo; mkdir many; touch many/1 "
                        "many/2 many/3; "
                        "truncate -s 2M sparse; mkdir nest; ln -s /etc nest/etc; "
                        "d=deep; for i in $(seq 40); do d=$d/d; done; mkdir -p $d")
                      .exit.code,
                  0);
        for (const char* path :
             {"link", "root/etc/passwd", "fifo", "many", "sparse", "nest", "deep", "../etc/passwd"})
            EXPECT_FALSE(jail->take(path, kPlenty, 2)) << path;
        EXPECT_TRUE(jail->take("many", kPlenty, 3));
    });
}

TEST_P(JailVolumes, AreWrittenToAndBelongToTheirOwner) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-volume-").value();  // mode 0700
        std::ofstream(dir.path() + "/old") << "old";
        plan.mounts.push_back({dir.path(), "/data", Access::read_write});
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(shell(*jail, "cat /data/old; echo new > /data/new && rm /data/old && mkdir /data/d").output,
                  "old");
        EXPECT_EQ(read_file(dir.path() + "/new"), "new\n");
        EXPECT_FALSE(fs::exists(dir.path() + "/old"));
        struct stat made {
        }, directory{};
        ASSERT_EQ(::stat((dir.path() + "/new").c_str(), &made), 0);
        ASSERT_EQ(::stat(dir.path().c_str(), &directory), 0);
        EXPECT_EQ(made.st_uid, directory.st_uid);
        EXPECT_EQ(made.st_gid, directory.st_gid);
    });
}

// What is written there acts later, with the rights of somebody else, or is a way to the rest of the host.
// Barrier: nosuid, nodev; the filter; Landlock; no submounts.
TEST_P(JailVolumes, TakeNoPrivilegeNoDeviceAndLeadNowhereElse) {
    in_mode([](Plan plan) {
        auto dir = sys::TempDir::create("cellblock-volume-").value();
        auto other = sys::TempDir::create("cellblock-volume-").value();
        std::ofstream(other.path() + "/secret") << "secret";
        fs::create_symlink(other.path() + "/secret", dir.path() + "/link");
        plan.mounts.push_back({dir.path(), "/data", Access::read_write});
        auto jail = Jail::start(plan).value();
        EXPECT_NE(shell(*jail, "touch /data/x; chmod 4755 /data/x").exit.code, 0);
        EXPECT_NE(shell(*jail, "mknod /data/device c 1 3").exit.code, 0);
        EXPECT_NE(shell(*jail, "cat /data/link").exit.code, 0);
        EXPECT_NE(shell(*jail, "cat /data/../../" + other.path() + "/secret").exit.code, 0);
        EXPECT_NE(
            shell(*jail, "ls / | grep -q data && mount | grep ' /data ' | grep -q nosuid,nodev").exit.code,
            1);
    });
}

}  // namespace
}  // namespace cellblock::jail::testing
