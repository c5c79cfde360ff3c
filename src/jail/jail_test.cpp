// The life of a jail: start, spawn, signal, kill, end; and that nothing of it is left.
#include "jail/jail.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/sys.hpp"
#include "jail/harness.hpp"

extern char** environ;

namespace cellblock::jail::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class JailLife : public JailTest {};
INSTANTIATE_IN_EVERY_MODE(JailLife);

std::unique_ptr<Jail> start(const Plan& plan) {
    auto jail = Jail::start(plan);
    if (!jail) {
        ADD_FAILURE() << jail.error().sentence();
        std::_Exit(1);
    }
    return *std::move(jail);
}

INSIDE(report) {
    for (const auto& argument : arguments) std::cout << "argument " << argument << "\n";
    for (char** variable = environ; *variable; ++variable) std::cout << "variable " << *variable << "\n";
    char cwd[4096];
    std::cout << "directory " << ::getcwd(cwd, sizeof cwd) << "\n";
    std::cout << "leader " << (::getsid(0) == ::getpid() && ::getpgrp() == ::getpid()) << "\n";
    std::cout << "parent " << ::getppid() << "\n";
    for (int fd = 0; fd < 1024; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) std::cout << "descriptor " << fd << "\n";
    char link[64] = {};
    if (::read(3, link, sizeof link - 1) > 0) std::cout << "link says " << link << "\n";
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    for (int signal = 1; signal < 32; ++signal)
        if (sigismember(&blocked, signal)) std::cout << "blocked " << signal << "\n";
    return 0;
}

TEST_P(JailLife, HandsOverCommandEnvironmentDirectoryAndDescriptors) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        auto [ours, theirs] = sys::socket_pair(SOCK_STREAM).value();
        ASSERT_EQ(::write(ours.get(), "hello", 5), 5);
        auto [reader, writer] = sys::pipe().value();
        Command cmd = command(inside_command("report", {"", "two words", "ünïcödé\n"}));
        cmd.environment = {"A=1", "EMPTY=", "B=x=y"};
        cmd.working_directory = kHome;
        cmd.stdout_fd = writer.get();
        cmd.link_fd = theirs.get();
        ASSERT_TRUE(jail->spawn(cmd));
        writer.reset();
        theirs.reset();
        std::string text;
        char buffer[4096];
        for (ssize_t n; (n = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<size_t>(n));
        EXPECT_EQ(text,
                  "argument \nargument two words\nargument ünïcödé\n\nvariable A=1\nvariable "
                  "EMPTY=\nvariable B=x=y\n"
                  "directory /home/cell\nleader 1\nparent 1\ndescriptor 0\ndescriptor 1\ndescriptor "
                  "2\ndescriptor 3\n"
                  "link says hello\n");
        wait_events(*jail);
    });
}

TEST_P(JailLife, ReportsHowTheWorkerEnded) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        EXPECT_EQ(run(*jail, {"/bin/true"}).exit.code, 0);
        EXPECT_EQ(shell(*jail, "exit 3").exit.code, 3);
        const Outcome status_137 = shell(*jail, "exit 137");
        EXPECT_EQ(status_137.exit.code, 137);
        EXPECT_EQ(status_137.exit.signal, 0);
        EXPECT_EQ(shell(*jail, "kill -9 $$").exit.signal, SIGKILL);
        EXPECT_EQ(shell(*jail, "kill -SEGV $$").exit.signal, SIGSEGV);
    });
}

