// Where the output of a program goes: kept for the result, and shown while it runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "run/container.hpp"
#include "run/line_map.hpp"
#include "run/terminal_text.hpp"

namespace cellblock::run {

/// Keeps both streams. Their bound is that of the execution (Bounds::output).
class Collector final : public Sink {
  public:
    void write(Stream stream, std::string_view bytes) override { of(stream) += bytes; }
    [[nodiscard]] const std::string& out() const { return out_; }
    [[nodiscard]] const std::string& err() const { return err_; }

  private:
    std::string& of(Stream stream) { return stream == Stream::out ? out_ : err_; }
    std::string out_, err_;
};

/// How bytes of a program look where they are shown.
enum class Show {
    raw,       ///< as they are
    harmless,  ///< for a terminal, see TerminalText
    events,    ///< one JSON object a line: {"event":"output","stream":"stdout","text":"…"}
};

/// Writes to two descriptors and never waits for who reads them, so that a slow reader slows the program down
/// and not its clock: what cannot be written at once, a thread writes. Descriptors stay the caller's; a
/// reader that is gone is no error. `line` is where the cursor stands on the terminal, if one of them is
/// that.
class LiveOutput final : public Sink {
  public:
    /// What is remembered of what could not be shown yet.
    static constexpr size_t kMost = 1024 * 1024;

    LiveOutput(int out_fd, int err_fd, Show show_out, Show show_err, TerminalLine line = {});
    /// Waits until all has been written, and ends the line that stands on a terminal at `err_fd`.
    ~LiveOutput() override;
    LiveOutput(const LiveOutput&) = delete;
    LiveOutput& operator=(const LiveOutput&) = delete;

    void write(Stream stream, std::string_view bytes) override;
    [[nodiscard]] bool takes_more() const override;
    /// Waits until all that came so far has been written.
    void flush();

  private:
    struct Target {
        int fd;
        Show show;
        TerminalText text;
        bool is_gone = false;
        std::string unfinished{};  ///< the beginning of a character
    };
    struct Piece {
        Target* target;
        std::string text;
    };
    static std::string shown(Target& target, Stream stream, std::string_view bytes, bool is_last);
    void begin_thread();
    void write_pieces(bool until_closed);
    void put(Target& target, std::string text);
    Target& target(Stream stream) { return stream == Stream::out ? out_ : err_; }

    TerminalLine line_;
    Target out_, err_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Piece> pieces_;
    size_t size_ = 0;
    bool is_busy_ = false;
    bool closes_ = false;
    std::thread thread_;  // last, because it uses the others; from the first wait on
};

/// Both at once.
class Tee final : public Sink {
  public:
    Tee(Sink& first, Sink& second) : first_(first), second_(second) {}
    void write(Stream stream, std::string_view bytes) override {
        first_.write(stream, bytes);
        second_.write(stream, bytes);
    }
    [[nodiscard]] bool takes_more() const override { return first_.takes_more() && second_.takes_more(); }

  private:
    Sink& first_;
    Sink& second_;
};

/// Passes lines on in which places are those of the code that was put into a template.
class MappedSink final : public Sink {
  public:
    MappedSink(const LineMap& map, Sink& next) : out_(map), err_(map), next_(next) {}
    void write(Stream stream, std::string_view bytes) override { pass(stream, of(stream).add(bytes)); }
    [[nodiscard]] bool takes_more() const override { return next_.takes_more(); }
    /// Passes on what is left.
    void finish() {
        for (const Stream stream : {Stream::out, Stream::err}) pass(stream, of(stream).finish());
    }

  private:
    MappedLines& of(Stream stream) { return stream == Stream::out ? out_ : err_; }
    void pass(Stream stream, const std::string& text) {
        if (!text.empty()) next_.write(stream, text);
    }

    MappedLines out_, err_;
    Sink& next_;
};

/// Whether all of it is UTF-8.
bool is_utf8(std::string_view bytes);
std::string base64(std::string_view bytes);

}  // namespace cellblock::run
