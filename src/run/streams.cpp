// Text of strangers on its way to people and programs.
#include "run/streams.hpp"

#include <nettle/base64.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

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

/// How much of it can be written without waiting: at most all, and nothing where the kernel cannot tell.
size_t write_at_once(int fd, const std::string& text) {
    const iovec data{const_cast<char*>(text.data()), text.size()};
    const ssize_t n = ::pwritev2(fd, &data, 1, -1, RWF_NOWAIT);
    return n < 0 ? 0 : static_cast<size_t>(n);
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
    : line_(line), out_{out_fd, show_out, TerminalText(line_)}, err_{err_fd, show_err, TerminalText(line_)} {}

LiveOutput::~LiveOutput() {
    {
        const std::lock_guard lock(mutex_);
        closes_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    write_pieces(true);
    for (const Stream stream : {Stream::out, Stream::err}) {
        Target& last = target(stream);
        write_all_waiting(last.fd, shown(last, stream, "", true), last.is_gone);
    }
    // What is written there next is ours: it begins a line, and nothing of the program's stands around it.
    if (err_.show == Show::harmless && !line_.is_empty) write_all_waiting(err_.fd, "\n", err_.is_gone);
}

void LiveOutput::write(Stream stream, std::string_view bytes) {
    put(target(stream), shown(target(stream), stream, bytes, false));
}

void LiveOutput::put(Target& target, std::string text) {
    // Most programs write little, and a thread costs more than to write that.
    if (!thread_.joinable() && pieces_.empty()) text.erase(0, write_at_once(target.fd, text));
    if (text.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        size_ += text.size();
        pieces_.push_back({&target, std::move(text)});
    }
    if (!thread_.joinable()) begin_thread();
    changed_.notify_all();
}

void LiveOutput::begin_thread() {
    try {
        thread_ = std::thread([this] { write_pieces(true); });
    } catch (const std::system_error&) {
        // There are too many threads. The next piece tries again; until then what is kept is bounded, and it
        // is written in the end.
    }
}

bool LiveOutput::takes_more() const {
    const std::lock_guard lock(mutex_);
    return size_ < kMost;
}

void LiveOutput::flush() {
    if (!thread_.joinable()) return write_pieces(false);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pieces_.empty() && !is_busy_; });
}

void LiveOutput::write_pieces(bool until_closed) {
    std::unique_lock lock(mutex_);
    while (true) {
        if (until_closed) changed_.wait(lock, [this] { return closes_ || !pieces_.empty(); });
        if (pieces_.empty()) return;
        const Piece piece = std::move(pieces_.front());
        pieces_.pop_front();
        is_busy_ = true;
        lock.unlock();
        write_all_waiting(piece.target->fd, piece.text, piece.target->is_gone);
        lock.lock();
        is_busy_ = false;
        size_ -= piece.text.size();
        changed_.notify_all();
    }
}

std::string LiveOutput::shown(Target& target, Stream stream, std::string_view bytes, bool is_last) {
    switch (target.show) {
        case Show::raw:
            break;
        case Show::harmless:
            return is_last ? target.text.finish() : target.text.add(bytes);
        case Show::events: {
            std::string text = target.unfinished.append(bytes);
            const size_t whole = is_last ? text.size() : whole_characters(text);
            target.unfinished = text.substr(whole);
            text.resize(whole);
            return text.empty() ? text : event_line(stream, text);
        }
    }
    return std::string(bytes);
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