TEST_P(JailLife, TellsWhyACommandCannotBeExecuted) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        auto absent = jail->spawn(command({"/usr/bin/no-such-program"}));
        ASSERT_FALSE(absent);
        EXPECT_EQ(absent.error().error_number(), ENOENT);
        EXPECT_NE(absent.error().what().find("execute /usr/bin/no-such-program in the jail"),
                  std::string::npos);
        auto directory = jail->spawn(command({"/usr"}));
        ASSERT_FALSE(directory);
        EXPECT_EQ(directory.error().error_number(), EACCES);
        Command cmd = command({"/bin/true"});
        cmd.working_directory = "/nowhere";
        auto nowhere = jail->spawn(cmd);
        ASSERT_FALSE(nowhere);
        EXPECT_NE(nowhere.error().what().find("enter the directory /nowhere"), std::string::npos);
        EXPECT_EQ(jail->worker_pid(), 0);
        // None of these was a worker: no event, and the next one runs.
        EXPECT_TRUE(jail->take_events().empty());
        EXPECT_EQ(run(*jail, {"/bin/true"}).exit.code, 0);
    });
}

TEST_P(JailLife, RefusesAnEnvironmentThatIsTooLarge) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        Command cmd = command({"/bin/true"});
        cmd.environment.push_back("BIG=" + std::string(200'000, 'x'));
        auto spawned = jail->spawn(cmd);
        ASSERT_FALSE(spawned);
        EXPECT_NE(spawned.error().sentence().find("Pass fewer environment variables"), std::string::npos);
        cmd = command({"/bin/true"});
        cmd.environment.push_back("BIG=" + std::string(100'000, 'x'));
        EXPECT_TRUE(jail->spawn(cmd));
    });
}

TEST_P(JailLife, OneWorkerAtATime) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        ASSERT_TRUE(jail->spawn(command({"/bin/sleep", "100"})));
        EXPECT_GT(jail->worker_pid(), 1);
        EXPECT_EQ(::kill(jail->worker_pid(), 0), 0) << "the pid is the host's";
        auto second = jail->spawn(command({"/bin/true"}));
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().error_number(), EBUSY);
        ASSERT_TRUE(jail->kill_all());
        EXPECT_EQ(wait_events(*jail).at(0).exit.signal, SIGKILL);
        EXPECT_EQ(jail->worker_pid(), 0);
        EXPECT_TRUE(jail->spawn(command({"/bin/true"})));
    });
}

TEST_P(JailLife, SignalsReachTheWorkersProcessGroup) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        EXPECT_EQ(jail->signal_worker(SIGINT).error().error_number(), ESRCH);
        auto [reader, writer] = sys::pipe().value();
        // Both the shell and its child are in the group; the shell survives by its trap and tells how the
        // child ended.
        Command cmd =
            command({"/bin/sh", "-c", "trap 'echo got it' INT; echo ready; sleep 100; echo status $?"});
        cmd.stdout_fd = writer.get();
        ASSERT_TRUE(jail->spawn(cmd));
        char buffer[64] = {};
        ASSERT_EQ(::read(reader.get(), buffer, 6), 6);
        std::this_thread::sleep_for(100ms);  // the sleep must have been started
        ASSERT_TRUE(jail->signal_worker(SIGINT));
        EXPECT_EQ(wait_events(*jail).at(0).exit.code, 0);
        const ssize_t n = ::read(reader.get(), buffer, sizeof buffer - 1);
        EXPECT_EQ(std::string(buffer, static_cast<size_t>(n)), "got it\nstatus 130\n");
        EXPECT_EQ(jail->signal_worker(SIGINT).error().error_number(), ESRCH);
    });
}

TEST_P(JailLife, ScratchFilesSurviveKillAll) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        EXPECT_EQ(
            shell(*jail, "echo kept > ~/file; echo kept > /tmp/file; setsid sleep 100 & exit 0").exit.code,
            0);
        ASSERT_TRUE(jail->kill_all());
        EXPECT_EQ(shell(*jail, "cat ~/file /tmp/file; ps -e | grep -c sleep").output, "kept\nkept\n0\n");
    });
}

INSIDE(fork_bomb) {
    while (true) {
        if (::fork() == 0) ::setsid();
    }
}

