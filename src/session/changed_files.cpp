// Sentences are for the notebook; the work is done in src/changes.
#include "session/changed_files.hpp"

#include <algorithm>
#include <ctime>

#include "base/sys.hpp"
#include "changes/apply.hpp"
#include "changes/names.hpp"

namespace cellblock::session {
namespace {

/// Paths that one note names, and sentences that are remembered as told.
constexpr size_t kNamedPaths = 5;
constexpr size_t kMaxTold = 1000;

constexpr const char* kLook = "\"cellblock diff\" shows it, \"cellblock apply\" carries it over to the host.";

std::string described(const changes::Outcome& outcome) {
    switch (outcome.answer) {
        case changes::Answer::protected_name:
            return changes::printable(outcome.path) + " (protected: " + outcome.reason + ")";
        default:
            return changes::printable(outcome.path) + " (" + outcome.reason + ")";
    }
}

}  // namespace

Result<std::unique_ptr<ChangedFiles>> ChangedFiles::create(const Options& options, int layer_fd) {
    auto recorder = TRY(changes::Recorder::create(options.recorder));
    UniqueFd layer = TRY(sys::duplicate(layer_fd));
    return std::unique_ptr<ChangedFiles>(
        new ChangedFiles(std::move(recorder), std::move(layer), options.carries_over));
}

void ChangedFiles::before_cell() {
    // The exact clock: file systems may be exact, too, and what came before must not look as if it came
    // after.
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    cell_began_ns_ = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::vector<std::string> ChangedFiles::after_cell() {
    const std::lock_guard lock(mutex_);
    const Findings findings = record(changes::Recorder::Pass::quick);
    const auto is_new = [this](const std::string& text) {
        return told_.size() < kMaxTold && told_.insert(text).second;
    };
    std::vector<std::string> notes;
    std::ranges::copy_if(findings.sentences, std::back_inserter(notes), is_new);
    std::vector<std::string> left;
    std::ranges::copy_if(findings.left, std::back_inserter(left), is_new);
    if (left.empty()) return notes;
    std::string text = carries_over_ ? "not carried over to the host's directory: " : "not kept: ";
    for (size_t i = 0; i < std::min(left.size(), kNamedPaths); ++i) text += (i == 0 ? "" : ", ") + left[i];
    if (left.size() > kNamedPaths) text += " and " + std::to_string(left.size() - kNamedPaths) + " more";
    notes.push_back(text + (carries_over_ ? std::string(". ") + kLook : "."));
    return notes;
}

void ChangedFiles::at_end() {
    const std::lock_guard lock(mutex_);
    // Nobody reads notes any more; what was not carried over is listed by `cellblock diff`.
    record(changes::Recorder::Pass::thorough);
}

ChangedFiles::Findings ChangedFiles::record(changes::Recorder::Pass pass) {
    Findings findings;
    if (auto recorded = recorder_->record(layer_.get(), pass, cell_began_ns_); !recorded) {
        findings.sentences.push_back("what was written beside the notebook could not be kept: " +
                                     recorded.error().sentence());
        return findings;
    }
    const changes::Set& set = recorder_->set();
    if (!set.header().complete)
        findings.sentences.push_back("more than " + std::to_string(changes::kMaxChanges) +
                                     " files beside the notebook were changed; not all of them are kept");
    if (set.changes().empty()) return findings;
    if (carries_over_) {
        carry_over(findings);
        return findings;
    }
    findings.sentences.push_back(
        std::string("what cells write beside the notebook is kept apart from the host's files. ") + kLook);
    for (const changes::Change& change : set.changes())
        if (!change.not_saved.empty())
            findings.left.push_back(changes::printable(change.path) + " (" + change.not_saved + ")");
    return findings;
}

void ChangedFiles::carry_over(Findings& findings) {
    const auto carried = [&]() -> Result<std::vector<changes::Outcome>> {
        const UniqueFd held = TRY(recorder_->set().lock());
        return changes::apply(recorder_->set(), recorder_->directory_fd(), {});
    }();
    if (!carried) {
        findings.sentences.push_back("what was written beside the notebook stays apart: " +
                                     carried.error().sentence());
        return;
    }
    for (const changes::Outcome& outcome : *carried)
        if (outcome.answer != changes::Answer::applied) findings.left.push_back(described(outcome));
}

}  // namespace cellblock::session
