// A session against scripted workers, most of them hostile. The jail is a stand-in: it runs the script in a
// thread and reports the end that the script chooses, so every way to die can be played without a process.
#include "session/session.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fstream>
#include <future>
#include <thread>

#include "base/sys.hpp"
#include "observe/key.hpp"
#include "observe/segments.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

using protocol::ReplyStatus;

// The worker's end of the link.
class Script {
  public:
    Script(UniqueFd link, UniqueFd out, const std::atomic<int>& signal)
        : signal_(signal), link_(std::move(link)), out_(std::move(out)) {}

    void raw(std::string_view bytes) { (void)!::send(link_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    void frame(std::string_view header, const std::vector<std::string_view>& parts) {
        std::string bytes = protocol::encode_frame_prefix(header, parts);
        for (const auto part : parts) bytes += part;
        raw(bytes);
    }
    void hello() { frame(R"({"type": "hello", "protocol": 1, "digest": "d"})", {R"({"banner": "b"})"}); }
    void reply(const std::string& id, std::string_view status = "ok",
               std::string_view content = R"({"status": "ok"})") {
        frame("{\"type\": \"reply\", \"id\": " + id + ", \"status\": \"" + std::string(status) + "\"}",
              {"{}", content});
    }
    void publish(const std::string& parent, std::string_view type, std::string_view content) {
        frame("{\"type\": \"publish\", \"parent\": " + parent + ", \"msg_type\": \"" + std::string(type) +
                  "\"}",
              {"{}", content});
    }
    void print(std::string_view text) { (void)!::write(out_.get(), text.data(), text.size()); }
    // The id of the next request or input_reply; "" when the kernel's end is closed. The body is kept, not
    // read.
    std::string next_request() {
        std::string prefix = exactly(8);
        if (prefix.empty()) return "";
        uint32_t header_size = 0;
        uint32_t parts = 0;
        std::memcpy(&header_size, prefix.data(), 4);
        std::memcpy(&parts, prefix.data() + 4, 4);
        const std::string sizes = exactly(8 * parts);
        size_t body = 0;
        for (uint32_t i = 0; i < parts; ++i) {
            uint64_t size = 0;
            std::memcpy(&size, sizes.data() + 8 * i, 8);
            body += size;
        }
        last_header = exactly(header_size);
        last_body = exactly(body);
        const auto members = protocol::scan_object(last_header);
        return std::string(protocol::find_member(*members, "id").value_or("0"));
    }
    // Does nothing until `signal` comes; others are ignored.
    void wait_for(int signal) {
        while (signal_ != signal) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    // Sends its own link's descriptor over the link; false when the kernel refused to.
    bool pass_descriptor() {
        char byte = 0;
        iovec data{&byte, 1};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = link_.get();
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
        return ::sendmsg(link_.get(), &message, MSG_NOSIGNAL) > 0;
    }

    std::string last_header;
    std::string last_body;

  private:
    std::string exactly(size_t size) {
        std::string bytes(size, '\0');
        size_t got = 0;
        while (got < size) {
            const ssize_t n = ::recv(link_.get(), bytes.data() + got, size - got, 0);
            if (n <= 0) return "";
            got += static_cast<size_t>(n);
        }
        return bytes;
    }
    const std::atomic<int>& signal_;
    UniqueFd link_;
    UniqueFd out_;
};

using Behaviour = std::function<jail::Exit(Script&)>;

// Each spawn takes the next behaviour (the last one repeats).
struct World {
    std::vector<Behaviour> behaviours;
    std::atomic<int> spawned = 0;
    std::atomic<int> jails = 0;
    std::atomic<int> oom_kills = 0;
    std::atomic<int> memory_hits = 0;
    std::atomic<int> refused_forks = 0;
    std::atomic<bool> has_landlock = true;
    std::atomic<jail::Level> level = jail::Level::full;
    std::atomic<bool> spawn_fails = false;
    std::atomic<bool> start_fails = false;
    std::atomic<bool> kill_fails = false;
    std::atomic<int64_t> memory_current = 0;
    std::atomic<int64_t> memory_peak = 1 << 20;
    std::atomic<bool> peak_restarts = true;
    std::atomic<int64_t> io_read = 0;
    std::vector<jail::Denial> denials;    // of the first cell
    std::atomic<bool> computing = false;  // CPU time passes as fast as wall time
};

int64_t microseconds_since_boot() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

class FakeJail final : public jail::Jail {
  public:
    explicit FakeJail(World& world) : world_(world) {
        ++world_.jails;
        event_ = sys::event_fd().value();
    }
    ~FakeJail() override { finish(); }

    // Sessions have no use for these.
    Result<void> place(const jail::HomeFile& /*file*/) override { return {}; }
    Result<std::vector<jail::HomeFile>> take(const std::string& /*path*/, Bytes /*most*/,
                                             size_t /*max_files*/) override {
        return std::vector<jail::HomeFile>();
    }
    Result<void> spawn(const jail::Command& command) override {
        if (world_.spawn_fails) return Error("execute /python", ENOENT);
        finish();
        signal_ = 0;
        link_ = sys::duplicate(command.link_fd).value();
        const auto index = std::min(static_cast<size_t>(world_.spawned++), world_.behaviours.size() - 1);
        thread_ = std::thread([this, behaviour = world_.behaviours[index],
                               link = sys::duplicate(command.link_fd).value(),
                               out = sys::duplicate(command.stdout_fd).value()]() mutable {
            jail::Exit exit;
            {
                Script script(std::move(link), std::move(out), signal_);
                exit = behaviour(script);
            }
            if (signal_ == SIGKILL) exit = {0, SIGKILL};
            const std::lock_guard lock(mutex_);
            events_.push_back({jail::Event::Kind::worker_exited, exit});
            sys::signal_event(event_.get());
        });
        return {};
    }
    Result<void> signal_worker(int signal) override {
        signal_ = signal;
        return {};
    }
    Result<void> kill_all() override {
        finish();
        if (world_.kill_fails) return Error("kill everything in the jail: it does not die");
        return {};
    }
    std::vector<jail::Denial> take_denials() override { return std::exchange(world_.denials, {}); }
    bool restart_memory_peak() override {
        if (world_.peak_restarts) world_.memory_peak = world_.memory_current.load();
        return world_.peak_restarts;
    }
    Result<jail::Counters> counters() override {
        jail::Counters counters;
        counters.oom_kills = world_.oom_kills;
        counters.memory_limit_hits = world_.memory_hits;
        counters.process_limit_hits = world_.refused_forks;
        counters.memory_peak = world_.memory_peak;
        counters.io_read = world_.io_read;
        counters.io_written = world_.io_read >= 0 ? 2 * world_.io_read : -1;
        counters.memory_current = world_.memory_current;
        counters.cpu_time_us = world_.computing ? microseconds_since_boot() : 0;
        return counters;
    }
    [[nodiscard]] int event_fd() const override { return event_.get(); }
    std::vector<jail::Event> take_events() override {
        uint64_t count = 0;
        (void)!::read(event_.get(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        return std::exchange(events_, {});
    }
    [[nodiscard]] pid_t worker_pid() const override { return 0; }
    [[nodiscard]] jail::Level level() const override { return world_.level; }
    [[nodiscard]] bool has_landlock() const override { return world_.has_landlock; }
    [[nodiscard]] const jail::Limits& limits() const override { return limits_; }

  private:
    void finish() {
        signal_ = SIGKILL;
        // A killed process reads no more.
        if (link_.valid()) ::shutdown(link_.get(), SHUT_RDWR);
        if (thread_.joinable()) thread_.join();
        link_.reset();
    }
    World& world_;
    jail::Limits limits_;
    UniqueFd event_;
    UniqueFd link_;
    std::mutex mutex_;
    std::vector<jail::Event> events_;
    std::atomic<int> signal_ = 0;
    std::thread thread_;
};

class SessionTest : public testing::Test, protected Host {
  protected:
    /// Of 1 MiB, where nothing enforces it; the cell takes 2 MiB. The next ones are honest.
    void start_with_one_cell_above_the_sampled_limit();
    void start(std::vector<Behaviour> behaviours) {
        world_.behaviours = std::move(behaviours);
        config_.start_jail = [this](const jail::Plan&) -> Result<std::unique_ptr<jail::Jail>> {
            if (world_.start_fails) return Error("start jail: no");
            return std::unique_ptr<jail::Jail>(std::make_unique<FakeJail>(world_));
        };
        config_.worker_digest = "d";
        loop_ = EventLoop::create().value();
        session_ = Session::start(config_, *loop_, *this).value();
        pump_ = std::thread([this] {
            while (!stop_) loop_->wait_and_run(std::chrono::milliseconds(10));
        });
    }
    void TearDown() override {
        if (session_) session_->abandon();
        stop_ = true;
        if (pump_.joinable()) pump_.join();
        session_.reset();
    }

    Reply run(const std::string& content = R"({"code": "x"})", const std::string& type = "execute_request",
              const std::string& subshell = "") {
        auto request = std::make_shared<protocol::Request>();
        request->msg_type = type;
        request->header = R"({"msg_id": "m"})";
        request->content = content;
        request->subshell_id = subshell;
        return session_->run_cell(request);
    }
    std::string published() {
        const std::lock_guard lock(mutex_);
        return published_;
    }
    // The text that follows is published in the loop's thread; wait for it.
    bool eventually_published(const std::string& text) {
        for (int i = 0; i < 2000; ++i) {
            if (published().find(text) != std::string::npos) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return false;
    }

    static std::chrono::nanoseconds cpu_time() {
        timespec time{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    }

    void publish(Publication publication) override {
        const std::lock_guard lock(mutex_);
        published_ +=
            publication.msg_type + " " + publication.parent_header + " " + publication.content + "\n";
    }
    void ask_input(uint64_t id, const protocol::Request&, std::string) override { asked_ = id; }
    void cell_awaits(const protocol::Request& request) override {
        const std::lock_guard lock(mutex_);
        awaits_ += "awaits in '" + request.subshell_id + "'\n";
    }
    void forget_input(uint64_t id) override { forgotten_ = id; }
    void worker_lost_while_idle() override { lost_while_idle_ = true; }
    void calls_refused(const protocol::Request& request, const std::vector<jail::Denial>& denials) override {
        const std::lock_guard lock(mutex_);
        for (const jail::Denial& denial : denials)
            refused_ += request.header + std::string(denial.call) + std::to_string(denial.count);
    }

    void network_used(const std::vector<network::Report>&) override {}

    World world_;
    Config config_;
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<Session> session_;
    std::thread pump_;
    std::atomic<bool> stop_ = false;
    std::atomic<uint64_t> asked_ = 0;
    std::atomic<uint64_t> forgotten_ = 0;
    std::atomic<bool> lost_while_idle_ = false;
    std::mutex mutex_;
    std::string published_;
    std::string refused_;
    std::string awaits_;
};

// Answers every request until the link closes.
jail::Exit honest_after_hello(Script& script) {
    for (std::string id = script.next_request(); !id.empty(); id = script.next_request()) script.reply(id);
    return {0, 0};
}

jail::Exit honest(Script& script) {
    script.hello();
    return honest_after_hello(script);
}

void SessionTest::start_with_one_cell_above_the_sampled_limit() {
    config_.plan.level = jail::Level::namespaced;
    config_.plan.limits.memory = 1_MiB;
    start({[this](Script& s) {
               s.hello();
               s.next_request();
               world_.memory_current = 2 << 20;
               s.wait_for(SIGKILL);
               world_.memory_current = 0;
               return jail::Exit{};
           },
           honest});
}

TEST_F(SessionTest, RunsCellsAndReturnsTheWorkersContent) {
    start({[](Script& s) {
        s.hello();
        const std::string id = s.next_request();
        s.publish(id, "stream", R"({"name": "stdout", "text": "hi"})");
        s.reply(id, "ok", R"({"status": "ok", "n": 12345678901234567890123})");
        s.next_request();
        return jail::Exit{};
    }});
    const Reply reply = run();
    EXPECT_EQ(reply.verdict, jail::Verdict::ok);
    EXPECT_EQ(reply.content, R"({"status": "ok", "n": 12345678901234567890123})");
    EXPECT_NE(published().find(R"(stream {"msg_id": "m"} {"name": "stdout", "text": "hi"})"),
              std::string::npos);
}

TEST_F(SessionTest, TextOfDescriptorsComesBeforeTheReply) {
    start({[](Script& s) {
        s.hello();
        const std::string id = s.next_request();
        s.print("from C");
        s.reply(id);
        s.next_request();
        return jail::Exit{};
    }});
    run();
    EXPECT_NE(published().find(R"({"name": "stdout", "text": "from C"})"), std::string::npos);
}

TEST_F(SessionTest, AnExitInACellIsExplainedAndTheNextCellRuns) {
    start({[](Script& s) {
               s.hello();
               s.next_request();
               return jail::Exit{137, 0};
           },
           honest});
    const Reply reply = run();
    EXPECT_EQ(reply.verdict, jail::Verdict::worker_exited);
    EXPECT_EQ(reply.status, ReplyStatus::error);
    EXPECT_NE(reply.content.find("exit status 137"), std::string::npos);
    EXPECT_TRUE(eventually_published("error {\"msg_id\": \"m\"} {\"ename\": \"WorkerExited\""));
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
    EXPECT_EQ(world_.jails, 1) << "the jail and its scratch files survive the worker";
}

TEST_F(SessionTest, OomKillsAreToldApartFromOtherKills) {
    const Behaviour killed = [](Script& s) {
        s.hello();
        s.next_request();
        return jail::Exit{0, SIGKILL};
    };
    start({[&](Script& s) {
               s.hello();
               s.next_request();
               ++world_.oom_kills;
               ++world_.memory_hits;
               return jail::Exit{0, SIGKILL};
           },
           [&](Script& s) {
               s.hello();
               s.next_request();
               ++world_.oom_kills;
               return jail::Exit{0, SIGKILL};
           },
           killed});
    EXPECT_EQ(run().verdict, jail::Verdict::limit_memory);
    EXPECT_EQ(run().verdict, jail::Verdict::host_oom);
    EXPECT_EQ(run().verdict, jail::Verdict::worker_killed);
}

TEST_F(SessionTest, WallTimeInterruptsAndKeepsTheWorker) {
    config_.wall_time = std::chrono::milliseconds(50);
    config_.wall_time_grace = std::chrono::milliseconds(5000);
    start({[](Script& s) {
        s.hello();
        std::string id = s.next_request();
        s.wait_for(SIGINT);
        s.reply(id, "error", R"({"status": "error", "ename": "KeyboardInterrupt"})");
        id = s.next_request();
        s.reply(id);
        s.next_request();
        return jail::Exit{};
    }});
    const Reply reply = run();
    EXPECT_EQ(reply.verdict, jail::Verdict::limit_wall_time);
    EXPECT_NE(reply.content.find("Its variables are kept"), std::string::npos);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
    EXPECT_EQ(world_.spawned, 1);
}

TEST_F(SessionTest, WallTimeKillsWhoDoesNotListen) {
    config_.wall_time = std::chrono::milliseconds(20);
    config_.wall_time_grace = std::chrono::milliseconds(20);
    start({[](Script& s) {
               s.hello();
               s.next_request();
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    const Reply reply = run();
    EXPECT_EQ(reply.verdict, jail::Verdict::limit_wall_time);
    EXPECT_NE(reply.content.find("did not react"), std::string::npos);
}

TEST_F(SessionTest, TheAlarmRestsWhileACellWaitsForInput) {
    config_.wall_time = std::chrono::milliseconds(150);
    start({[](Script& s) {
        s.hello();
        const std::string id = s.next_request();
        s.frame("{\"type\": \"input\", \"id\": " + id + "}", {R"({"prompt": "?", "password": false})"});
        EXPECT_EQ(s.next_request(), id) << "the answer carries the request's id";
        EXPECT_NE(s.last_header.find("input_reply"), std::string::npos);
        s.reply(id);
        s.next_request();
        return jail::Exit{};
    }});
    std::thread user([this] {
        while (asked_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        session_->answer_input(asked_, R"({"value": "v"})");
    });
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
    user.join();
}

// Two questions and one answer, as after an interrupted input(): the alarm must go on where it was.
TEST_F(SessionTest, ASecondQuestionDoesNotSwitchTheAlarmOff) {
    config_.wall_time = std::chrono::milliseconds(200);
    config_.wall_time_grace = std::chrono::milliseconds(50);
    start({[](Script& s) {
               s.hello();
               const std::string id = s.next_request();
               for (int i = 0; i < 2; ++i)
                   s.frame("{\"type\": \"input\", \"id\": " + id + "}",
                           {R"({"prompt": "?", "password": false})"});
               s.next_request();
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    std::thread user([this] {
        while (asked_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        session_->answer_input(asked_, R"({"value": "v"})");
    });
    EXPECT_EQ(run().verdict, jail::Verdict::limit_wall_time);
    user.join();
}

TEST_F(SessionTest, TheAlarmGoesOnWhenAQuestionWasInterrupted) {
    config_.wall_time = std::chrono::milliseconds(150);
    config_.wall_time_grace = std::chrono::milliseconds(50);
    start({[](Script& s) {
               s.hello();
               const std::string id = s.next_request();
               s.frame("{\"type\": \"input\", \"id\": " + id + "}",
                       {R"({"prompt": "?", "password": false})"});
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    std::thread user([this] {
        while (asked_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        session_->interrupt();
    });
    EXPECT_EQ(run().verdict, jail::Verdict::limit_wall_time);
    user.join();
}

TEST_F(SessionTest, ComputingWhileAQuestionIsOpenCounts) {
    config_.wall_time = std::chrono::milliseconds(500);
    config_.wall_time_grace = std::chrono::milliseconds(50);
    world_.computing = true;
    start({[](Script& s) {
               s.hello();
               const std::string id = s.next_request();
               s.frame("{\"type\": \"input\", \"id\": " + id + "}",
                       {R"({"prompt": "?", "password": false})"});
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    EXPECT_EQ(run().verdict, jail::Verdict::limit_wall_time);
}

TEST_F(SessionTest, SampledMemoryAboveTheLimitEndsTheCell) {
    start_with_one_cell_above_the_sampled_limit();
    EXPECT_EQ(run().verdict, jail::Verdict::limit_memory);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, AJailThatCannotBeMendedIsSaidAndTriedAgain) {
    start({[](Script& s) {
               s.hello();
               s.next_request();
               return jail::Exit{1, 0};
           },
           honest});
    world_.kill_fails = true;
    world_.start_fails = true;
    EXPECT_NE(run().content.find("no new interpreter could be started"), std::string::npos);
    EXPECT_NE(run().content.find("SandboxUnavailable"), std::string::npos);
    session_->interrupt();
    world_.start_fails = false;
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

// Closing what a cell passes may block for as long as the cell likes; nothing of it may reach the loop.
TEST_F(SessionTest, PassedDescriptorsAreRefused) {
    std::atomic<bool> delivered = false;
    start({[&](Script& s) {
               s.hello();
               const std::string id = s.next_request();
               delivered = s.pass_descriptor();
               s.reply(id);
               s.next_request();
               return jail::Exit{};
           },
           honest});
    const Reply reply = run();
    EXPECT_EQ(to_text(reply.verdict), delivered ? "protocol.violation" : "ok");
}

TEST_F(SessionTest, ADeathBetweenCellsIsToldAndMended) {
    start({[](Script& s) {
               s.hello();
               s.reply(s.next_request());
               return jail::Exit{0, SIGSEGV};
           },
           honest});
    run();
    EXPECT_TRUE(eventually_published("crashed with SIGSEGV"));
    for (int i = 0; i < 2000 && !lost_while_idle_; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(lost_while_idle_);
    session_->recover_if_lost();
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

// A startup file that a cell has left behind may end every worker.
TEST_F(SessionTest, AWorkerThatDiesBeforeAnyRequestIsReplacedOnlyForTheNextCell) {
    const auto dies = [](Script& s) {
        s.hello();
        return jail::Exit{3, 0};
    };
    start({[](Script& s) {
               s.hello();
               s.reply(s.next_request());
               return jail::Exit{3, 0};
           },
           dies, honest});
    run();
    for (int i = 0; i < 2000 && !lost_while_idle_.exchange(false); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    session_->recover_if_lost();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(world_.spawned, 2);
    EXPECT_FALSE(lost_while_idle_);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
    EXPECT_EQ(world_.spawned, 3);
}

TEST_F(SessionTest, TheEndOfAWorkerThatWasAskedToEndIsNoLoss) {
    start({honest});
    run();
    session_->shut_down(false, std::chrono::seconds(10));
    EXPECT_FALSE(lost_while_idle_);
    EXPECT_EQ(published().find("after the last cell"), std::string::npos) << published();
}

TEST_F(SessionTest, RefusedCallsAreToldOnceWithTheirCell) {
    world_.denials = {{"ptrace", "reads memory", 3}};
    start({honest});
    run();
    run();
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(refused_, R"({"msg_id": "m"}ptrace3)");
}

TEST_F(SessionTest, AWorkerOfAnotherBuildIsRefused) {
    start({[](Script& s) {
        s.frame(R"({"type": "hello", "protocol": 1, "digest": "other"})", {"{}"});
        s.wait_for(SIGKILL);
        return jail::Exit{};
    }});
    const auto ready = session_->wait_ready();
    ASSERT_FALSE(ready.ok());
    EXPECT_NE(ready.error().sentence().find("another build"), std::string::npos);
}

TEST_F(SessionTest, WhatAWorkerSaysBeforeItFailsIsInTheError) {
    start({[](Script& s) {
        s.print("no module named IPython");
        return jail::Exit{3, 0};
    }});
    const auto ready = session_->wait_ready();
    ASSERT_FALSE(ready.ok());
    EXPECT_NE(ready.error().sentence().find("no module named IPython"), std::string::npos);
}

TEST_F(SessionTest, AFailedSpawnAfterALossIsExplainedInTheCell) {
    start({[&](Script& s) {
               s.hello();
               s.next_request();
               world_.spawn_fails = true;
               return jail::Exit{1, 0};
           },
           honest});
    EXPECT_NE(run().content.find("no new interpreter could be started"), std::string::npos);
    EXPECT_NE(run().content.find("SandboxUnavailable"), std::string::npos);
    world_.spawn_fails = false;
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, PressureThatEndsAfterTheWorkerDoesNoHarm) {
    start({[](Script& s) {
               s.hello();
               s.next_request();
               s.raw(std::string(64, '\xff'));
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    loop_->post([this] { session_->set_paused(true); });
    std::thread relief([this] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        for (int i = 0; i < 10; ++i) {
            loop_->post([this] { session_->set_paused(false); });
            loop_->post([this] { session_->set_paused(true); });
        }
        loop_->post([this] { session_->set_paused(false); });
    });
    // Whether the hello came before the pressure or after it, the first cell ends with the violation.
    EXPECT_EQ(run().verdict, jail::Verdict::protocol_violation);
    relief.join();
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, AHangUpUnderPressureWaitsWithoutSpinning) {
    start({[](Script& s) {
               s.hello();
               const std::string id = s.next_request();
               std::this_thread::sleep_for(std::chrono::milliseconds(30));
               s.publish(id, "stream", R"({"name": "stdout", "text": "last words"})");
               return jail::Exit{7, 0};
           },
           honest});
    ASSERT_TRUE(session_->wait_ready().ok());
    std::thread relief([this] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        loop_->post([this] { session_->set_paused(true); });
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        const auto cpu_before = cpu_time();
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        EXPECT_LT(cpu_time() - cpu_before, std::chrono::milliseconds(100)) << "the loop sleeps";
        loop_->post([this] { session_->set_paused(false); });
    });
    EXPECT_EQ(run().verdict, jail::Verdict::worker_exited);
    relief.join();
    EXPECT_NE(published().find("last words"), std::string::npos);
}

// ---- subshells

TEST_F(SessionTest, ASubshellsCellRunsBesideTheMainShells) {
    start({[](Script& s) {
        s.hello();
        const std::string first = s.next_request();
        const std::string second = s.next_request();
        EXPECT_NE(s.last_header.find(R"("subshell": "s-1")"), std::string::npos) << s.last_header;
        s.reply(second);
        s.next_request();
        s.reply("3");
        s.reply(first);
        s.next_request();
        return jail::Exit{};
    }});
    std::thread main([this] { EXPECT_EQ(run().verdict, jail::Verdict::ok); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(run(R"({"code": "y"})", "execute_request", "s-1").verdict, jail::Verdict::ok);
    EXPECT_EQ(run(R"({"code": "z"})", "execute_request", "s-1").verdict, jail::Verdict::ok);
    main.join();
}

TEST_F(SessionTest, ALostWorkerEndsTheCellsOfAllShellsAndIsReplacedOnce) {
    start({[](Script& s) {
               s.hello();
               for (int i = 0; i < 3; ++i) s.next_request();
               return jail::Exit{3, 0};
           },
           [](Script& s) {
               s.hello();
               s.next_request();
               EXPECT_EQ(s.last_header, R"({"type": "subshells", "ids": ["s-1", "s-2"]})");
               return honest_after_hello(s);
           }});
    ASSERT_TRUE(session_->wait_ready().ok());
    session_->set_subshells({"s-1", "s-2"});
    std::thread first(
        [this] { EXPECT_EQ(run("{}", "execute_request", "s-1").verdict, jail::Verdict::worker_exited); });
    EXPECT_EQ(run("{}", "execute_request", "s-2").verdict, jail::Verdict::worker_exited);
    first.join();
    EXPECT_EQ(run("{}", "execute_request", "s-1").verdict, jail::Verdict::ok);
    EXPECT_EQ(world_.spawned, 2);
}

TEST_F(SessionTest, ACellOfASubshellIsInterruptedByAFrame) {
    start({[](Script& s) {
        s.hello();
        const std::string id = s.next_request();
        EXPECT_EQ(s.next_request(), id);
        EXPECT_NE(s.last_header.find(R"("type": "interrupt")"), std::string::npos);
        s.reply(id, "error", R"({"status": "error"})");
        s.next_request();
        return jail::Exit{};
    }});
    std::thread cell(
        [this] { EXPECT_EQ(run("{}", "execute_request", "s-1").verdict, jail::Verdict::error); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    session_->interrupt();
    cell.join();
}

TEST_F(SessionTest, TheWallTimeOfASubshellsCellIsItsOwn) {
    config_.wall_time = std::chrono::milliseconds(100);
    config_.wall_time_grace = std::chrono::milliseconds(50);
    start({[](Script& s) {
               s.hello();
               s.next_request();
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    EXPECT_EQ(run("{}", "execute_request", "s-1").verdict, jail::Verdict::limit_wall_time);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, CommMessagesGoBesideACellOnlyWhileItAwaits) {
    std::atomic<bool> awaited = false;
    start({[&](Script& s) {
        s.hello();
        const std::string cell = s.next_request();
        s.frame("{\"type\": \"awaits\", \"id\": " + cell + "}", {"{}"});
        awaited = true;
        const std::string comm = s.next_request();
        EXPECT_NE(s.last_header.find("comm_msg"), std::string::npos);
        s.reply(comm);
        s.reply(cell);
        s.next_request();
        return jail::Exit{};
    }});
    auto comm = std::make_shared<protocol::Request>();
    comm->msg_type = "comm_msg";
    comm->header = comm->content = "{}";
    EXPECT_FALSE(session_->run_beside(comm));
    std::thread cell([this] { EXPECT_EQ(run().verdict, jail::Verdict::ok); });
    bool beside = false;
    for (int i = 0; i < 2000 && !beside; ++i) {
        beside = session_->run_beside(comm);
        EXPECT_TRUE(awaited || !beside);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(beside);
    cell.join();
    EXPECT_FALSE(session_->run_beside(comm));
}

// ---- control requests that are answered outside of the jail

protocol::Request control_request(const std::string& msg_id) {
    protocol::Request request;
    request.header = R"({"msg_id": ")" + msg_id + R"("})";
    request.content = R"({"nobody's": "business"})";
    return request;
}

TEST_F(SessionTest, TheNewestControlRequestIsToldOnceWithTheNextCell) {
    start({[](Script& s) {
        s.hello();
        s.next_request();
        EXPECT_EQ(s.last_header, R"({"type": "control"})");
        EXPECT_EQ(s.last_body, R"({"msg_id": "newer"})");
        for (const char* id : {"1", "2"}) {
            EXPECT_EQ(s.next_request(), id);
            s.reply(id);
        }
        s.next_request();
        return jail::Exit{};
    }});
    ASSERT_TRUE(session_->wait_ready().ok());
    session_->note_control(control_request("older"));
    session_->note_control(control_request("newer"));
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, AControlRequestOfTheWorkersOwnIsNewerThanOneThatWasAnsweredBefore) {
    start({[](Script& s) {
        s.hello();
        const std::string own = s.next_request();
        EXPECT_NE(s.last_header.find(R"("channel": "control")"), std::string::npos) << s.last_header;
        s.reply(own);
        return honest_after_hello(s);
    }});
    ASSERT_TRUE(session_->wait_ready().ok());
    session_->note_control(control_request("older"));
    std::promise<void> replied;
    auto own = std::make_shared<protocol::Request>(control_request("own"));
    own->msg_type = "debug_request";
    session_->forward(own, [&](const Reply&) { replied.set_value(); });
    replied.get_future().wait();
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, ANewWorkerIsToldOfTheNewestControlRequestAgain) {
    start({[](Script& s) {
               s.hello();
               s.next_request();
               s.next_request();
               return jail::Exit{3, 0};
           },
           [](Script& s) {
               s.hello();
               s.next_request();
               EXPECT_EQ(s.last_body, R"({"msg_id": "only"})");
               return honest_after_hello(s);
           }});
    ASSERT_TRUE(session_->wait_ready().ok());
    session_->note_control(control_request("only"));
    EXPECT_EQ(run().verdict, jail::Verdict::worker_exited);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

// ---- interrupts

TEST_F(SessionTest, AnInterruptWithoutEffectIsToldAndTwoMoreStopTheWorker) {
    start({[](Script& s) {
               s.hello();
               s.next_request();
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    std::thread cell([this] { EXPECT_EQ(run().verdict, jail::Verdict::user_interrupts); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (int i = 0; i < 5; ++i) session_->interrupt();  // impatience is no insistence
    EXPECT_TRUE(eventually_published("the interrupt was delivered"));
    session_->interrupt();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(world_.spawned, 1);
    session_->interrupt();
    cell.join();
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

TEST_F(SessionTest, InsistenceStopsTheCellsOfSeveralSubshells) {
    start({[](Script& s) {
               s.hello();
               s.next_request();
               s.next_request();
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    const auto cell = [this](const char* subshell) {
        EXPECT_EQ(run("{}", "execute_request", subshell).verdict, jail::Verdict::user_interrupts);
    };
    std::thread first(cell, "s-1");
    std::thread second(cell, "s-2");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    session_->interrupt();
    EXPECT_TRUE(eventually_published("the interrupt was delivered"));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (int i = 0; i < kInterruptsToStop; ++i) session_->interrupt();
    first.join();
    second.join();
    EXPECT_EQ(world_.spawned, 2);
}

TEST_F(SessionTest, AnInterruptThatIsHeardIsNotTold) {
    start({[](Script& s) {
        s.hello();
        std::string id = s.next_request();
        s.wait_for(SIGINT);
        s.reply(id, "error", R"({"status": "error"})");
        id = s.next_request();
        std::this_thread::sleep_for(kInterruptPatience + std::chrono::milliseconds(200));
        s.reply(id);
        s.next_request();
        return jail::Exit{};
    }});
    std::thread cell([this] { run(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    session_->interrupt();
    cell.join();
    run();
    EXPECT_EQ(published().find("the interrupt was delivered"), std::string::npos);
}

// ---- the audit log

class AuditedSession : public SessionTest {
  protected:
    AuditedSession() : directory_(sys::TempDir::create("audit-").value()) {
        AuditConfig audit;
        audit.trail.log.directory = directory_.path() + "/log";
        audit.trail.log.keys_directory = directory_.path() + "/keys";
        audit.trail.log.sync = observe::Sync::interval;
        config_.audit = audit;
    }
    // The members of the records of a type, after their frames.
    std::vector<std::string> records(const std::string& type) const {
        std::ifstream file(observe::segment_path(directory_.path() + "/log", 1));
        std::vector<std::string> found;
        const std::string mark = "\"type\":\"" + type + "\"";
        for (std::string line; std::getline(file, line);)
            if (const size_t at = line.find(mark); at != std::string::npos) found.push_back(line.substr(at));
        return found;
    }
    static bool has(const std::string& record, const std::string& text) {
        return record.find(text) != std::string::npos;
    }

    sys::TempDir directory_;
};

TEST_F(AuditedSession, EachLimitThatACellMeetsIsRecordedOnce) {
    config_.wall_time = std::chrono::milliseconds(50);
    config_.wall_time_grace = std::chrono::milliseconds(50);
    config_.output_limit = 1_KiB;
    start({[this](Script& s) {
               s.hello();
               const std::string id = s.next_request();
               const std::string text = R"({"name": "stdout", "text": ")" + std::string(800, 'x') + "\"}";
               for (int i = 0; i < 3; ++i) s.publish(id, "stream", text);
               world_.refused_forks = 3;
               world_.memory_peak = 1 << 20;
               world_.oom_kills = 1;
               world_.memory_hits = 5;
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    EXPECT_EQ(run().verdict, jail::Verdict::limit_wall_time);
    EXPECT_EQ(run().verdict, jail::Verdict::ok);

    const auto hits = records("limit_hit");
    ASSERT_EQ(hits.size(), 4U);
    EXPECT_PRED2(has, hits[0],
                 R"("limit":"memory","unit":"bytes","allowed":2147483648,"measured":1048576,"count":1)");
    EXPECT_PRED2(has, hits[1], R"("limit":"processes","unit":"count","allowed":256,"count":3)");
    EXPECT_PRED2(has, hits[2], R"("limit":"wall_time","unit":"us","allowed":50000,"measured":)");
    EXPECT_PRED2(has, hits[3], R"("limit":"output","unit":"bytes","allowed":1024,"measured":2)");
    EXPECT_PRED2(has, hits[3], R"("count":2)");
    for (const std::string& hit : hits) EXPECT_PRED2(has, hit, R"("cell":1,)");
    EXPECT_EQ(records("cell_end").size(), 2U);
}

TEST_F(AuditedSession, WhatIsSampledIsMeasuredToo) {
    start_with_one_cell_above_the_sampled_limit();
    EXPECT_EQ(run().verdict, jail::Verdict::limit_memory);
    const auto hits = records("limit_hit");
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_PRED2(has, hits[0], R"("limit":"memory","unit":"bytes","allowed":1048576,"measured":2097152)");
}

TEST_F(AuditedSession, ALimitOfOneCellIsNoneOfTheOthersThatItEnds) {
    config_.wall_time = std::chrono::milliseconds(200);
    config_.wall_time_grace = std::chrono::milliseconds(20);
    std::atomic<bool> first_runs = false;
    start({[&](Script& s) {
               s.hello();
               s.next_request();
               first_runs = true;
               s.next_request();
               s.wait_for(SIGKILL);
               return jail::Exit{};
           },
           honest});
    std::thread first([&] { EXPECT_EQ(run().verdict, jail::Verdict::limit_wall_time); });
    while (!first_runs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(run(R"({"code": "y"})", "execute_request", "sub").verdict, jail::Verdict::limit_wall_time);
    first.join();
    const auto hits = records("limit_hit");
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_PRED2(has, hits[0], R"("cell":1,)");
}

TEST_F(AuditedSession, WhatAKernelDoesWithoutIsRecordedAtItsStart) {
    world_.level = jail::Level::namespaced;
    world_.has_landlock = false;
    world_.peak_restarts = false;
    world_.io_read = -1;
    config_.audit->trail.on_error = observe::OnError::go_on;
    start({honest});
    const auto lacks = records("degradation");
    ASSERT_EQ(lacks.size(), 4U);
    EXPECT_PRED2(has, lacks[0], R"("lacks":"cgroup","reason":"the settings ask for)");
    EXPECT_PRED2(has, lacks[1], R"("lacks":"landlock","reason":"the host's kernel has none)");
    EXPECT_PRED2(has, lacks[2], R"("lacks":"fail_closed")");
    EXPECT_PRED2(has, lacks[3], R"("lacks":"signatures")");
}

TEST_F(AuditedSession, WhatIsNotMeasuredIsRecordedAtTheStart) {
    world_.peak_restarts = false;
    world_.io_read = -1;
    ASSERT_TRUE(observe::SigningKey::create(config_.audit->trail.log.keys_directory, false));
    start({honest});
    const auto lacks = records("degradation");
    ASSERT_EQ(lacks.size(), 2U);
    EXPECT_PRED2(has, lacks[0], R"("lacks":"memory_peak")");
    EXPECT_PRED2(has, lacks[1], R"("lacks":"io")");
    world_.memory_peak = 7 << 20;
    EXPECT_NE(run().metadata.find(R"("memory_peak":7340032,"memory_peak_of":"session")"), std::string::npos);
    ASSERT_EQ(records("cell_end").size(), 1U);
    EXPECT_FALSE(has(records("cell_end")[0], "io_"));
}

TEST_F(AuditedSession, ACellsUsageIsItsOwn) {
    world_.memory_current = 1 << 20;
    start({[this](Script& s) {
        s.hello();
        int64_t cell = 0;
        for (std::string id = s.next_request(); !id.empty(); id = s.next_request()) {
            world_.memory_peak = cell == 0 ? 9 << 20 : 2 << 20;
            world_.io_read += 100;
            ++cell;
            s.reply(id);
        }
        return jail::Exit{};
    }});
    const Reply first = run();
    EXPECT_NE(first.metadata.find(R"("io_read_bytes":100,"io_write_bytes":200)"), std::string::npos)
        << first.metadata;
    EXPECT_NE(first.metadata.find(R"("memory_peak":9437184,"memory_peak_of":"cell")"), std::string::npos);
    EXPECT_NE(run().metadata.find(R"("memory_peak":2097152,"memory_peak_of":"cell")"), std::string::npos);
    EXPECT_PRED2(has, records("cell_end")[1], R"("io_read_bytes":100,"io_write_bytes":200)");
}

TEST_F(AuditedSession, CellsThatRunAtTheSameTimeHaveSeenTheSamePeak) {
    world_.memory_current = 1 << 20;
    std::atomic<bool> first_runs = false;
    start({[&](Script& s) {
        s.hello();
        const std::string first = s.next_request();
        world_.memory_peak = 9 << 20;
        first_runs = true;
        const std::string second = s.next_request();
        world_.memory_peak = 3 << 20;
        s.reply(second);
        s.reply(first);
        s.next_request();
        return jail::Exit{};
    }});
    Reply first;
    std::thread cell([&] { first = run(); });
    while (!first_runs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const Reply second = run(R"({"code": "y"})", "execute_request", "sub");
    cell.join();
    EXPECT_NE(first.metadata.find(R"("memory_peak":9437184)"), std::string::npos) << first.metadata;
    EXPECT_NE(second.metadata.find(R"("memory_peak":3145728)"), std::string::npos) << second.metadata;
}

TEST_F(AuditedSession, WhatIsUsedBetweenCellsIsRecordedWithTheNextOne) {
    world_.memory_current = 1 << 20;
    start({honest});
    run();
    EXPECT_EQ(records("between_cells").size(), 0U) << "nothing worth a record was used";
    world_.io_read += 100;
    world_.memory_peak = 7 << 20;
    world_.refused_forks = 2;
    run(R"({"code": "x"})", "complete_request");
    world_.io_read += 10;
    run();
    run();
    const auto between = records("between_cells");
    ASSERT_EQ(between.size(), 1U);
    EXPECT_PRED2(has, between[0], R"("intervals":2,"wall_us":)");
    EXPECT_PRED2(
        has, between[0],
        R"("io_read_bytes":110,"io_write_bytes":220,"memory_peak":7340032,"memory_peak_of":"between",)"
        R"("refused_processes":2,"oom_kills":0)");
    for (const std::string& end : records("cell_end"))
        EXPECT_PRED2(has, end, R"("io_read_bytes":0,"io_write_bytes":0,"memory_peak":1048576)");
}

TEST_F(AuditedSession, WhatIsUsedWhileOneOfSeveralCellsRunsIsThatCells) {
    std::atomic<bool> first_runs = false;
    start({[&](Script& s) {
        s.hello();
        const std::string first = s.next_request();
        first_runs = true;
        s.reply(s.next_request());
        world_.io_read += 100;
        s.reply(first);
        s.next_request();
        return jail::Exit{};
    }});
    std::thread cell([&] { run(); });
    while (!first_runs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    run(R"({"code": "y"})", "execute_request", "sub");
    cell.join();
    EXPECT_EQ(records("between_cells").size(), 0U);
    EXPECT_PRED2(has, records("cell_end")[1], R"("io_read_bytes":100)");
}

TEST_F(AuditedSession, WhatIsUsedAfterTheLastCellIsRecordedWithTheEnd) {
    start({honest});
    run();
    world_.io_read += 5;
    TearDown();
    const auto between = records("between_cells");
    ASSERT_EQ(between.size(), 1U);
    EXPECT_PRED2(has, between[0], R"("io_read_bytes":5)");
    EXPECT_EQ(records("kernel_stop").size(), 1U);
}

TEST_F(AuditedSession, WhatALostJailHasUsedIsNotLostWithIt) {
    world_.kill_fails = true;  // so that the next worker needs another jail
    start({[this](Script& s) {
               s.hello();
               s.reply(s.next_request());
               s.next_request();
               world_.io_read += 70;
               return jail::Exit{1, 0};
           },
           honest});
    run();
    run(R"({"code": "x"})", "complete_request");
    EXPECT_EQ(world_.jails, 2);
    run();
    const auto between = records("between_cells");
    ASSERT_EQ(between.size(), 1U);
    EXPECT_PRED2(has, between[0], R"("intervals":3,)");
    EXPECT_PRED2(has, between[0], R"("io_read_bytes":70,)");
}

TEST_F(AuditedSession, WithoutALackThereIsNoRecordOfOne) {
    ASSERT_TRUE(observe::SigningKey::create(config_.audit->trail.log.keys_directory, false));
    start({honest});
    EXPECT_EQ(records("kernel_start").size(), 1U);
    EXPECT_EQ(records("degradation").size(), 0U);
}

// ---- the output limit

class OutputLimit : public SessionTest {
  protected:
    static constexpr size_t kLimit = 10'000;
    // A stream message of exactly `size` bytes, metadata and content together.
    static std::string text(size_t size) {
        const std::string empty = R"({"name": "stdout", "text": ""})";
        return R"({"name": "stdout", "text": ")" + std::string(size - empty.size() - 2, 'x') + "\"}";
    }
    void start_with(std::function<void(Script&, const std::string&)> say) {
        config_.output_limit = Bytes{kLimit};
        start({[say](Script& s) {
            s.hello();
            for (std::string id = s.next_request(); !id.empty(); id = s.next_request()) {
                say(s, id);
                s.reply(id);
            }
            return jail::Exit{};
        }});
    }
    size_t count(const std::string& what) {
        const std::string all = published();
        size_t found = 0;
        for (size_t at = all.find(what); at != std::string::npos; at = all.find(what, at + 1)) ++found;
        return found;
    }
};

TEST_F(OutputLimit, NothingIsLostUpToIt) {
    start_with([](Script& s, const std::string& id) {
        for (int i = 0; i < 10; ++i) s.publish(id, "stream", text(kLimit / 10));
    });
    run();
    run();  // each cell has its own
    EXPECT_EQ(count("xxx\"}"), 20U);
    EXPECT_EQ(count("left out"), 0U);
}

TEST_F(OutputLimit, TextEndsBeyondItAndTheCellSaysHowMuch) {
    start_with([](Script& s, const std::string& id) {
        for (int i = 0; i < 11; ++i) s.publish(id, "stream", text(kLimit / 10 + 1));
        s.publish(id, "stream", text(50));  // it would fit, but after a gap
    });
    run();
    EXPECT_EQ(count("xxx\"}"), 9U);
    EXPECT_EQ(count("To allow more, raise --output-limit"), 1U);
    EXPECT_TRUE(eventually_published("2.0 KiB of output in 3 messages were left out")) << published();
}

TEST_F(OutputLimit, ABigDisplayIsLeftOutAloneAndErrorsAreShown) {
    start_with([](Script& s, const std::string& id) {
        s.publish(id, "display_data", text(kLimit + 1));
        s.publish(id, "stream", text(100));
        s.publish(id, "display_data", text(kLimit));
        s.publish(id, "error", text(kLimit));
    });
    run();
    EXPECT_EQ(count("display_data {"), 0U);
    EXPECT_EQ(count("stream {\"msg_id\": \"m\"} {\"name\": \"stdout\""), 1U);
    EXPECT_EQ(count("error {"), 1U);
}

TEST_F(OutputLimit, ManyTinyDisplaysAreNotTiny) {
    start_with([](Script& s, const std::string& id) {
        for (size_t i = 0; i < kLimit / kLeastDisplay + 3; ++i) s.publish(id, "display_data", "{}");
        for (int i = 0; i < 100; ++i) s.publish(id, "update_display_data", "{}");
    });
    run();
    EXPECT_EQ(count("display_data {\"msg_id\"") - count("update_display_data {"), kLimit / kLeastDisplay);
    EXPECT_EQ(count("update_display_data {"), 100U);
    EXPECT_TRUE(eventually_published("in 3 messages were left out")) << published();
}

TEST_F(OutputLimit, CellsThatHaveEndedShareOne) {
    start_with([](Script& s, const std::string& id) {
        for (uint64_t other = 0; other < 5; ++other)
            s.publish(std::to_string(std::min<uint64_t>(other, std::stoull(id))), "stream", text(kLimit / 2));
    });
    for (int i = 0; i < 5; ++i) run();
    // In the last cell: for 0, 1, 2, 3 and itself. The others had fewer that were over.
    const size_t before = count("xxx\"}");
    run();
    EXPECT_EQ(count("xxx\"}") - before, 2U);
}

TEST_F(OutputLimit, WhatIsClearedOrReplacedDoesNotCount) {
    start_with([](Script& s, const std::string& id) {
        for (int i = 0; i < 5; ++i) {
            s.publish(id, "clear_output", R"({"wait": true})");
            s.publish(id, "display_data", text(kLimit - 100));
            s.publish(id, "update_display_data", text(kLimit - 100));
        }
    });
    run();
    EXPECT_EQ(count("display_data {\"msg_id\""), 10U);
    EXPECT_EQ(count("left out"), 0U);
}

// Each script breaks one rule; the verdict is the same, and the kernel lives.
struct Violation {
    const char* name;
    Behaviour behaviour;
};

class HostileWorker : public SessionTest, public testing::WithParamInterface<Violation> {};

TEST_P(HostileWorker, IsStoppedAndReplaced) {
    start({GetParam().behaviour, honest});
    const Reply reply = run();
    EXPECT_EQ(to_text(reply.verdict), "protocol.violation") << reply.content;
    EXPECT_EQ(run().verdict, jail::Verdict::ok);
}

jail::Exit wait_for_kill(Script& s) {
    s.wait_for(SIGKILL);
    return {};
}

INSTANTIATE_TEST_SUITE_P(
    Rules, HostileWorker,
    testing::Values(Violation{"SecondHello",
                              [](Script& s) {
                                  s.hello();
                                  s.next_request();
                                  s.hello();
                                  return wait_for_kill(s);
                              }},
                    Violation{"ReplyToNobody",
                              [](Script& s) {
                                  s.hello();
                                  s.next_request();
                                  s.reply("4711");
                                  return wait_for_kill(s);
                              }},
                    Violation{"PublishForTheFuture",
                              [](Script& s) {
                                  s.hello();
                                  s.next_request();
                                  s.publish("99", "stream", "{}");
                                  return wait_for_kill(s);
                              }},
                    Violation{"ExecuteInputTwice",
                              [](Script& s) {
                                  s.hello();
                                  const std::string id = s.next_request();
                                  s.publish(id, "execute_input", R"({"code": "x", "execution_count": 1})");
                                  s.publish(id, "execute_input", R"({"code": "x", "execution_count": 2})");
                                  return wait_for_kill(s);
                              }},
                    Violation{"AwaitsTwice",
                              [](Script& s) {
                                  s.hello();
                                  const std::string id = s.next_request();
                                  for (int i = 0; i < 2; ++i)
                                      s.frame("{\"type\": \"awaits\", \"id\": " + id + "}", {"{}"});
                                  return wait_for_kill(s);
                              }},
                    Violation{"AwaitsWithoutACell",
                              [](Script& s) {
                                  s.hello();
                                  s.next_request();
                                  s.frame(R"({"type": "awaits", "id": 4711})", {"{}"});
                                  return wait_for_kill(s);
                              }},
                    Violation{"ForbiddenMessageType",
                              [](Script& s) {
                                  s.hello();
                                  s.publish(s.next_request(), "status", R"({"execution_state": "idle"})");
                                  return wait_for_kill(s);
                              }},
                    Violation{"InputWithoutPermission",
                              [](Script& s) {
                                  s.hello();
                                  s.next_request();
                                  s.frame(R"({"type": "input", "id": 4711})", {"{}"});
                                  return wait_for_kill(s);
                              }},
                    Violation{"TooManyQuestions",
                              [](Script& s) {
                                  s.hello();
                                  const std::string id = s.next_request();
                                  for (int i = 0; i <= kMaxOpenQuestions; ++i)
                                      s.frame("{\"type\": \"input\", \"id\": " + id + "}", {"{}"});
                                  return wait_for_kill(s);
                              }},
                    Violation{"HugeQuestion",
                              [](Script& s) {
                                  s.hello();
                                  const std::string id = s.next_request();
                                  const std::string prompt(kMaxQuestion, '?');
                                  s.frame("{\"type\": \"input\", \"id\": " + id + "}",
                                          {"{\"prompt\": \"" + prompt + "\"}"});
                                  return wait_for_kill(s);
                              }},
                    Violation{"Garbage",
                              [](Script& s) {
                                  s.hello();
                                  s.next_request();
                                  s.raw(std::string(64, '\xff'));
                                  return wait_for_kill(s);
                              }},
                    Violation{"BrokenJson",
                              [](Script& s) {
                                  s.hello();
                                  s.publish(s.next_request(), "stream", "{\"name\": ");
                                  return wait_for_kill(s);
                              }}),
    [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace cellblock::session
