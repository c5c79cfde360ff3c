// Limits, each below and above its value: what the jailed code sees, and what the counters prove.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <set>
#include <thread>

#include "base/sys.hpp"
#include "jail/cgroup_host.hpp"
#include "jail/harness.hpp"
#include "jail/policy/limits.hpp"

namespace cellblock::jail::testing {
namespace {

using namespace std::chrono_literals;

class LimitsInside : public JailTest {};
INSTANTIATE_IN_EVERY_MODE(LimitsInside);
class HardLimitsInside : public JailTest {};
INSTANTIATE_IN_MODES(HardLimitsInside, modes_of(Level::full));
class SampledLimitsInside : public JailTest {};
INSTANTIATE_IN_MODES(SampledLimitsInside, modes_of(Level::namespaced));

class SharedScratchInside : public JailTest {};
INSTANTIATE_IN_MODES(SharedScratchInside, modes_providing(policy::Guarantee::scratch_together));
class ScratchFilesInside : public JailTest {};
INSTANTIATE_IN_MODES(ScratchFilesInside, modes_providing(policy::Guarantee::scratch_files));

constexpr size_t kMiB = 1 << 20;

/// What may take this long on hardware. Only the rig, where everything is emulated, sets the factor.
std::chrono::milliseconds on_this_host(std::chrono::milliseconds on_hardware) {
    const char* factor = std::getenv("CELLBLOCK_TESTS_SLOW_HOST");
    return on_hardware * (factor ? std::stoi(factor) : 1);
}

size_t number(const std::vector<std::string>& arguments, size_t index) {
    return std::stoul(arguments.at(index));
}

INSIDE(touch_memory) {
    const size_t size = number(arguments, 0) * kMiB;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
    std::memset(memory, 1, size);
    return 0;
}

INSIDE(fill_file) {
    const int fd = arguments.at(0) == "memfd" ? ::memfd_create("x", 0)
                                              : ::open(arguments.at(0).c_str(), O_CREAT | O_WRONLY, 0600);
    if (fd < 0) return errno;
    const std::string block(kMiB, 'x');
    for (size_t i = 0; i < number(arguments, 1); ++i)
        if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size())) {
            std::cout << i << " MiB\n";
            return errno;
        }
    return 0;
}

TEST_P(HardLimitsInside, MemoryBelowTheLimitIsFineAndAboveItIsKilledAndProven) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "touch_memory", {"96"}).exit.code, 0);
        const Counters before = jail->counters().value();
        EXPECT_EQ(before.oom_kills, 0);
        EXPECT_GT(before.memory_peak, static_cast<int64_t>(96 * kMiB));

        const Outcome killed = inside(*jail, "touch_memory", {"160"});
        EXPECT_EQ(killed.exit.signal, SIGKILL);
        EXPECT_FALSE(killed.init_lost);
        const Counters after = jail->counters().value();
        EXPECT_EQ(after.oom_kills - before.oom_kills, 1);
        EXPECT_GT(after.memory_limit_hits, before.memory_limit_hits);
        EXPECT_LE(after.memory_peak, static_cast<int64_t>(plan.limits.memory.count));
        EXPECT_EQ(run(*jail, {"/bin/true"}).exit.code, 0) << "the jail goes on";
    });
}

TEST_P(HardLimitsInside, ThePeakOfMemoryIsThatSinceItsRestart) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "touch_memory", {"96"}).exit.code, 0);
        const bool restarted = jail->restart_memory_peak();
        // Version 1 always could; version 2 can since Linux 6.12.
        EXPECT_TRUE(restarted || look_at_cgroups().value().v2);
        if (!restarted) return;
        EXPECT_EQ(inside(*jail, "touch_memory", {"32"}).exit.code, 0);
        const int64_t peak = jail->counters().value().memory_peak;
        EXPECT_GE(peak, static_cast<int64_t>(32 * kMiB));
        EXPECT_LT(peak, static_cast<int64_t>(96 * kMiB));
    });
}

INSIDE(touch_in_children) {
    for (int i = 0; i < 4; ++i)
        if (::fork() == 0) {
            std::string memory(60 * kMiB, 'x');
            ::pause();
        }
    while (::wait(nullptr) > 0) {
    }
    return 0;
}

TEST_P(HardLimitsInside, TheMemoryLimitCountsChildrenMemoryFilesAndScratch) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](Plan plan) {
        plan.limits.scratch = 512_MiB;
        plan.limits.shared_memory = 512_MiB;
        plan.limits.file_size = 512_MiB;
        auto jail = Jail::start(plan).value();
        ASSERT_TRUE(jail->spawn(command(inside_command("touch_in_children"))));
        for (int i = 0; i < 500 && jail->counters().value().oom_kills == 0; ++i)
            std::this_thread::sleep_for(10ms);
        EXPECT_GE(jail->counters().value().oom_kills, 1);
        ASSERT_TRUE(jail->kill_all());
        wait_events(*jail);

        EXPECT_EQ(inside(*jail, "fill_file", {"memfd", "200"}).exit.signal, SIGKILL);
        ASSERT_TRUE(jail->kill_all());
        EXPECT_EQ(inside(*jail, "fill_file", {"/dev/shm/file", "200"}).exit.signal, SIGKILL);
    });
}

