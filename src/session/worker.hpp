// Worker: the kernel's end of one worker process: the frame link and the two output pipes. It turns bytes
// into frames and text and frames into bytes; what they mean is the session's business. Lives in the loop's
// thread, except for send(), which any thread may call.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"
#include "protocol/frame.hpp"

namespace cellblock::session {

enum class Stream { stdout_, stderr_ };

/// Text from a pipe is held back this long, so that a chatty child does not make one message a line.
inline constexpr std::chrono::milliseconds kCaptureDelay{20};
/// Most bytes read from one descriptor before the loop serves the others.
inline constexpr size_t kReadAtOnce = 256 * 1024;
/// What a worker that has exited may still have in the link's buffer; whoever sends more holds it open on
/// purpose.
inline constexpr size_t kMaxAfterExit = 16 * 1024 * 1024;

/// What a Worker tells its session, in the loop's thread. `worker` lets the session ignore one that it has
/// replaced.
class WorkerListener {
  public:
    virtual void on_frame(class Worker& worker, protocol::UpFrame frame) = 0;
    virtual void on_text(Worker& worker, Stream stream, std::string text) = 0;
    /// No more frames will come: the link was closed or broke a rule (`violation` names it).
    virtual void on_link_end(Worker& worker, const std::string& violation) = 0;

  protected:
    ~WorkerListener() = default;
};

class Worker : public std::enable_shared_from_this<Worker> {
  public:
    /// Descriptors that the worker process gets.
    struct Ends {
        UniqueFd link;
        UniqueFd stdout_pipe;
        UniqueFd stderr_pipe;
    };
    /// Makes the descriptors; attach() starts to watch them.
    static Result<std::pair<std::shared_ptr<Worker>, Ends>> create(EventLoop& loop, WorkerListener& listener);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void attach();
    /// Stops watching and closes everything. The listener hears no more.
    void detach();
    /// The process has ended: read what is left, then report the end of the link.
    void drain_and_end();
    /// Back-pressure: while paused nothing is read, so the worker blocks when the socket's buffer is full.
    void set_paused(bool paused);
    /// Reads both pipes empty and reports their text, whatever the delay says.
    void flush_captured();

    /// Queues one frame. Any thread. Never blocks: what the socket does not take is sent by the loop.
    void send(std::string_view header, const std::vector<std::string_view>& parts);

  private:
    struct Pipe {
        Stream stream;
        UniqueFd fd;
        std::string pending;  // bytes read, at most kReadAtOnce plus an incomplete character
        bool watched = false;
    };
    Worker(EventLoop& loop, WorkerListener& listener, UniqueFd link, UniqueFd out, UniqueFd err);
    void watch_link();
    void unwatch_link();
    void read_link();
    void take_frames();
    void end_link(const std::string& violation);
    void write_queued();
    void watch_pipe(Pipe& pipe);
    void unwatch_pipe(Pipe& pipe);
    void read_pipe(Pipe& pipe);
    void report_pipe(Pipe& pipe, bool all);
    void update_interest();

    EventLoop& loop_;
    WorkerListener& listener_;
    UniqueFd link_;
    Pipe out_;
    Pipe err_;
    UniqueFd timer_fd_;  // until attach() makes a timer of it
    std::unique_ptr<LoopTimer> capture_timer_;
    protocol::FrameReader reader_;
    std::string read_buffer_;
    size_t read_after_exit_ = 0;
    bool attached_ = false;
    bool link_watched_ = false;
    std::atomic<bool> ended_ = false;  // written by the loop's thread, read by send()
    bool exited_ = false;
    bool paused_ = false;

    std::mutex write_mutex_;
    std::deque<std::string> to_write_;
    size_t written_of_front_ = 0;
    bool wants_write_ = false;
};

}  // namespace cellblock::session