TEST_P(JailLife, KillAllEndsAForkBomb) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        for (int round = 0; round < 3; ++round) {
            ASSERT_TRUE(jail->spawn(command(inside_command("fork_bomb"))));
            std::this_thread::sleep_for(100ms);
            const auto begin = Clock::now();
            ASSERT_TRUE(jail->kill_all());
            EXPECT_LT(Clock::now() - begin, 2s);
            EXPECT_EQ(wait_events(*jail).at(0).exit.signal, SIGKILL);
            EXPECT_EQ(shell(*jail, "ls -d /proc/[0-9]* > f; wc -l < f").output, "2\n");  // pid 1 and sh
        }
    });
}

INSIDE(orphans) {
    for (int i = 0; i < 200; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (::fork() == 0) ::_exit(0);
            ::_exit(0);
        }
        if (child > 0) ::waitpid(child, nullptr, 0);
    }
    return 0;
}

TEST_P(JailLife, ReapsOrphans) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        EXPECT_EQ(inside(*jail, "orphans").exit.code, 0);
        EXPECT_EQ(shell(*jail, "grep -l 'State:.Z' /proc/[0-9]*/status; true").output, "");
    });
}

TEST_P(JailLife, InitCannotBeKilledFromInside) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        EXPECT_EQ(shell(*jail, "kill -9 1; kill -STOP 1; kill -TERM 1; kill -INT 1; kill -SEGV 1; exit 7")
                      .exit.code,
                  7);
        EXPECT_EQ(shell(*jail, "exec 2>/dev/null; (sleep 100 &); kill -9 -1; exit 8").exit.code, 8);
        EXPECT_EQ(run(*jail, {"/bin/true"}).exit.code, 0);
    });
}

TEST_P(JailLife, LosingInitIsAnEventAndTheEnd) {
    in_mode([](const Plan& plan) {
        auto jail = start(plan);
        ASSERT_TRUE(jail->spawn(command({"/bin/sleep", "100"})));
        const pid_t worker = jail->worker_pid();
        std::ifstream status("/proc/" + std::to_string(worker) + "/stat");
        std::string ignored;
        pid_t init = 0;
        status >> ignored >> ignored >> ignored >> init;
        ASSERT_GT(init, 1);
        ASSERT_EQ(::kill(init, SIGKILL), 0);
        const auto events = wait_events(*jail);
        EXPECT_EQ(events.back().kind, Event::Kind::init_lost);
        EXPECT_EQ(jail->worker_pid(), 0);
        EXPECT_FALSE(jail->spawn(command({"/bin/true"})));
        EXPECT_TRUE(jail->take_events().empty()) << "it is lost once";
    });
}

TEST_P(JailLife, NothingStaysOfAKernelProcessThatDiesWhileItStarts) {
    in_mode([](const Plan& plan) {
        // Whoever loses its parent becomes a child of ours.
        ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
        for (const auto moment : {0us, 300us, 1000us, 2000us, 4000us, 8000us, 16000us, 32000us}) {
            const pid_t kernel = ::fork();
            if (kernel == 0) {
                auto jail = Jail::start(plan);
                ::pause();
            }
            std::this_thread::sleep_for(moment);
            ASSERT_EQ(::kill(kernel, SIGKILL), 0);
            const auto begin = Clock::now();
            pid_t left = 0;
            while ((left = ::waitpid(-1, nullptr, WNOHANG)) >= 0 && Clock::now() - begin < 3s)
                if (left == 0) std::this_thread::sleep_for(1ms);
            EXPECT_TRUE(left == -1 && errno == ECHILD) << "killed after " << moment.count() << " us";
        }
    });
}

