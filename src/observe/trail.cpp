// One attempt for each call; a log that failed is opened anew by the next one.
#include "observe/trail.hpp"

#include "base/check.hpp"

namespace cellblock::observe {
namespace {

Error refusal(Error trouble) {
    return std::move(trouble).context("record the cell in the audit log, without which none may run");
}

}  // namespace

Result<void> Trail::admit(std::vector<Entry> entries) {
    const std::lock_guard guard(mutex_);
    auto written = write(entries, Barrier::none);
    if (written && !written->not_synced) return {};
    const bool is_there = written.ok();
    Error error = is_there ? *std::move(written->not_synced) : std::move(written).error();
    if (options_.on_error == OnError::go_on) {
        if (!is_there) keep(std::move(entries));
        return {};
    }
    return refusal(std::move(error));
}

Result<void> Trail::permit() const {
    const std::lock_guard guard(mutex_);
    if (!trouble_ || options_.on_error == OnError::go_on) return {};
    return refusal(*trouble_);
}

std::optional<Position> Trail::note(std::vector<Entry> entries, Barrier barrier) {
    const std::lock_guard guard(mutex_);
    const auto written = write(entries, barrier);
    if (written) return written->last;
    keep(std::move(entries));
    return {};
}

std::optional<bool> Trail::is_signed() {
    const std::lock_guard guard(mutex_);
    // The next record says what is wrong with it.
    if (!open()) return {};
    return log_->is_signed();
}

void Trail::checkpoint() {
    const std::lock_guard guard(mutex_);
    if (!log_) return;
    if (const auto done = log_->checkpoint(); !done) trouble_ = done.error();
}

std::string Trail::trouble() const {
    const std::lock_guard guard(mutex_);
    return trouble_ ? trouble_->sentence() : "";
}

Result<void> Trail::open() {
    if (!log_) log_ = TRY(Log::open(options_.log));
    return {};
}

Result<Written> Trail::write(const std::vector<Entry>& entries, Barrier barrier) {
    CHECK(entries.size() <= kMaxAtOnce);
    auto written = [&]() -> Result<Written> {
        TRY(open());
        if (late_.empty() && missed_ == 0) return log_->append(entries, barrier);
        std::vector<Entry> all(1, Entry{"gap", {}});
        all.front().members.integer("late", static_cast<int64_t>(late_.size()));
        all.front().members.integer("missed", static_cast<int64_t>(missed_)).text("reason", first_trouble_);
        all.insert(all.end(), late_.begin(), late_.end());
        all.insert(all.end(), entries.begin(), entries.end());
        Written last = TRY(log_->append(all, barrier));
        late_.clear();
        missed_ = 0;
        return last;
    }();
    if (written)
        trouble_ = written->not_synced;
    else
        trouble_ = written.error();
    return written;
}

void Trail::keep(std::vector<Entry> entries) {
    if (late_.empty() && missed_ == 0) first_trouble_ = trouble_ ? trouble_->sentence() : "";
    for (Entry& entry : entries)
        if (late_.size() < kMaxLate)
            late_.push_back(std::move(entry));
        else
            ++missed_;
}

}  // namespace cellblock::observe