TEST_P(SampledLimitsInside, WithoutAMemoryCgroupThereAreNoMemoryFiles) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "fill_file", {"memfd", "1"}).exit.code, EPERM);
    });
}

TEST_P(LimitsInside, OneAbsurdAllocationIsAnErrorAndNoEnd) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "touch_memory", {"100000"}).exit.code, ENOMEM);
    });
}

INSIDE(allocate) {
    const size_t size = number(arguments, 0) * kMiB;
    // malloc(), which after a refusal of mmap tries brk.
    void* memory = std::malloc(size);
    if (!memory) return ENOMEM;
    std::memset(memory, 1, size);
    return 0;
}

TEST_P(LimitsInside, AnAllocationThatWouldPassTheSoftLimitIsRefusedAndTold) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](Plan plan) {
        plan.limits.soft_memory = Bytes{plan.limits.memory.count / 10 * 9};
        const size_t soft = plan.limits.soft_memory.count / kMiB;
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "allocate", {std::to_string(soft / 2)}).exit.code, 0);
        EXPECT_EQ(jail->take_memory_refusals().count, 0U);
        EXPECT_EQ(inside(*jail, "allocate", {std::to_string(soft + 1)}).exit.code, ENOMEM);
        const MemoryRefusals refusals = jail->take_memory_refusals();
        EXPECT_GE(refusals.count, 1U);
        EXPECT_GE(refusals.largest, soft * kMiB);
        EXPECT_EQ(jail->take_memory_refusals().count, 0U);
        if (plan.level == Level::full) {
            EXPECT_EQ(jail->counters().value().oom_kills, 0);
        }
    });
}

TEST_P(LimitsInside, WithoutASoftLimitNothingIsRefused) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        inside(*jail, "allocate", {std::to_string(plan.limits.memory.count / kMiB / 2)});
        EXPECT_EQ(jail->take_memory_refusals().count, 0U);
    });
}

INSIDE(count_forks) {
    int count = 0;
    int error = 0;
    for (; count < 10'000; ++count) {
        const pid_t pid = ::fork();
        if (pid == 0) ::pause();
        if (pid < 0) {
            error = errno;
            break;
        }
    }
    std::cout << count << "\n";
    return error;
}

INSIDE(count_threads) {
    int count = 0;
    try {
        for (; count < 10'000; ++count) std::thread([] { ::pause(); }).detach();
    } catch (const std::system_error& error) {
        std::cout << count << std::endl;
        ::_exit(error.code().value());
    }
    return 0;
}

TEST_P(LimitsInside, ProcessesAndThreadsStopAtTheirLimit) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        for (const char* kind : {"count_forks", "count_threads"}) {
            const Outcome outcome = inside(*jail, kind);
            EXPECT_EQ(outcome.exit.code, EAGAIN);
            EXPECT_EQ(outcome.output, std::to_string(plan.limits.processes - 1) + "\n")
                << kind << ": the worker is one";
            ASSERT_TRUE(jail->kill_all());
        }
        if (plan.level == Level::full) {
            EXPECT_EQ(jail->counters().value().process_limit_hits, 2);
        }
    });
}

TEST_P(LimitsInside, ABombInOneJailLeavesAnotherItsProcesses) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto bomb = Jail::start(plan).value();
        auto other = Jail::start(plan).value();
        EXPECT_EQ(inside(*bomb, "count_forks").exit.code, EAGAIN);  // its children are still there
        EXPECT_EQ(inside(*other, "count_forks").output, std::to_string(plan.limits.processes - 1) + "\n");
    });
}

TEST_P(LimitsInside, ScratchAndSharedMemoryEndAtTheirSize) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const Outcome scratch = inside(*jail, "fill_file", {"/tmp/file", "100"});
        EXPECT_EQ(scratch.exit.code, ENOSPC);
        EXPECT_EQ(scratch.output, "16 MiB\n");
        EXPECT_EQ(inside(*jail, "fill_file", {"/dev/shm/file", "100"}).output, "8 MiB\n");
        // With whatever /tmp has left of it.
        EXPECT_EQ(inside(*jail, "fill_file", {"/home/cell/file", "100"}).exit.code, ENOSPC);
    });
}

TEST_P(SharedScratchInside, WhatIsInTmpIsMissingInHome) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "fill_file", {"/tmp/file", "100"}).output, "16 MiB\n");
        EXPECT_EQ(inside(*jail, "fill_file", {"/home/cell/file", "100"}).output, "0 MiB\n");
    });
}

TEST_P(ScratchFilesInside, ScratchEndsAtItsInodes) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const Outcome outcome =
            shell(*jail,
                  "i=0; while true > /tmp/$i; do i=$((i+1)); [ $i -gt 2000 ] && break; done "
                  "2>/dev/null; ls /tmp | wc -l");
        const int files = std::stoi(outcome.output);
        EXPECT_LT(files, 512);
        EXPECT_GT(files, 480);
    });
}

