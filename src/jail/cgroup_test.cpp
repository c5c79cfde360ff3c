// Finding our place in the host's cgroups, on hosts of every kind; names of cgroups; limits as the kernel
// keeps them.
#include "jail/cgroup.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "base/sys.hpp"
#include "jail/cgroup_counters.hpp"
#include "jail/cgroup_host.hpp"
#include "jail/control.hpp"
#include "jail/harness.hpp"
#include "jail/probes.hpp"

namespace cellblock::jail::testing {
namespace {

TEST(CgroupHost, VersionOneWithControllersMountedTogether) {
    const CgroupHost host = parse_cgroup_host(
        "5:memory:/user.slice/session\n4:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user.slice/session\n",
        "30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
        "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    EXPECT_EQ(host.v1.at("memory"), "/sys/fs/cgroup/memory/user.slice/session");
    EXPECT_EQ(host.v1.at("cpu"), "/sys/fs/cgroup/cpu,cpuacct");
    EXPECT_EQ(host.v1.at("cpuacct"), host.v1.at("cpu"));
    EXPECT_EQ(host.v1_mounts.at("memory"), "/sys/fs/cgroup/memory");
    EXPECT_EQ(host.v2, "/sys/fs/cgroup/unified/user.slice/session");
}

TEST(CgroupHost, VersionTwoOnly) {
    const CgroupHost host =
        parse_cgroup_host("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n",
                          "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
    EXPECT_TRUE(host.v1.empty());
    EXPECT_EQ(host.v2, "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope");
    EXPECT_EQ(host.v2_mount, "/sys/fs/cgroup");
}

TEST(CgroupHost, InAContainerTheMountShowsAPart) {
    const CgroupHost host =
        parse_cgroup_host("7:memory:/docker/abc\n6:pids:/docker/abc/inner\n5:cpu:/elsewhere\n",
                          "30 25 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
                          "31 25 0:27 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
                          "32 25 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
    EXPECT_EQ(host.v1.at("memory"), "/sys/fs/cgroup/memory");
    EXPECT_EQ(host.v1.at("pids"), "/sys/fs/cgroup/pids/inner");
    EXPECT_FALSE(host.v1.contains("cpu")) << "not visible through this mount";
}

TEST(CgroupHost, SpacesAreEscaped) {
    const CgroupHost host =
        parse_cgroup_host("0::/\n", "35 24 0:30 / /mnt/c\\040group rw - cgroup2 cgroup2 rw\n");
    EXPECT_EQ(host.v2, "/mnt/c group");
}

TEST(CgroupHost, NoiseIsPassedOver) {
    const CgroupHost host = parse_cgroup_host("\n:\nx\n0:/\n1:memory\n", "\n - \n1 2 3 - cgroup\nfoo bar\n");
    EXPECT_TRUE(host.v1.empty());
    EXPECT_FALSE(host.v2);
}

TEST(CgroupHost, WhatIsJoinedLateIsKnownWithoutTheMounts) {
    EXPECT_TRUE(parse_joins_late("5:pids,memory:/x\n0::/x\n"));
    EXPECT_FALSE(parse_joins_late("5:pids:/memory\n0::/memory\n"));
    EXPECT_FALSE(parse_joins_late("\n:\nx\n1:memory\n"));
    const auto host = look_at_cgroups();
    ASSERT_TRUE(host.ok());
    EXPECT_EQ(cgroups_are_joined_late().value(), host->joins_late());
}

uint64_t own_start_time() {
    const std::string stat = sys::read_file("/proc/self/stat", 4096).value();
    size_t at = stat.rfind(')');
    for (int field = 2; field < 22; ++field) at = stat.find(' ', at + 1);
    return std::stoull(stat.substr(at));
}

TEST(CgroupHost, AControllerThatTheKernelHasSwitchedOffIsNamed) {
    auto mount = sys::TempDir::create("cellblock-cgroup-").value();
    std::ofstream(mount.path() + "/cgroup.controllers") << "cpuset cpu pids\n";
    CgroupHost host;
    host.v2 = host.v2_mount = mount.path();
    EXPECT_TRUE(require_controllers(host, {"cpu", "pids"}));
    const auto missing = require_controllers(host, {"memory", "pids"});
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().sentence().find("cgroup_disable=memory"), std::string::npos)
        << missing.error().sentence();
}

TEST(CgroupName, TellsWhetherItsOwnerLives) {
    const uint64_t start = own_start_time();
    EXPECT_FALSE(is_stale_cgroup(cgroup_name(::getpid(), start, 0)));
    EXPECT_TRUE(is_stale_cgroup(cgroup_name(::getpid(), start + 1, 0)))
        << "the pid belongs to somebody else by now";
    const std::string leaf = "cellblock-" + std::to_string(::getpid()) + "-";
    EXPECT_FALSE(is_stale_cgroup(leaf + std::to_string(start) + "-kernel"));
    EXPECT_TRUE(is_stale_cgroup(leaf + std::to_string(start + 1) + "-kernel"));
    const pid_t gone = ::fork();
    if (gone == 0) std::_Exit(0);
    ::waitpid(gone, nullptr, 0);
    EXPECT_TRUE(is_stale_cgroup(cgroup_name(gone, start, 3)));
    for (const char* foreign : {"", "cellblock-", "cellblock-1000", "cellblock-x-1-1", "cellblock-1-1",
                                "cellblock-1-1-", "cellblock-1-1-1x", "docker-1-1-1", "user.slice"})
        EXPECT_FALSE(is_stale_cgroup(foreign)) << foreign;
}

CgroupHost own_host() {
    return parse_cgroup_host(sys::read_file("/proc/self/cgroup", 1 << 16).value(),
                             sys::read_file("/proc/self/mountinfo", 1 << 20).value());
}

class CgroupsInMode : public JailTest {};
INSTANTIATE_IN_MODES(CgroupsInMode, modes_of(Level::full));

TEST_P(CgroupsInMode, LimitsAreKeptAndTheCgroupGoesWithItsOwner) {
    in_mode([](const Plan& plan) {
        const Footprint before = footprint();
        {
            Limits limits = plan.limits;
            limits.cpus = 0.5;
            auto cgroup = Cgroup::create(look_at_cgroups().value(), limits, 7);
            ASSERT_TRUE(cgroup) << cgroup.error().sentence();
            EXPECT_GT(footprint().cgroups, before.cgroups);
            if (const auto host = own_host(); host.v1.contains("memory")) {
                const std::string tcp = host.v1.at("memory") + "/" +
                                        cgroup_name(::getpid(), own_start_time(), 7) +
                                        "/memory.kmem.tcp.limit_in_bytes";
                if (::access(tcp.c_str(), F_OK) == 0) {
                    EXPECT_LE(std::stoull(sys::read_file(tcp, 64).value()), limits.memory.count / 4);
                }
            }
            const Counters counters = (*cgroup)->counters();
            EXPECT_GE(counters.memory_current, 0);
            EXPECT_EQ(counters.memory_limit_hits, 0);
            EXPECT_EQ(counters.oom_kills, 0);
            EXPECT_EQ(counters.process_limit_hits, 0);
            EXPECT_EQ(counters.cpu_time_us, 0);
            auto again = Cgroup::create(look_at_cgroups().value(), limits, 7);
            ASSERT_FALSE(again);
            EXPECT_EQ(again.error().error_number(), EEXIST);
        }
        EXPECT_EQ(footprint(), before);
    });
}

TEST_P(CgroupsInMode, VersionOneIsEnteredByTheProcessItself) {
    in_mode([](const Plan& plan) {
        const CgroupHost host = look_at_cgroups().value();
        auto cgroup = Cgroup::create(host, plan.limits, 8);
        ASSERT_TRUE(cgroup) << cgroup.error().sentence();
        const auto entrances = (*cgroup)->entrances().value();
        if (!host.joins_late()) {
            EXPECT_TRUE(entrances.empty()) << "version 2: its processes are made in it";
            return;
        }
        EXPECT_GE(entrances.size(), 2U);
        EXPECT_LE(entrances.size(), kMaxEntrances);
        EXPECT_FALSE((*cgroup)->check_holds(::getpid()));
        // Into all hierarchies but the last, then into that, too.
        for (const size_t entered : {entrances.size() - 1, entrances.size()}) {
            auto [reader, writer] = sys::pipe().value();
            const pid_t child = ::fork();
            if (child == 0) {
                for (size_t i = 0; i < entered; ++i)
                    if (::write(entrances[i].get(), "0", 1) != 1) std::_Exit(1);
                if (::write(writer.get(), "", 1) != 1) std::_Exit(1);
                ::pause();
            }
            writer.reset();
            char done = 0;
            EXPECT_EQ(::read(reader.get(), &done, 1), 1);
            EXPECT_EQ(bool((*cgroup)->check_holds(child)), entered == entrances.size());
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
    });
}

TEST(Traffic, IsThatOfTheDevicesAtTheBottom) {
    const auto sum = [](const char* text) {
        const Traffic traffic =
            sum_traffic(text, [](const std::string& device) { return device == "253:0"; });
        return std::pair(traffic.read, traffic.written);
    };
    EXPECT_EQ(sum("8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=5 dios=6\n8:16 rbytes=1 wbytes=2\n"),
              std::pair(int64_t{101}, int64_t{22}));
    EXPECT_EQ(sum("253:0 rbytes=100 wbytes=20\n8:0 rbytes=100 wbytes=20\n"),
              std::pair(int64_t{100}, int64_t{20}));
    for (const char* nothing :
         {"", "\n", "8:0\n", "8:0 \n", "8:0 rbytes=\n", "8:0 rbytes=-5 wbytes=x\n", "rbytes"})
        EXPECT_EQ(sum(nothing), std::pair(int64_t{0}, int64_t{0})) << nothing;
}

TEST(Cgroups, WithoutDelegationTheErrorNamesTheRemedy) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become a user to whom nothing is delegated";
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::setresgid(54321, 54321, 54321) != 0 || ::setresuid(54321, 54321, 54321) != 0) std::_Exit(3);
        auto cgroup = Cgroup::create(look_at_cgroups().value(), Limits{}, 0);
        if (cgroup) std::_Exit(4);
        for (const Probe& probe : probe_host())
            if (probe.finding.find("4294967295") != std::string::npos) std::_Exit(6);
        const std::string& remedy = cgroup.error().remedy();
        const bool named = remedy.find(" delegate USER") != std::string::npos ||          // version 1
                           remedy.find("login session of systemd") != std::string::npos;  // version 2
        std::_Exit(named && remedy.find("namespaced") != std::string::npos ? 0 : 5);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace cellblock::jail::testing
