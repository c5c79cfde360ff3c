// What subscribers see: nothing lost while they read, back-pressure while they do not, and no hostage-taking.
#include "kernel/iopub.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace cellblock::kernel {
namespace {

struct Fixture {
    zmq::context_t context{1};
    protocol::Signer signer{"key"};
    bool pressure = false;
    int pressure_changes = 0;
    std::unique_ptr<Iopub> iopub;

    Fixture() {
        zmq::socket_t socket(context, zmq::socket_type::xpub);
        socket.set(zmq::sockopt::sndhwm, Iopub::kHighWaterMark);
        socket.set(zmq::sockopt::xpub_nodrop, true);
        socket.set(zmq::sockopt::xpub_verbose, true);
        socket.set(zmq::sockopt::linger, 0);
        socket.bind("inproc://iopub");
        iopub = std::make_unique<Iopub>(
            std::move(socket), signer,
            [this](bool high) {
                pressure = high;
                ++pressure_changes;
            },
            [](const std::string& topic) {
                protocol::Message welcome;
                welcome.identities = {topic};
                welcome.header = R"({"msg_type": "iopub_welcome"})";
                return welcome;
            });
    }

    zmq::socket_t subscribe(int receive_limit) {
        zmq::socket_t socket(context, zmq::socket_type::sub);
        socket.set(zmq::sockopt::rcvhwm, receive_limit);
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::subscribe, "");
        socket.connect("inproc://iopub");
        for (int i = 0; i < 50; ++i) {
            iopub->serve();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return socket;
    }

    void publish(int number) {
        protocol::Message message;
        message.identities = {"topic"};
        message.header = R"({"msg_type": "stream"})";
        message.content = "{\"n\": " + std::to_string(number) + "}";
        iopub->publish(std::move(message));
    }
};

// Frames: topic, delimiter, signature, header, parent, metadata, content.
bool receive(zmq::socket_t& socket, std::string& header, std::string& content) {
    std::vector<std::string> frames;
    zmq::message_t frame;
    do {
        if (!socket.recv(frame, zmq::recv_flags::dontwait)) return false;
        frames.push_back(frame.to_string());
    } while (frame.more());
    if (frames.size() != 7) return false;
    header = frames[3];
    content = frames[6];
    return true;
}

TEST(Iopub, WelcomesASubscriber) {
    Fixture f;
    auto subscriber = f.subscribe(1000);
    std::string header;
    std::string content;
    ASSERT_TRUE(receive(subscriber, header, content));
    EXPECT_EQ(header, R"({"msg_type": "iopub_welcome"})");
}

TEST(Iopub, LosesNothingToASlowReaderAndAsksTheProducerToWait) {
    Fixture f;
    auto subscriber = f.subscribe(10);
    constexpr int kMessages = 5000;
    for (int i = 0; i < kMessages; ++i) f.publish(i);
    EXPECT_TRUE(f.pressure);
    std::string header;
    std::string content;
    ASSERT_TRUE(receive(subscriber, header, content));  // the welcome
    int next = 0;
    for (int idle = 0; next < kMessages && idle < 2000;) {
        if (receive(subscriber, header, content)) {
            ASSERT_EQ(content, "{\"n\": " + std::to_string(next) + "}");
            ++next;
            idle = 0;
        } else {
            f.iopub->serve();
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            ++idle;
        }
    }
    EXPECT_EQ(next, kMessages);
    EXPECT_FALSE(f.pressure);
    EXPECT_FALSE(f.iopub->backlogged());
}

TEST(Iopub, BigMessagesAreHeldBackByBytesAndNotByCount) {
    Fixture f;
    auto subscriber = f.subscribe(1000);
    const auto publish_big = [&] {
        protocol::Message message;
        message.identities = {"topic"};
        message.header = "{}";
        message.content = "{\"x\": \"" + std::string(8U << 20U, 'x') + "\"}";
        f.iopub->publish(std::move(message));
    };
    // Far fewer than the high-water mark; more bytes than may be in flight.
    for (int i = 0; i < 12; ++i) publish_big();
    EXPECT_TRUE(f.pressure);
    int received = 0;
    for (int i = 0; i < 500 && received < 13; ++i) {
        zmq::message_t frame;
        if (subscriber.recv(frame, zmq::recv_flags::dontwait)) {
            while (frame.more()) (void)!subscriber.recv(frame).has_value();
            ++received;
        }
        frame = zmq::message_t();
        f.iopub->serve();
    }
    EXPECT_EQ(received, 13) << "the welcome and all the big ones";
    EXPECT_FALSE(f.pressure);
}

TEST(Iopub, ASubscriberThatNeverReadsIsGivenUpAfterTheDeadline) {
    Fixture f;
    auto dead = f.subscribe(10);
    for (int i = 0; i < 3000; ++i) f.publish(i);
    ASSERT_TRUE(f.pressure);
    // The bound is the feature: production goes on once the deadline has passed, and not before.
    const auto start = std::chrono::steady_clock::now();
    while (f.pressure &&
           std::chrono::steady_clock::now() - start < Iopub::kStallDeadline + std::chrono::seconds(5)) {
        f.iopub->serve();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_FALSE(f.pressure);
    EXPECT_GE(std::chrono::steady_clock::now() - start, Iopub::kStallDeadline - std::chrono::seconds(1));
}

}  // namespace
}  // namespace cellblock::kernel