INSIDE(rlimits) {
    for (const auto& argument : arguments) {
        rlimit limit{};
        ::getrlimit(static_cast<__rlimit_resource>(std::stoi(argument)), &limit);
        std::cout << limit.rlim_cur << " " << limit.rlim_max << "\n";
    }
    return 0;
}

TEST_P(LimitsInside, EveryRowOfResourceLimitsIsUniqueJustifiedAndInForce) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        std::vector<std::string> resources;
        std::string wanted;
        std::set<int> seen;
        for (const auto& row : policy::resource_limits(plan.backend, plan.level, plan.limits)) {
            EXPECT_TRUE(seen.insert(row.resource).second) << row.name;
            EXPECT_GE(std::strlen(row.reason), 5U) << row.name;
            rlimit host{};
            ::getrlimit(static_cast<__rlimit_resource>(row.resource), &host);
            const rlim_t hard = std::min(row.hard, host.rlim_max);
            wanted += std::to_string(std::min(row.soft, hard)) + " " + std::to_string(hard) + "\n";
            resources.push_back(std::to_string(row.resource));
        }
        EXPECT_EQ(inside(*jail, "rlimits", resources).output, wanted);
    });
}

TEST_P(LimitsInside, ACrashLeavesNoCore) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(shell(*jail, "cd /tmp; kill -ABRT $$").exit.signal, SIGABRT);
        EXPECT_EQ(shell(*jail, "ls -A /tmp").output, "");
    });
}

TEST_P(LimitsInside, CpuTimeIsCounted) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const int64_t before = jail->counters().value().cpu_time_us;
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(shell(*jail, "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").exit.code, 0);
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
        const auto used = static_cast<double>(jail->counters().value().cpu_time_us - before);
        EXPECT_GT(used, 50'000);
        EXPECT_LT(used, took.count() * 1.2 + 50'000)
            << "one process cannot use more than the time that has passed";
    });
}

TEST_P(HardLimitsInside, CpuRateIsBounded) {
    in_mode([](Plan plan) {
        plan.limits.cpus = 0.25;
        auto jail = Jail::start(plan).value();
        ASSERT_TRUE(jail->spawn(command({"/bin/sh", "-c", "while :; do :; done & while :; do :; done"})));
        const int64_t before = jail->counters().value().cpu_time_us;
        std::this_thread::sleep_for(1s);
        const int64_t used = jail->counters().value().cpu_time_us - before;
        EXPECT_GT(used, 50'000);
        EXPECT_LT(used, 400'000) << "a quarter of a core, and one period of slack";
    });
}

INSIDE(share_memory) {
    const size_t size = number(arguments, 0) * kMiB;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
    std::memset(memory, 1, size);
    for (size_t i = 0; i < number(arguments, 1); ++i)
        if (::fork() == 0) {
            size_t sum = 0;
            for (size_t at = 0; at < size; at += 4096) sum += static_cast<const unsigned char*>(memory)[at];
            ::pause();
            ::_exit(static_cast<int>(sum));
        }
    std::cout << "ready" << std::endl;
    while (true) ::pause();
}

// Many processes that share much make a walk over their pages slow; the session waits for the sample.
TEST_P(SampledLimitsInside, SharedMemoryIsCountedOnceAndInTime) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        const auto limit = static_cast<int64_t>(plan.limits.memory.count);
        for (const bool above : {false, true}) {
            auto jail = Jail::start(plan).value();
            auto pipe = sys::pipe().value();
            auto spawned = command(inside_command("share_memory", {above ? "200" : "100", "24"}));
            spawned.stdout_fd = pipe.second.get();
            ASSERT_TRUE(jail->spawn(spawned));
            char ready[8];
            ASSERT_GT(::read(pipe.first.get(), ready, sizeof ready), 0);
            std::this_thread::sleep_for(500ms);
            for (int i = 0; i < 3; ++i) {
                const auto begin = std::chrono::steady_clock::now();
                const int64_t memory = jail->counters().value().memory_current;
                EXPECT_LT(std::chrono::steady_clock::now() - begin, on_this_host(300ms));
                EXPECT_GE(memory, static_cast<int64_t>(100 * kMiB)) << "shared memory counts";
                EXPECT_EQ(memory > limit, above) << memory;
            }
        }
    });
}

TEST_P(LimitsInside, MemoryIsSampledWithoutACgroup) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        ASSERT_TRUE(jail->spawn(command(inside_command("touch_in_children"))));
        int64_t most = 0;
        for (int i = 0; i < 300 && most < static_cast<int64_t>(100 * kMiB); ++i) {
            most = std::max(most, jail->counters().value().memory_current);
            std::this_thread::sleep_for(10ms);
        }
        EXPECT_GE(most, static_cast<int64_t>(100 * kMiB));
    });
}

}  // namespace
}  // namespace cellblock::jail::testing
