// Text of strangers on its way to people and programs.
#include "run/streams.hpp"

#include <nettle/base64.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/json_text.hpp"
#include "base/printable.hpp"

namespace cellblock::run {
namespace {

void write_all_waiting(int fd, std::string_view text, bool& is_gone) {
    while (!text.empty() && !is_gone) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n >= 0) {
            text.remove_prefix(static_cast<size_t>(n));
        } else if (errno == EAGAIN) {
            pollfd entry{fd, POLLOUT, 0};
            ::poll(&entry, 1, -1);
        } else if (errno != EINTR) {
            is_gone = true;
        }
    }
}

std::string event_line(Stream stream, std::string_view bytes) {
    const std::string name = stream == Stream::out ? "stdout" : "stderr";
    std::string line = R"({"event":"output","stream":")" + name + "\",";
    if (is_utf8(bytes))
        line += R"("encoding":"utf-8","text":)" + printable_json(json_string(bytes));
    else
        line += R"("encoding":"base64","text":")" + base64(bytes) + "\"";
    return line + "}\n";
}

}  // namespace

LiveOutput::LiveOutput(int out_fd, int err_fd, Show show_out, Show show_err, TerminalLine line)
    : line_(line),
      out_{out_fd, show_out, TerminalText(line_)},
      err_{err_fd, show_err, TerminalText(line_)},
      thread_([this] { run(); }) {}

LiveOutput::~LiveOutput() {
    {
        const std::lock_guard lock(mutex_);
        closes_ = true;
    }
    changed_.notify_all();
    thread_.join();
    for (const Stream stream : {Stream::out, Stream::err}) put(target(stream), stream, "", true);
    // What is written there next is ours: it begins a line, and nothing of the program's stands around it.
    if (err_.show == Show::harmless && !line_.is_empty) write_all_waiting(err_.fd, "\n", err_.is_gone);
}

void LiveOutput::write(Stream stream, std::string_view bytes) {
    {
        const std::lock_guard lock(mutex_);
        size_ += bytes.size();
        pieces_.push_back({stream, std::string(bytes)});
    }
    changed_.notify_all();
}

bool LiveOutput::takes_more() const {
    const std::lock_guard lock(mutex_);
    return size_ < kMost;
}

void LiveOutput::flush() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pieces_.empty() && !is_busy_; });
}

void LiveOutput::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return closes_ || !pieces_.empty(); });
        if (pieces_.empty()) return;
        Piece piece = std::move(pieces_.front());
        pieces_.pop_front();
        is_busy_ = true;
        lock.unlock();
        const size_t size = piece.text.size();
        put(target(piece.stream), piece.stream, std::move(piece.text), false);
        lock.lock();
        is_busy_ = false;
        size_ -= size;
        changed_.notify_all();
    }
}

void LiveOutput::put(Target& target, Stream stream, std::string text, bool is_last) {
    switch (target.show) {
        case Show::raw:
            break;
        case Show::harmless:
            text = is_last ? target.text.finish() : target.text.add(text);
            break;
        case Show::events: {
            text.insert(0, target.unfinished);
            const size_t whole = is_last ? text.size() : whole_characters(text);
            target.unfinished = text.substr(whole);
            text.resize(whole);
            if (!text.empty()) text = event_line(stream, text);
            break;
        }
    }
    write_all_waiting(target.fd, text, target.is_gone);
}

bool is_utf8(std::string_view bytes) {
    const char* p = bytes.data();
    const char* const end = p + bytes.size();
    while (p < end) {
        if (static_cast<unsigned char>(*p) < 0x80) {
            ++p;
            continue;
        }
        const Utf8Run run = utf8_run(p, end);
        if (!run.valid) return false;
        p += run.size;
    }
    return true;
}

std::string base64(std::string_view bytes) {
    std::string out(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
    ::nettle_base64_encode_raw(out.data(), bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
    return out;
}

}  // namespace cellblock::run
