// Text of strangers on its way to people and programs.
#include "run/streams.hpp"

#include <nettle/base64.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/hex.hpp"
#include "base/json_text.hpp"

namespace cellblock::run {
namespace {

/// Colours and the like, "ESC [ digits and ; m", are at most so long.
constexpr size_t kMaxColour = 32;
/// A character of UTF-8.
constexpr size_t kMaxCharacter = 4;
constexpr char kEscape = '\x1b';
constexpr const char* kNoColour = "\x1b[0m";

enum class Kind { not_one, unfinished, whole };

/// Whether a sequence that sets colours begins here, and its size.
std::pair<Kind, size_t> colour_at(std::string_view text) {
    size_t at = 1;
    if (at < text.size() && text[at] != '[') return {Kind::not_one, 0};
    for (++at; at < std::min(text.size(), kMaxColour); ++at) {
        if (text[at] == 'm') return {Kind::whole, at + 1};
        if ((text[at] < '0' || text[at] > '9') && text[at] != ';' && text[at] != ':')
            return {Kind::not_one, 0};
    }
    return {text.size() < kMaxColour ? Kind::unfinished : Kind::not_one, 0};
}

void append_escaped(std::string& out, unsigned char c) {
    append_hex(out += "\\x", c);
}

/// Controls of C1 as UTF-8: C2 80 … C2 9F.
bool is_c1(std::string_view character) {
    return character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
}

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

/// The size of `bytes` without a character at its end that has only begun.
size_t whole_characters(std::string_view bytes) {
    for (size_t back = 1; back <= std::min(bytes.size(), kMaxCharacter - 1); ++back) {
        const auto lead = static_cast<unsigned char>(bytes[bytes.size() - back]);
        if ((lead & 0xc0U) == 0x80U) continue;  // goes on a character
        const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
        return size > back ? bytes.size() - back : bytes.size();
    }
    return bytes.size();
}

std::string event_line(Stream stream, std::string_view bytes) {
    const std::string name = stream == Stream::out ? "stdout" : "stderr";
    std::string line = R"({"event":"output","stream":")" + name + "\",";
    if (is_utf8(bytes))
        line += R"("encoding":"utf-8","text":)" + json_string(bytes);
    else
        line += R"("encoding":"base64","text":")" + base64(bytes) + "\"";
    return line + "}\n";
}

}  // namespace

LiveOutput::LiveOutput(int out_fd, int err_fd, Show show_out, Show show_err)
    : out_{out_fd, show_out}, err_{err_fd, show_err}, thread_([this] { run(); }) {}

LiveOutput::~LiveOutput() {
    {
        const std::lock_guard lock(mutex_);
        closes_ = true;
    }
    changed_.notify_all();
    thread_.join();
    for (const Stream stream : {Stream::out, Stream::err}) put(target(stream), stream, "", true);
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
            text = harmless(text, target.unfinished, is_last);
            target.is_coloured = target.is_coloured || text.find(kEscape) != std::string::npos;
            // What others write there is none of the program's to colour, or to hide.
            if (is_last && target.is_coloured) text += kNoColour;
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

std::string harmless(std::string_view bytes, std::string& unfinished, bool is_last) {
    const std::string all = unfinished + std::string(bytes);
    const std::string_view text = all;
    unfinished.clear();
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const char c = text[at];
        const std::string_view rest = text.substr(at);
        if (c == kEscape) {
            const auto [kind, size] = colour_at(rest);
            if (kind == Kind::unfinished && !is_last) {
                unfinished = rest;
                return out;
            }
            if (kind == Kind::whole) {
                out += rest.substr(0, size);
                at += size;
                continue;
            }
        }
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80) {
            const Utf8Run run = utf8_run(rest.data(), rest.data() + rest.size());
            const bool has_begun =
                !run.valid && rest.size() < kMaxCharacter && whole_characters(rest) < rest.size();
            if (has_begun && !is_last) {
                unfinished = rest;
                return out;
            }
            if (run.valid && !is_c1(rest.substr(0, run.size)))
                out += rest.substr(0, run.size);
            else
                for (size_t i = 0; i < run.size; ++i)
                    append_escaped(out, static_cast<unsigned char>(rest[i]));
            at += run.size;
            continue;
        }
        if ((byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f)
            append_escaped(out, byte);
        else
            out += c;
        ++at;
    }
    return out;
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
