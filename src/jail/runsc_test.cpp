// The backend runsc: what its jails are like inside, what its plan may ask for, and a gVisor that is missing,
// refuses, talks, hangs or dies. A start takes half a second, so each test looks at much.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/sys.hpp"
#include "jail/harness.hpp"
#include "jail/policy/limits.hpp"
#include "jail/runsc_config.hpp"

namespace cellblock::jail::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Gvisor : public JailTest {};
INSTANTIATE_IN_MODES(Gvisor, modes_of(Backend::runsc));

// Waits for the whole time of a set-up: once is enough.
class HangingGvisor : public JailTest {};
INSTANTIATE_IN_MODES(HangingGvisor, std::vector<Mode>{modes_of(Backend::runsc).back()});

std::unique_ptr<Jail> start(const Plan& plan) {
    auto jail = Jail::start(plan);
    if (!jail) ADD_FAILURE() << jail.error().sentence();
    return jail ? *std::move(jail) : nullptr;
}

/// Each line that the script prints, for scripts that print one fact a line.
std::string lines(Jail& jail, const std::string& script) {
    const Outcome outcome = shell(jail, script);
    return outcome.output + outcome.errors;
}

TEST_P(Gvisor, HasAKernelOfItsOwnAndSaysWhoHasMadeIt) {
    in_mode([](const Plan& plan) {
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        EXPECT_EQ(jail->backend(), Backend::runsc);
        EXPECT_FALSE(jail->has_landlock());
        EXPECT_EQ(jail->level(), plan.level);
        EXPECT_NE(lines(*jail, "uname -r").find("gvisor"), std::string::npos);
        EXPECT_EQ(
            lines(*jail, "id -u; hostname; grep -E 'CapBnd|CapEff|NoNewPrivs|Seccomp:' /proc/self/status"),
            std::to_string(::geteuid() == 0 ? 1000 : ::geteuid()) +
                "\ntest\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:"
                "\t2\n");
    });
}

TEST_P(Gvisor, AWorkerIsSpawnedSignalledJudgedAndFollowedByAnother) {
    in_mode([](const Plan& plan) {
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        EXPECT_EQ(run(*jail, {"/bin/sh", "-c", "exit 7"}).exit.code, 7);
        EXPECT_EQ(run(*jail, {"/bin/sh", "-c", "kill -SEGV $$"}).exit.signal, SIGSEGV);
        const auto absent = jail->spawn(command({"/no/such/program"}));
        ASSERT_FALSE(absent);
        EXPECT_EQ(absent.error().error_number(), ENOENT);
        auto [reader, writer] = sys::pipe().value();
        Command waits = command({"/bin/sh", "-c", "trap 'exit 3' INT; echo; while :; do sleep 0.01; done"});
        waits.stdout_fd = writer.get();
        ASSERT_TRUE(jail->spawn(waits));
        writer.reset();
        EXPECT_EQ(jail->worker_pid(), 0) << "no process of the host's is the worker";
        EXPECT_EQ(jail->spawn(waits).error().error_number(), EBUSY);
        char byte = 0;
        ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
        ASSERT_TRUE(jail->signal_worker(SIGINT));
        EXPECT_EQ(wait_events(*jail).front().exit.code, 3);
        ASSERT_TRUE(jail->spawn(command({"/bin/sh", "-c", "(setsid sleep 100 &); exec sleep 100"})));
        ASSERT_TRUE(jail->kill_all());
        EXPECT_EQ(jail->take_events().front().exit.signal, SIGKILL);
        EXPECT_EQ(lines(*jail, "cat /proc/[0-9]*/comm | grep -c sleep"), "0\n");
    });
}

TEST_P(Gvisor, ShowsTheViewOfANativeJail) {
    in_mode([](Plan plan) {
        const auto directory = sys::TempDir::create("cellblock-shown-").value();
        std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
        plan.mounts.push_back({directory.path(), "/srv/shown"});
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        EXPECT_EQ(lines(*jail, "ls /run /srv/shown; ls /home; cat /etc/machine-id"),
                  "/run:\njail-init\n\n/srv/shown:\ncell\n" + std::string(32, '0') + "\n");
        EXPECT_EQ(shell(*jail,
                        "cat /etc/shadow 2>&1 | grep -c 'No such file'; echo > /srv/shown/x || echo refused; "
                        "echo > /etc/x || echo refused; rm /etc/passwd || echo refused")
                      .output,
                  "1\nrefused\nrefused\nrefused\n");
        std::ofstream(directory.path() + "/new") << "new";
        ASSERT_TRUE(jail->refresh_view());
        EXPECT_EQ(lines(*jail, "cat /srv/shown/new"), "new");
        std::ofstream(directory.path() + "/new") << "newer";
        std::filesystem::rename(directory.path() + "/new", directory.path() + "/other");
        ASSERT_TRUE(jail->refresh_view());
        EXPECT_EQ(lines(*jail, "cat /srv/shown/*"), "newer");
    });
}

