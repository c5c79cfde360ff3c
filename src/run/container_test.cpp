// The life of a container: files in, programs one after the other, files out, and nothing left.
#include "run/container.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/sys.hpp"
#include "run/runner.hpp"
#include "run/streams.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Level `namespaced` needs nothing of the host that an ordinary user may lack; hard limits are the jail's
// tests'.
jail::Plan small_plan() {
    jail::Plan plan;
    plan.level = jail::Level::namespaced;
    plan.name = "test";
    plan.limits.memory = 128_MiB;
    plan.limits.processes = 32;
    plan.limits.scratch = 4_MiB;
    return plan;
}

Container::Execution shell(const std::string& script, Sink* sink = nullptr) {
    Container::Execution execution;
    execution.invocation = {{"/bin/sh", "-c", script}, program_environment()};
    execution.sink = sink;
    return execution;
}

class RunContainer : public ::testing::Test {
  protected:
    void SetUp() override {
        auto created = Container::create(small_plan());
        ASSERT_TRUE(created) << created.error().sentence();
        container_ = std::move(created).value();
    }
    Ending run(const Container::Execution& execution) {
        auto ending = container_->execute(execution);
        EXPECT_TRUE(ending) << ending.error().sentence();
        return ending ? *ending : Ending{};
    }
    std::unique_ptr<Container> container_;
};

TEST_F(RunContainer, RunsProgramsOneAfterTheOtherWithTheirFiles) {
    ASSERT_TRUE(container_->place({{"in/word", "hello\n"}, {"go", "#!/bin/sh\ncat in/word\n", true}}));
    Collector output;
    EXPECT_EQ(run(shell("./go; echo problem >&2; exit 3", &output)).exit->code, 3);
    EXPECT_EQ(output.out(), "hello\n");
    EXPECT_EQ(output.err(), "problem\n");
    EXPECT_EQ(run(shell("mkdir out; tr a-z A-Z < in/word > out/WORD")).exit->code, 0);
    const auto files = container_->take({"out"}, 1_MiB);
    ASSERT_TRUE(files) << files.error().sentence();
    ASSERT_EQ(files->size(), 1U);
    EXPECT_EQ(files->front().content, "HELLO\n");
}

TEST_F(RunContainer, LeavesNothingRunningBehindAProgram) {
    // A daemon that holds both streams open.
    const Ending ending = run(shell("(setsid sleep 600 &) ; exit 0"));
    EXPECT_EQ(ending.exit->code, 0);
    EXPECT_LT(ending.usage.wall, 60s);
    Collector output;
    run(shell("ls /proc | grep -c '^[0-9]'", &output));
    EXPECT_EQ(output.out(), "4\n");  // pid 1, the shell, ls and grep
}

TEST_F(RunContainer, EndsAProgramAtItsTimeWithTheOutputSoFar) {
    Collector output;
    auto execution = shell("trap 'echo asked' TERM; echo before; sleep 600 & wait; sleep 600", &output);
    execution.bounds.wall_time = 300ms;
    execution.bounds.grace = 300ms;
    const Ending ending = run(execution);
    EXPECT_EQ(ending.stop, Stop::wall_time);
    EXPECT_EQ(ending.exit->signal, SIGKILL);
    EXPECT_GE(ending.usage.wall, 600ms);
    EXPECT_EQ(output.out(), "before\nasked\n");
}

TEST_F(RunContainer, EndsAProgramThatWritesTooMuchAndSaysHowMuchItWas) {
    Collector output;
    auto execution = shell("yes", &output);
    execution.bounds.output = 100_KiB;
    const Ending ending = run(execution);
    EXPECT_EQ(ending.stop, Stop::output);
    EXPECT_EQ(output.out().size(), (100_KiB).count);
    EXPECT_TRUE(ending.out.truncated);
    EXPECT_GT(ending.out.bytes, (100_KiB).count);
    EXPECT_FALSE(ending.err.truncated);
}

TEST_F(RunContainer, OutputOfExactlyTheLimitIsNotTooMuch) {
    auto execution = shell("head -c 4096 /dev/zero");
    execution.bounds.output = 4_KiB;
    const Ending ending = run(execution);
    EXPECT_FALSE(ending.stop);
    EXPECT_FALSE(ending.out.truncated);
    EXPECT_EQ(ending.out.bytes, 4096U);
}

TEST_F(RunContainer, SamplesMemoryWhereNothingBoundsIt) {
    // Each child stays below what one process may have, and keeps it until somebody looks.
    const Ending ending = run(shell(
        "for i in 1 2 3 4; do { head -c 60m /dev/zero; sleep 5; } | tail -n 1 > /dev/null & done; wait"));
    EXPECT_EQ(ending.stop, Stop::memory);
}

TEST_F(RunContainer, AProgramThatIsNotThereIsAnErrorThatSaysSo) {
    Container::Execution execution;
    execution.invocation.argv = {"/absent"};
    const auto ending = container_->execute(execution);
    ASSERT_FALSE(ending);
    EXPECT_EQ(ending.error().error_number(), ENOENT);
    EXPECT_EQ(run(shell("exit 0")).exit->code, 0);
}

TEST_F(RunContainer, InputIsPassedOnAndASlowWriterDoesNotHoldTheProgramUp) {
    auto [reader, writer] = sys::pipe().value();
    ASSERT_TRUE(sys::write_all(writer.get(), "line\n"));
    Collector output;
    auto execution = shell("read word; echo got $word", &output);
    execution.stdin_fd = reader.get();
    EXPECT_EQ(run(execution).exit->code, 0);
    EXPECT_EQ(output.out(), "got line\n");
}

size_t open_descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

TEST(RunContainers, LeaveNothingInThisProcess) {
    const auto once = [] {
        auto container = Container::create(small_plan());
        ASSERT_TRUE(container) << container.error().sentence();
        auto execution = shell("sleep 600");
        execution.bounds.wall_time = 1ms;
        ASSERT_TRUE((*container)->execute(execution));
    };
    once();
    const size_t before = open_descriptors();
    for (int i = 0; i < 20; ++i) once();
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_LT(::waitpid(-1, nullptr, WNOHANG), 0);  // no child of any kind
    EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace cellblock::run
