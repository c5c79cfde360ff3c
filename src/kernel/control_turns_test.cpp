// Control requests keep their order, and none can keep the others waiting for ever.
#include "kernel/control_turns.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cellblock::kernel {
namespace {

struct Fixture {
    std::unique_ptr<EventLoop> loop = EventLoop::create().value();
    std::vector<RequestPtr> begun;
    std::unique_ptr<ControlTurns> turns =
        ControlTurns::create(*loop, [this](const RequestPtr& request) { begun.push_back(request); }).value();

    RequestPtr push(const std::string& type) {
        protocol::Request request;
        request.msg_type = type;
        auto shared = std::make_shared<const protocol::Request>(std::move(request));
        turns->push(shared);
        return shared;
    }
    void wait(std::chrono::milliseconds longest, size_t begun_by_then) {
        const auto end = std::chrono::steady_clock::now() + longest;
        while (begun.size() < begun_by_then && std::chrono::steady_clock::now() < end)
            loop->wait_and_run(std::chrono::milliseconds(10));
    }
};

TEST(ControlTurns, OneBeginsWhenTheOneBeforeHasEnded) {
    Fixture f;
    const auto first = f.push("execute_request");
    const auto second = f.push("debug_request");
    const auto third = f.push("execute_request");
    EXPECT_EQ(f.begun, std::vector{first});
    f.turns->ended(first);
    EXPECT_EQ(f.begun, (std::vector{first, second}));
    f.turns->ended(second);
    EXPECT_EQ(f.begun, (std::vector{first, second, third}));
    f.turns->ended(third);
    const auto fourth = f.push("debug_request");
    EXPECT_EQ(f.begun.back(), fourth);
}

TEST(ControlTurns, ADebugRequestThatHangsIsPassedBy) {
    Fixture f;
    const auto hangs = f.push("debug_request");
    const auto goes_on = f.push("debug_request");
    EXPECT_EQ(f.begun, std::vector{hangs});
    f.wait(kDebugTurn * 5, 2);
    EXPECT_EQ(f.begun, (std::vector{hangs, goes_on}));
    // Its late end is nobody's turn.
    const auto waits = f.push("debug_request");
    f.turns->ended(hangs);
    EXPECT_EQ(f.begun.size(), 2);
    f.turns->ended(goes_on);
    EXPECT_EQ(f.begun.back(), waits);
}

TEST(ControlTurns, ACellKeepsItsTurn) {
    Fixture f;
    const auto cell = f.push("execute_request");
    f.push("execute_request");
    f.wait(kDebugTurn + std::chrono::milliseconds(200), 2);
    EXPECT_EQ(f.begun, std::vector{cell});
}

TEST(ControlTurns, NoMoreThanTheLimitWait) {
    Fixture f;
    f.push("execute_request");
    for (size_t n = 0; n < kMaxWaitingControl; ++n) f.push("execute_request");
    EXPECT_EQ(f.begun.size(), 1);
    const auto beyond = f.push("execute_request");
    EXPECT_EQ(f.begun.back(), beyond);
    EXPECT_EQ(f.begun.size(), 2);
}

}  // namespace
}  // namespace cellblock::kernel
