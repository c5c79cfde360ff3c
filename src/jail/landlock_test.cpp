// Landlock alone, in a forked process without a jail: that the rows are in effect, and nothing beside them.
#include "jail/landlock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "jail/harness.hpp"
#include "jail/policy/landlock.hpp"
#include "jail/policy/mounts.hpp"

namespace cellblock::jail::testing {
namespace {

TEST(LandlockPolicy, EveryRowIsUniqueAndHasAReasonAndKnownRights) {
    std::set<std::string> paths;
    for (const policy::LandlockRow& row : policy::landlock_rows()) {
        EXPECT_TRUE(paths.insert(row.path).second) << row.path;
        EXPECT_GE(std::strlen(row.reason), 3U) << row.path;
        EXPECT_NE(row.rights, 0U) << row.path;
        EXPECT_EQ(row.rights & ~policy::landlock_file_rights(99), 0U) << row.path;
    }
}

TEST(LandlockPolicy, WhatTheViewMakesWritableIsWritableHereAndNothingElse) {
    std::set<std::string> writable{"/proc", "/dev/pts"};
    for (const policy::ViewRow& row : policy::base_view()) {
        const bool source_of_randomness = std::string(row.path).ends_with("random");
        if (row.view == policy::View::scratch || row.view == policy::View::shared_memory ||
            (row.view == policy::View::host_device && !source_of_randomness))
            writable.insert(row.path);
    }
    std::set<std::string> granted;
    for (const policy::LandlockRow& row : policy::landlock_rows())
        if ((row.rights & LANDLOCK_ACCESS_FS_WRITE_FILE) != 0) granted.insert(row.path);
    EXPECT_EQ(granted, writable);
}

TEST(LandlockPolicy, OlderKernelsAreAskedForNoMoreThanTheyKnow) {
    EXPECT_EQ(policy::landlock_file_rights(0), 0U);
    EXPECT_EQ(policy::landlock_file_rights(1), (1U << 13) - 1);
    EXPECT_EQ(policy::landlock_file_rights(2), (1U << 14) - 1);
    EXPECT_EQ(policy::landlock_file_rights(4), (1U << 15) - 1);
    EXPECT_EQ(policy::landlock_file_rights(5), (1U << 16) - 1);
    EXPECT_EQ(policy::landlock_scopes(5), 0U);
    EXPECT_EQ(policy::landlock_scopes(6), 3U);
}

TEST(LandlockPolicy, EachVersionBringsSomethingAndSaysWhatIsMissingWithoutIt) {
    int before = 0;
    std::set<std::string> missing;
    for (const policy::LandlockAbiRow& row : policy::landlock_abis()) {
        EXPECT_GT(row.abi, before) << row.without;
        EXPECT_TRUE(row.rights != 0 || row.scopes != 0) << row.abi;
        EXPECT_TRUE(missing.insert(row.without).second) << row.without;
        EXPECT_NE(std::string(row.since).find('.'), std::string::npos) << row.since;
        before = row.abi;
    }
}

INSIDE(random_devices) {
    for (const char* path : {"/dev/random", "/dev/urandom"}) {
        // Writable for everybody by its mode, and not on a read-only mount: only Landlock forbids it.
        struct stat info {};
        if (::stat(path, &info) != 0 || (info.st_mode & S_IWOTH) == 0 || ::access(path, W_OK) != 0) return 1;
        if (::open(path, O_WRONLY) != -1 || errno != EACCES) return 2;
        if (::open(path, O_RDONLY) < 0) return 3;
    }
    return 0;
}

INSIDE(own_files) {
    for (const std::string directory : {"/tmp", "/var/tmp", "/dev/shm", "/home/cell"}) {
        const std::string one = directory + "/one";
        const std::string two = directory + "/below";
        if (::mkdir(two.c_str(), 0700) != 0) return 1;
        const int fd = ::open(one.c_str(), O_CREAT | O_RDWR, 0700);
        if (fd < 0 || ::write(fd, "#!/bin/true\n", 12) != 12 || ::ftruncate(fd, 12) != 0) return 2;
        ::close(fd);
        // Between directories: the right that came with the second version.
        if (::rename(one.c_str(), (two + "/one").c_str()) != 0) return 3;
        if (::link((two + "/one").c_str(), one.c_str()) != 0) return 4;
        if (::symlink("x", (two + "/s").c_str()) != 0 || ::mkfifo((two + "/f").c_str(), 0600) != 0) return 5;
    }
    return 0;
}

class LandlockInside : public JailTest {};
INSTANTIATE_IN_EVERY_MODE(LandlockInside);

TEST_P(LandlockInside, IsInForce) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "random_devices").exit.code, 0);
    });
}

TEST_P(LandlockInside, OwnDirectoriesAreOfFullUse) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "own_files").exit.code, 0);
    });
}

}  // namespace
}  // namespace cellblock::jail::testing