TEST_P(Gvisor, DirectoriesThatTakeWritesTakeThem) {
    in_mode([](Plan plan) {
        const auto changed = sys::TempDir::create("cellblock-changed-").value();
        const auto volume = sys::TempDir::create("cellblock-volume-").value();
        std::ofstream(changed.path() + "/old") << "old";
        plan.mounts.push_back({changed.path(), "/srv/changed", Access::copy_on_write});
        plan.mounts.push_back({volume.path(), "/srv/volume", Access::read_write});
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        EXPECT_EQ(lines(*jail,
                        "cd /srv/changed && cat old && echo new > old && echo more > more && cat old && "
                        "echo here > /srv/volume/file"),
                  "oldnew\n");
        EXPECT_EQ(sys::read_file(changed.path() + "/old", 16).value(), "old")
            << "a layer takes what is written";
        EXPECT_FALSE(std::filesystem::exists(changed.path() + "/more"));
        EXPECT_EQ(sys::read_file(volume.path() + "/file", 16).value(), "here\n");
    });
}

TEST_P(Gvisor, FilesAreExchangedThroughItsHomeAndItsSpacesAreCounted) {
    in_mode([](const Plan& plan) {
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        ASSERT_TRUE(jail->place({"in/program", "#!/bin/sh\necho ran > ~/out\n", true}));
        EXPECT_EQ(run(*jail, {std::string(kHome) + "/in/program"}).exit.code, 0);
        const auto taken = jail->take("out", 1_MiB, 4).value();
        ASSERT_EQ(taken.size(), 1U);
        EXPECT_EQ(taken.front().content, "ran\n");
        // /tmp and the home directory have one size together, 16 MiB.
        EXPECT_EQ(
            lines(*jail,
                  "head -c 12M /dev/zero > /tmp/a; head -c 12M /dev/zero > ~/b 2>/dev/null || echo full"),
            "full\n");
        const std::vector<Space> spaces = jail->spaces();
        ASSERT_EQ(spaces.size(), 2U);
        EXPECT_TRUE(spaces.front().has_no_bytes());
        EXPECT_EQ(lines(*jail,
                        "rm /tmp/a ~/b; i=0; while true 2>/dev/null > /tmp/$i; do i=$((i+1)); done; "
                        "test $i -lt 512 && echo bounded"),
                  "bounded\n");
        EXPECT_EQ(lines(*jail, "head -c 9M /dev/zero > /dev/shm/a 2>/dev/null || echo full"), "full\n");
    });
}

TEST_P(Gvisor, RefusesWhatLooksLikeAnEscapeThoughNobodyHearsOfIt) {
    in_mode([](const Plan& plan) {
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        EXPECT_EQ(lines(*jail,
                        "unshare -U true 2>/dev/null || echo refused; mount -t tmpfs x /tmp 2>/dev/null || "
                        "echo refused; chmod 4755 /tmp 2>/dev/null || echo refused"),
                  "refused\nrefused\nrefused\n");
        EXPECT_TRUE(jail->take_denials().empty());
        EXPECT_EQ(jail->take_memory_refusals().count, 0U);
    });
}

TEST_P(Gvisor, ItsNetworkIsALoopbackOrNothing) {
    in_mode([](Plan plan) {
        constexpr const char* kInterfaces = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '";
        EXPECT_EQ(lines(*start(plan), kInterfaces), "lo\n");
        plan.network = Network::none;
        EXPECT_EQ(lines(*start(plan), kInterfaces), "");
        plan.network = Network::allow;
        plan.allowed = {{"example.org", 443}};
        const std::string sentence = failure(plan);
        EXPECT_NE(sentence.find("backend runsc does not provide the network 'allow'"), std::string::npos)
            << sentence;
    });
}

TEST_P(Gvisor, WithoutACgroupNobodyWouldBoundItsMemorySoItIsRefused) {
    in_mode([](Plan plan) {
        plan.level = Level::namespaced;
        const std::string sentence = failure(plan);
        EXPECT_NE(sentence.find("backend runsc does not provide the level 'namespaced'"), std::string::npos)
            << sentence;
    });
}

