// A thread, because what it speaks of is busy.
#include "cli/spinner.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <string_view>
#include <system_error>
#include <utility>

namespace cellblock::cli {
namespace {

constexpr std::array<std::string_view, 4> kTurns{"|", "/", "-", "\\"};
constexpr std::chrono::milliseconds kTurn{100};
/// What is over at once is not worth a flicker.
constexpr std::chrono::milliseconds kPatience{200};

void show(int fd, const std::string& text) {
    [[maybe_unused]] const ssize_t n = ::write(fd, text.data(), text.size());
}

}  // namespace

Spinner::Spinner(int fd, std::string what) : fd_(fd), what_(std::move(what)) {
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
        // Nothing turns then. What it would have spoken of goes on.
    }
}

Spinner::~Spinner() {
    {
        const std::lock_guard lock(mutex_);
        closes_ = true;
    }
    closing_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Spinner::run() {
    std::unique_lock lock(mutex_);
    if (closing_.wait_for(lock, kPatience, [this] { return closes_; })) return;
    for (size_t turn = 0; !closes_; ++turn) {
        show(fd_, "\r" + std::string(kTurns[turn % kTurns.size()]) + " " + what_);
        closing_.wait_for(lock, kTurn, [this] { return closes_; });
    }
    show(fd_, "\r\x1b[K");
}

}  // namespace cellblock::cli