TEST_P(JailLife, DiesWithTheKernelProcess) {
    in_mode([](const Plan& plan) {
        auto [reader, writer] = sys::pipe().value();
        // Everything inside holds its end: closed only when the last is dead.
        auto [all_gone, held] = sys::pipe().value();
        const pid_t kernel = ::fork();
        if (kernel == 0) {
            // Started from a thread that has ended: PR_SET_PDEATHSIG would have killed the jail by now.
            std::unique_ptr<Jail> jail;
            std::thread([&] { jail = start(plan); }).join();
            auto busy = command({"/bin/sh", "-c",
                                 "trap '' HUP TERM; for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & "
                                 "(while :; do :; done) & done; sleep 1000"});
            busy.stdout_fd = held.get();
            if (!jail->spawn(busy)) std::_Exit(1);
            std::this_thread::sleep_for(50ms);
            const pid_t worker = jail->worker_pid();
            [[maybe_unused]] const ssize_t n = ::write(writer.get(), &worker, sizeof worker);
            ::pause();
        }
        held.reset();
        pid_t worker = 0;
        ASSERT_EQ(::read(reader.get(), &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
        const UniqueFd pidfd = sys::pidfd_open(worker).value();
        ASSERT_EQ(::kill(kernel, SIGKILL), 0);
        ::waitpid(kernel, nullptr, 0);
        const auto begin = Clock::now();
        while (::kill(worker, 0) == 0 && Clock::now() - begin < 1s) std::this_thread::sleep_for(1ms);
        EXPECT_EQ(::kill(worker, 0), -1) << "still there after a second";
        pollfd entry{all_gone.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&entry, 1, 1000), 1) << "its children live on";
        EXPECT_EQ(entry.revents & POLLHUP, POLLHUP);
        // Its cgroup goes with the next start of anybody.
        auto next = start(plan);
        Footprint now = footprint();
        next.reset();
        EXPECT_EQ(footprint().cgroups, 0U) << now;
        EXPECT_TRUE(plan.level == Level::namespaced || now.cgroups > 0U);
    });
}

TEST_P(JailLife, FiftyJailsLeaveNothing) {
    in_mode([](const Plan& plan) {
        start(plan).reset();
        const Footprint before = footprint();
        for (int i = 0; i < 50; ++i) {
            auto jail = start(plan);
            ASSERT_TRUE(jail->spawn(command({"/bin/sleep", "100"})));
            if (i % 2 == 0) {
                ASSERT_TRUE(jail->kill_all());
            }
        }
        EXPECT_EQ(footprint(), before);
    });
}

TEST_P(JailLife, AFailureOfAnyStepLeavesNothing) {
    in_mode(expect_that_failing_steps_leave_nothing);
}

TEST_P(JailLife, RefusesPlansThatMeanNothing) {
    in_mode([](const Plan& plan) {
        const auto refused = [&plan](const char* words, const std::function<void(Plan&)>& change) {
            Plan bad = plan;
            change(bad);
            auto jail = Jail::start(bad);
            ASSERT_FALSE(jail) << words;
            EXPECT_NE(jail.error().sentence().find(words), std::string::npos) << jail.error().sentence();
        };
        refused("name", [](Plan& p) { p.name = ""; });
        refused("name", [](Plan& p) { p.name = "Not/A/Name"; });
        refused("memory limit", [](Plan& p) { p.limits.memory = Bytes{0}; });
        refused("never means unlimited", [](Plan& p) { p.limits.processes = 0; });
        refused("never means unlimited", [](Plan& p) { p.limits.scratch = Bytes{0}; });
        refused("never means unlimited", [](Plan& p) { p.limits.cpus = -1; });
        refused("plain absolute path", [](Plan& p) { p.mounts = {{"relative", "/x"}}; });
        refused("plain absolute path", [](Plan& p) { p.mounts = {{"/usr", "/x/../etc"}}; });
        refused("plain absolute path", [](Plan& p) { p.mounts = {{"/", "/host"}}; });
        refused("nothing of /proc", [](Plan& p) { p.mounts = {{"/proc/1", "/x"}}; });
        refused("nothing of /dev", [](Plan& p) { p.mounts = {{"/usr", "/dev/usr"}}; });
        refused("/does/not/exist", [](Plan& p) { p.mounts = {{"/does/not/exist", "/x"}}; });
    });
}

}  // namespace
}  // namespace cellblock::jail::testing