TEST_P(Gvisor, ProcessesAndThreadsStopAtTheirLimit) {
    in_mode([](Plan plan) {
        plan.limits.processes = 12;
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        const Outcome bomb =
            shell(*jail, "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 5 & done; echo all");
        EXPECT_EQ(bomb.output.find("all"), std::string::npos) << bomb.output;
        EXPECT_FALSE(bomb.init_lost);
        ASSERT_TRUE(jail->kill_all());
        EXPECT_EQ(lines(*jail, "echo well"), "well\n");
    });
}

TEST_P(Gvisor, WhatRunsBesideTheWorkerIsListedAndEnded) {
    in_mode([](const Plan& plan) {
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        const uint64_t began = sys::start_time_of(::getpid()).value();
        auto [reader, writer] = sys::pipe().value();
        Command worker = command({"/bin/sh", "-c", "(setsid sleep 777 &); (exit 0) & echo; exec sleep 888"});
        worker.stdout_fd = writer.get();
        ASSERT_TRUE(jail->spawn(worker));
        char byte = 0;
        ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
        std::vector<Process> processes = jail->background();
        for (int i = 0; i < 100 && (processes.empty() || processes.front().command != "sleep 777"); ++i) {
            std::this_thread::sleep_for(20ms);
            processes = jail->background();
        }
        ASSERT_EQ(processes.size(), 1U);
        EXPECT_EQ(processes.front().command, "sleep 777");
        EXPECT_GT(processes.front().pid, 1);
        EXPECT_GT(processes.front().memory, 0);
        EXPECT_GE(processes.front().start_time, began);
        ASSERT_TRUE(jail->kill_background());
        // Who is killed is not dead at once.
        for (int i = 0; i < 100 && !jail->background().empty(); ++i) std::this_thread::sleep_for(20ms);
        EXPECT_TRUE(jail->background().empty());
        EXPECT_TRUE(jail->take_events().empty()) << "the worker lives";
    });
}

TEST_P(Gvisor, MemoryAboveTheLimitIsTheEndAndProven) {
    in_mode([](const Plan& plan) {
        const auto jail = start(plan);
        ASSERT_TRUE(jail);
        const Counters before = jail->counters().value();
        EXPECT_GT(before.memory_current, 0);
        const Outcome outcome = shell(*jail, "x=0123456789abcdef; while :; do x=$x$x; done");
        EXPECT_TRUE(outcome.init_lost || outcome.exit.signal == SIGKILL || outcome.exit.code != 0);
        const Counters after = jail->counters().value();
        EXPECT_GT(increase(after.oom_kills, before.oom_kills) +
                      increase(after.memory_limit_hits, before.memory_limit_hits),
                  0);
        EXPECT_GT(increase(after.cpu_time_us, before.cpu_time_us), 0);
    });
}

TEST_P(Gvisor, DiesWithTheKernelProcessWhateverItDoes) {
    in_mode([](const Plan& plan) {
        auto [reader, writer] = sys::pipe().value();
        // gVisor holds the worker's end: closed only when all of it is dead.
        auto [all_gone, held] = sys::pipe().value();
        const pid_t kernel = ::fork();
        if (kernel == 0) {
            // Started from a thread that has ended.
            std::unique_ptr<Jail> jail;
            std::thread([&] { jail = start(plan); }).join();
            auto busy =
                command({"/bin/sh", "-c", "trap '' HUP TERM; setsid sleep 1000 & while :; do :; done"});
            busy.stdout_fd = held.get();
            if (!jail || !jail->spawn(busy)) std::_Exit(1);
            [[maybe_unused]] const ssize_t n = ::write(writer.get(), "", 1);
            ::pause();
        }
        held.reset();
        writer.reset();
        char byte = 0;
        ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
        ASSERT_EQ(::kill(kernel, SIGKILL), 0);
        ::waitpid(kernel, nullptr, 0);
        pollfd entry{all_gone.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&entry, 1, 2000), 1) << "it lives on";
        EXPECT_EQ(entry.revents & POLLHUP, POLLHUP);
        start(plan).reset();
        EXPECT_EQ(footprint().cgroups, 0U);
    });
}

TEST_P(Gvisor, KillingItEndsTheJailAndLeavesNothing) {
    in_mode([](const Plan& plan) {
        const Footprint before = footprint();
        {
            const auto jail = start(plan);
            ASSERT_TRUE(jail);
            ASSERT_TRUE(jail->spawn(command({"/bin/sleep", "100"})));
            // Our only child is pid 1 of the namespaces; its only one is gVisor.
            const auto only_child = [](pid_t pid) {
                const std::string name = std::to_string(pid);
                return static_cast<pid_t>(
                    std::stol(sys::read_file("/proc/" + name + "/task/" + name + "/children", 4096).value()));
            };
            ASSERT_EQ(::kill(only_child(only_child(::getpid())), SIGKILL), 0);
            EXPECT_EQ(wait_events(*jail).back().kind, Event::Kind::init_lost);
            EXPECT_FALSE(jail->spawn(command({"/bin/true"})));
        }
        EXPECT_EQ(footprint(), before);
    });
}

