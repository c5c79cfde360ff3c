// The backend bwrap: what its plan may ask for, and a bubblewrap that is missing, refuses, talks, hangs or
// dies.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "base/sys.hpp"
#include "jail/bwrap_arguments.hpp"
#include "jail/harness.hpp"
#include "jail/start.hpp"
#include "jail/system_program.hpp"

namespace cellblock::jail::testing {
namespace {

using namespace std::chrono_literals;

class Bubblewrap : public JailTest {};
INSTANTIATE_IN_MODES(Bubblewrap, modes_of(Backend::bwrap));

// Waits for the whole time of a set-up: once is enough.
std::vector<Mode> one_mode() {
    return {{"BwrapUserNamespaced", true, Level::namespaced, Backend::bwrap}};
}
class HangingBubblewrap : public JailTest {};
INSTANTIATE_IN_MODES(HangingBubblewrap, one_mode());

TEST(Guarantees, EveryRowIsUniqueAndHasAReason) {
    std::set<std::string> names;
    for (const auto& row : policy::guarantees()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name << " has two rows";
        EXPECT_TRUE(row.native) << row.name << ": what nobody provides is no guarantee";
        EXPECT_GE(std::strlen(row.meaning), 5U) << row.name;
        EXPECT_GE(std::strlen(row.by_bwrap), 5U) << row.name;
        EXPECT_GE(std::strlen(row.by_runsc), 5U) << row.name;
    }
}

TEST(Guarantees, BackendsAreChosenByNameOnly) {
    for (const Backend backend : {Backend::native, Backend::bwrap, Backend::runsc})
        EXPECT_EQ(parse_backend(to_text(backend)).value(), backend);
    EXPECT_FALSE(parse_backend("auto"));
    EXPECT_FALSE(parse_backend(""));
}

TEST_P(Bubblewrap, SaysWhoHasMadeTheJail) {
    in_mode([](const Plan& plan) { EXPECT_EQ(Jail::start(plan).value()->backend(), Backend::bwrap); });
}

TEST_P(Bubblewrap, AWritableDirectoryIsRefusedAndNotMadeReadOnly) {
    in_mode([](Plan plan) {
        plan.mounts.push_back({"/usr/share", "/srv/work", Access::copy_on_write});
        const std::string sentence = failure(plan);
        EXPECT_NE(sentence.find("provides no writable notebook directory"), std::string::npos) << sentence;
        EXPECT_NE(sentence.find("--notebook-dir ro"), std::string::npos) << sentence;
    });
}

TEST_P(Bubblewrap, MissingIsAnErrorAndNoFallback) {
    in_mode([](Plan plan) {
        plan.program = "/nowhere/bwrap";
        const std::string sentence = failure(plan);
        EXPECT_NE(sentence.find("/nowhere/bwrap"), std::string::npos) << sentence;
    });
}

TEST(SystemProgram, IsRootsAndNotWhatThePathFindsFirst) {
    const FakeProgram fake("#!/bin/sh\n", "bwrap");
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", std::filesystem::path(fake.path()).parent_path().c_str(), 1);
    EXPECT_EQ(find_system_program("sh").value(), "/usr/bin/sh");
    EXPECT_EQ(find_system_program("bwrap").value(), "/usr/bin/bwrap");
    ::setenv("PATH", path.c_str(), 1);
    const auto missing = find_system_program("cellblock-absent");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().sentence().find("/usr/bin"), std::string::npos);
}

TEST(BwrapArguments, WhatIsMountedBelowProcIsFound) {
    EXPECT_EQ(
        mounts_below_proc("21 27 0:20 / /proc rw,nosuid - proc proc rw\n"
                          "33 21 0:30 / /proc/sys/fs/binfmt_misc rw,relatime - autofs systemd-1 rw\n"
                          "34 33 0:31 / /proc/sys/fs/binfmt_misc rw,nosuid - binfmt_misc binfmt_misc rw\n"
                          "35 27 0:32 / /process rw - tmpfs tmpfs rw\n"),
        std::vector<std::string>{"/proc/sys/fs/binfmt_misc"});
    EXPECT_EQ(mounts_below_proc("no such format"), std::vector<std::string>{});
}

TEST_P(Bubblewrap, ItsOwnWordsAreQuotedWhenItEnds) {
    in_mode([](const Plan& plan) {
        const FakeProgram fake(
            "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n");
        const std::string sentence = failure(fake.in(plan));
        EXPECT_NE(sentence.find("it ended without a jail; it said: bwrap: No permissions"), std::string::npos)
            << sentence;
    });
}

TEST_P(Bubblewrap, RubbishIsCutAndMadePrintable) {
    in_mode([](const Plan& plan) {
        const FakeProgram fake("#!/bin/sh\nhead -c 30000 /dev/urandom\nprintf 'rubbish' >&3\nexit 0\n");
        const std::string sentence = failure(fake.in(plan));
        EXPECT_NE(sentence.find("make the jail with bubblewrap ("), std::string::npos) << sentence;
        EXPECT_LT(sentence.size(), 4000U);
        EXPECT_TRUE(std::ranges::all_of(sentence, [](unsigned char c) { return c >= ' ' || c == '\n'; }));
    });
}

TEST_P(Bubblewrap, AProgramThatSpeaksToUsIsNoJail) {
    in_mode([](const Plan& plan) {
        // A message on the control socket, from the program itself and from its child.
        const FakeProgram own("#!/bin/sh\nprintf 'rubbish' >&3\nsleep 60\n");
        EXPECT_NE(failure(own.in(plan)).find("make the jail with bubblewrap"), std::string::npos);
        const FakeProgram child("#!/bin/sh\n(printf 'rubbish' >&3; sleep 60) &\nsleep 60\n");
        EXPECT_NE(failure(child.in(plan)).find("make the jail with bubblewrap"), std::string::npos);
    });
}

TEST_P(HangingBubblewrap, AProgramThatHangsIsEndedInTime) {
    in_mode([](const Plan& plan) {
        const FakeProgram fake("#!/bin/sh\nsleep 60 &\nsleep 60\n");
        const auto begin = std::chrono::steady_clock::now();
        const std::string sentence = failure(fake.in(plan));
        EXPECT_LT(std::chrono::steady_clock::now() - begin, kSetupTimeout + 3s);
        EXPECT_NE(sentence.find("there is none within 10 s"), std::string::npos) << sentence;
    });
}

TEST_P(Bubblewrap, KilledDuringSetUpLeavesNothing) {
    in_mode([](const Plan& plan) {
        // What bubblewrap has made by then is left to itself, and is not taken for the jail either.
        for (const char* moment : {"0", "0.002", "0.004", "0.008", "0.016"}) {
            const FakeProgram fake(std::string("#!/bin/sh\n/usr/bin/bwrap \"$@\" &\nsleep ") + moment +
                                   "\nkill -9 $$\n");
            const std::string sentence = failure(fake.in(plan));
            EXPECT_NE(sentence.find("start the jail: "), std::string::npos) << sentence;
        }
    });
}

TEST_P(Bubblewrap, KillingItEndsTheJail) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        ASSERT_TRUE(jail->spawn(command({"/bin/sleep", "100"})));
        const pid_t worker = jail->worker_pid();
        // Our only child.
        const std::string children =
            sys::read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children", 4096).value();
        const auto bubblewrap = static_cast<pid_t>(std::stol(children));
        ASSERT_EQ(::kill(bubblewrap, SIGKILL), 0);
        EXPECT_EQ(wait_events(*jail).back().kind, Event::Kind::init_lost);
        for (int i = 0; i < 200 && ::kill(worker, 0) == 0; ++i) std::this_thread::sleep_for(5ms);
        EXPECT_NE(::kill(worker, 0), 0) << "it lives on";
    });
}

TEST_P(Bubblewrap, KeepsToItselfWhatItsHelpersAre) {
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(
            shell(*jail, "ls /run; ls /proc/1/fd 2>/dev/null; cat /proc/self/cgroup | grep -c cellblock")
                .output,
            "0\n");
    });
}

}  // namespace
}  // namespace cellblock::jail::testing
