// The loop serves what is ready, survives what callbacks do to it, and takes tasks from other threads.
#include "base/event_loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

#include "base/sys.hpp"

namespace cellblock {
namespace {

constexpr std::chrono::milliseconds kLong(10'000);

class EventLoopTest : public testing::Test {
  protected:
    struct Pipe {
        UniqueFd reading, writing;
        void fill() const { ASSERT_EQ(::write(writing.get(), "x", 1), 1); }
    };

    static Pipe make_pipe() {
        auto [reading, writing] = sys::pipe(O_NONBLOCK).value();
        return {std::move(reading), std::move(writing)};
    }

    /// Whether it has something to do.
    [[nodiscard]] bool readable() const {
        pollfd entry{loop->fd(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 1;
    }

    const std::unique_ptr<EventLoop> loop = EventLoop::create().value();
    const Pipe a = make_pipe();
    const Pipe b = make_pipe();
};

TEST_F(EventLoopTest, CallsBackWhileADescriptorIsReady) {
    int calls = 0;
    loop->watch(a.reading.get(), EPOLLIN, [&](uint32_t events) {
        EXPECT_EQ(events, static_cast<uint32_t>(EPOLLIN));
        ++calls;
    });
    loop->run_ready();
    EXPECT_EQ(calls, 0);
    a.fill();
    loop->run_ready();
    loop->run_ready();
    EXPECT_EQ(calls, 2) << "level triggered";
    loop->unwatch(a.reading.get());
    loop->run_ready();
    EXPECT_EQ(calls, 2);
}

TEST_F(EventLoopTest, ItsOwnDescriptorIsReadableWhenThereIsSomethingToDo) {
    loop->watch(a.reading.get(), EPOLLIN, [&](uint32_t) { loop->unwatch(a.reading.get()); });
    EXPECT_FALSE(readable());
    a.fill();
    EXPECT_TRUE(readable());
    loop->run_ready();
    EXPECT_FALSE(readable());
    loop->post([] {});
    EXPECT_TRUE(readable());
    loop->run_ready();
    EXPECT_FALSE(readable());
}

TEST_F(EventLoopTest, ChangeToNothingLeavesHangUps) {
    uint32_t seen = 0;
    Pipe pipe = make_pipe();
    loop->watch(pipe.reading.get(), EPOLLIN, [&](uint32_t events) { seen = events; });
    loop->change(pipe.reading.get(), 0);
    pipe.fill();
    loop->run_ready();
    EXPECT_EQ(seen, 0U);
    pipe.writing.reset();
    loop->run_ready();
    EXPECT_EQ(seen, static_cast<uint32_t>(EPOLLHUP));
    loop->unwatch(pipe.reading.get());
}

TEST_F(EventLoopTest, OfWhatIsSilentNothingIsHeardUntilItChanges) {
    std::vector<uint32_t> seen;
    Pipe pipe = make_pipe();
    loop->watch(pipe.reading.get(), EPOLLIN, [&](uint32_t events) { seen.push_back(events); });
    loop->silence(pipe.reading.get());
    pipe.fill();
    pipe.writing.reset();
    loop->run_ready();
    loop->run_ready();
    EXPECT_TRUE(seen.empty());
    EXPECT_FALSE(readable()) << "a hang-up that nobody hears keeps nobody awake";
    loop->change(pipe.reading.get(), EPOLLIN);
    loop->run_ready();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0], static_cast<uint32_t>(EPOLLIN | EPOLLHUP));
    loop->unwatch(pipe.reading.get());
}

TEST_F(EventLoopTest, ACallbackMayUnwatchItselfAndGoOn) {
    const auto state = std::make_shared<int>(0);
    loop->watch(a.reading.get(), EPOLLIN, [this, state](uint32_t) {
        loop->unwatch(a.reading.get());
        // The captures are still there.
        ++*state;
    });
    a.fill();
    loop->run_ready();
    loop->run_ready();
    EXPECT_EQ(*state, 1);
    EXPECT_EQ(state.use_count(), 1) << "the callback is gone after it returned";
}

TEST_F(EventLoopTest, ACallbackMayUnwatchAnotherThatIsReadyToo) {
    int calls = 0;
    const auto serve = [&](uint32_t) {
        ++calls;
        loop->unwatch(a.reading.get());
        loop->unwatch(b.reading.get());
    };
    loop->watch(a.reading.get(), EPOLLIN, serve);
    loop->watch(b.reading.get(), EPOLLIN, serve);
    a.fill();
    b.fill();
    loop->run_ready();
    EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, AReusedDescriptorNumberIsNotServedWithOldReadiness) {
    // Both are ready; whichever is served first replaces the other's number by a pipe that is not ready.
    int stale = 0;
    std::vector<Pipe> pipes;
    const auto replace = [&](int fd) {
        loop->unwatch(a.reading.get());
        loop->unwatch(b.reading.get());
        pipes.push_back(make_pipe());
        ASSERT_EQ(::dup3(pipes.back().reading.get(), fd, O_CLOEXEC), fd);
        loop->watch(fd, EPOLLIN, [&](uint32_t) { ++stale; });
    };
    loop->watch(a.reading.get(), EPOLLIN, [&](uint32_t) { replace(b.reading.get()); });
    loop->watch(b.reading.get(), EPOLLIN, [&](uint32_t) { replace(a.reading.get()); });
    a.fill();
    b.fill();
    loop->run_ready();
    EXPECT_EQ(pipes.size(), 1U);
    EXPECT_EQ(stale, 0);
}

TEST_F(EventLoopTest, RunsTasksOfOtherThreadsInOrder) {
    constexpr int kTasks = 10'000;
    std::vector<int> ran;
    const auto here = std::this_thread::get_id();
    std::thread other([&] {
        for (int i = 0; i < kTasks; ++i)
            loop->post([&ran, i, here] {
                EXPECT_EQ(std::this_thread::get_id(), here);
                ran.push_back(i);
            });
    });
    while (ran.size() < kTasks) loop->wait_and_run(kLong);
    other.join();
    for (int i = 0; i < kTasks; ++i) ASSERT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST_F(EventLoopTest, ATaskThatPostsAgainDoesNotStarveTheRest) {
    int tasks = 0;
    int served = 0;
    std::function<void()> again = [&] {
        ++tasks;
        loop->post(again);
    };
    loop->post(again);
    loop->watch(a.reading.get(), EPOLLIN, [&](uint32_t) { ++served; });
    a.fill();
    for (int i = 0; i < 10; ++i) loop->run_ready();
    EXPECT_GE(tasks, 1);
    EXPECT_LE(tasks, 10);
    EXPECT_EQ(served, 10);
}

TEST_F(EventLoopTest, WaitsUntilATaskIsPosted) {
    bool ran = false;
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        loop->post([&] { ran = true; });
    });
    const auto begin = std::chrono::steady_clock::now();
    loop->wait_and_run(kLong);
    other.join();
    EXPECT_TRUE(ran);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, kLong);
}

TEST_F(EventLoopTest, ATimerFiresOnceUnlessItIsDisarmed) {
    int fired = 0;
    const auto timer = LoopTimer::create(*loop, [&] { ++fired; }).value();
    timer->arm(std::chrono::milliseconds(1));
    EXPECT_TRUE(timer->armed());
    loop->wait_and_run(kLong);
    EXPECT_EQ(fired, 1);
    EXPECT_FALSE(timer->armed());
    loop->wait_and_run(std::chrono::milliseconds(20));
    EXPECT_EQ(fired, 1);
    timer->arm(std::chrono::milliseconds(1));
    timer->disarm();
    EXPECT_FALSE(timer->armed());
    loop->wait_and_run(std::chrono::milliseconds(20));
    EXPECT_EQ(fired, 1);
    timer->arm(std::chrono::nanoseconds(-1));
    loop->wait_and_run(kLong);
    EXPECT_EQ(fired, 2) << "a delay that is over fires at once";
}

TEST_F(EventLoopTest, ATimerMayArmItselfAgainInItsExpiry) {
    int fired = 0;
    std::unique_ptr<LoopTimer> timer;
    timer = LoopTimer::create(*loop, [&] {
                if (++fired < 3) timer->arm(std::chrono::milliseconds(1));
            }).value();
    timer->arm(std::chrono::milliseconds(1));
    while (fired < 3) loop->wait_and_run(kLong);
    EXPECT_FALSE(timer->armed());
}

TEST_F(EventLoopTest, ATimerThatIsGoneDoesNotFire) {
    int fired = 0;
    auto timer = LoopTimer::create(*loop, [&] { ++fired; }).value();
    timer->arm(std::chrono::nanoseconds(1));
    timer.reset();
    loop->wait_and_run(std::chrono::milliseconds(20));
    EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace cellblock
