// Limits that programs meet as an errno: the note says which limit it was. How full a file system is, is the
// kernel of Linux's word; that a cell has met a limit of open files or of the size of a file is the worker's,
// so there the note says no more than what is allowed. In executors' threads.
#include <cerrno>

#include "protocol/json_scan.hpp"
#include "session/session.hpp"

namespace cellblock::session {
namespace {

/// The number of an OSError that ended the cell, as Python writes it; 0 for none.
bool ended_with(const Reply* reply, int number) {
    if (!reply || reply->status != protocol::ReplyStatus::error) return false;
    return protocol::text_member(reply->content, "evalue")
        .starts_with("[Errno " + std::to_string(number) + "]");
}

bool is_scratch(const jail::Space& space) {
    return space.path == "/tmp";
}

std::string name_of(const jail::Space& space) {
    return is_scratch(space) ? "/tmp and the home directory together" : std::string(space.path);
}

std::string fill_of(const jail::Space& space) {
    return name_of(space) + " hold " + to_text(space.used) + " of the " + to_text(space.size) +
           " allowed and " + std::to_string(space.files) + " of " + std::to_string(space.max_files) +
           " files";
}

std::string_view option_of(const jail::Space& space, bool bytes) {
    if (!bytes) return "--scratch-files";
    return is_scratch(space) ? "--scratch" : "--shared-memory";
}

}  // namespace

void Session::note_full_space(uint64_t id, const jail::Space& space) {
    if (space.has_no_bytes())
        note_limit_met(id, {is_scratch(space) ? "scratch" : "shared_memory", LimitHit::Unit::bytes,
                            static_cast<int64_t>(space.size.count), static_cast<int64_t>(space.used.count)});
    if (space.has_no_files())
        note_limit_met(id, {"scratch_files", LimitHit::Unit::count, static_cast<int64_t>(space.max_files),
                            static_cast<int64_t>(space.files)});
}

void Session::tell_of_full_spaces(uint64_t id, const Reply* reply) {
    std::vector<jail::Space> spaces;
    {
        const std::lock_guard lock(jail_mutex_);
        if (jail_) spaces = jail_->spaces();
    }
    const bool met = ended_with(reply, ENOSPC);
    bool any_full = false;
    for (size_t i = 0; i < spaces.size(); ++i) {
        const bool full = spaces[i].has_no_bytes() || spaces[i].has_no_files();
        any_full = any_full || full;
        const unsigned bit = 1U << i;
        bool told = false;
        {
            const std::lock_guard lock(mutex_);
            told = (full_spaces_ & bit) != 0;
            full_spaces_ = full ? full_spaces_ | bit : full_spaces_ & ~bit;
        }
        if (!full || (!met && told)) continue;
        note_full_space(id, spaces[i]);
        note(id, std::string("no ") + (spaces[i].has_no_bytes() ? "space" : "file") +
                     " is left: " + fill_of(spaces[i]) + ". Remove files, or " +
                     config_.how_to_raise(option_of(spaces[i], spaces[i].has_no_bytes())));
    }
    if (met && !any_full)
        // What filled it was removed again.
        for (const jail::Space& space : spaces) note(id, fill_of(space) + " now");
    if (ended_with(reply, EMFILE))
        note(id, "a process may have " + std::to_string(config_.plan.limits.open_files) +
                     " files open. To allow more, " + config_.how_to_raise("--open-files"));
    if (ended_with(reply, EFBIG))
        note(id, "one file may have " + to_text(config_.plan.limits.file_size) + ". To allow more, " +
                     config_.how_to_raise("--file-size"));
}

}  // namespace cellblock::session