TEST_P(Gvisor, AFailureOfAnyStepLeavesNothing) {
    in_mode(expect_that_failing_steps_leave_nothing);
}

TEST_P(Gvisor, MissingIsAnErrorAndNoFallbackAndItsOwnWordsAreQuoted) {
    in_mode([](Plan plan) {
        plan.program = "/nowhere/runsc";
        EXPECT_NE(failure(plan).find("/nowhere/runsc"), std::string::npos);
        const FakeProgram refuses("#!/bin/sh\necho 'running container: no such thing' >&2\nexit 1\n");
        EXPECT_NE(
            failure(refuses.in(plan)).find("it ended without a jail; it said: running container: no such"),
            std::string::npos)
            << failure(refuses.in(plan));
        const FakeProgram rubbish(
            "#!/bin/sh\nhead -c 30000 /dev/urandom\nprintf rubbish >&3\nprintf rubbish >&4\n");
        const std::string sentence = failure(rubbish.in(plan));
        EXPECT_NE(sentence.find("start the jail: "), std::string::npos) << sentence;
        EXPECT_LT(sentence.size(), 4000U);
        EXPECT_TRUE(std::ranges::all_of(sentence, [](unsigned char c) { return c >= ' ' || c == '\n'; }));
    });
}

TEST_P(HangingGvisor, AProgramThatHangsIsEndedInTime) {
    in_mode([](const Plan& plan) {
        const FakeProgram fake("#!/bin/sh\ntrap '' TERM HUP\n(setsid sleep 100) &\nsleep 100\n");
        const auto begin = Clock::now();
        const std::string sentence = failure(fake.in(plan));
        EXPECT_LT(Clock::now() - begin, 40s);
        EXPECT_NE(sentence.find("there is none within 30 s"), std::string::npos) << sentence;
    });
}

TEST(GvisorConfig, IsThatOfTheViewAndGivesNoCapability) {
    Plan plan;
    plan.name = "config";
    plan.mounts = {{"/usr/share", "/srv/shown"},
                   {"/usr/share", "/tmp/shown"},
                   {"/usr/lib", "/srv/written", Access::read_write}};
    const Identity identity{false, 1234, 1234, 1234, 1234};
    const View view = compile_view(plan, identity).value();
    const auto config = nlohmann::json::parse(runsc_config(plan, identity, view));
    EXPECT_EQ(config["hostname"], "config");
    EXPECT_TRUE(config["root"]["readonly"].get<bool>());
    EXPECT_TRUE(config["process"]["capabilities"].empty());
    EXPECT_TRUE(config["process"]["env"].empty());
    EXPECT_EQ(config["process"]["user"]["uid"], 1234);
    std::set<std::string> written;
    std::set<std::string> shown;
    for (const auto& mount : config["mounts"])
        if (std::ranges::find(mount["options"], "ro") != mount["options"].end())
            shown.insert(mount["destination"]);
    EXPECT_EQ(shown, (std::set<std::string>{"/run", "/sys", "/tmp/shown"}));
    for (const auto& mount : config["mounts"])
        if (std::ranges::find(mount["options"], "rw") != mount["options"].end())
            written.insert(mount["destination"]);
    EXPECT_EQ(written, (std::set<std::string>{"/dev/shm", "/tmp", "/var/tmp", kHome, "/srv/written"}));
}

TEST(GvisorConfig, WhatBoundsItOnTheHostHasRoomForItAndNoMore) {
    Limits limits;
    limits.processes = 100;
    const auto rows = policy::gvisor_limits(limits);
    const auto processes = std::ranges::find(rows, RLIMIT_NPROC, &policy::ResourceLimit::resource);
    ASSERT_NE(processes, rows.end());
    EXPECT_EQ(processes->hard, static_cast<rlim_t>(policy::host_tasks(limits)));
    EXPECT_NE(std::ranges::find(rows, RLIMIT_CORE, &policy::ResourceLimit::resource), rows.end());
    EXPECT_EQ(std::ranges::find(rows, RLIMIT_DATA, &policy::ResourceLimit::resource), rows.end())
        << "the memory of all that runs in it is gVisor's";
}

}  // namespace
}  // namespace cellblock::jail::testing
