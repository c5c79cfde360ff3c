// Every act is relative to a descriptor of the parent directory, which open_beneath() has found without
// following links; the name in it is never followed either.
#include "changes/apply.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/sys.hpp"
#include "changes/names.hpp"

namespace cellblock::changes {
namespace {

/// Of what is new, nobody but the owner gets more than to read and execute.
constexpr mode_t kModeOfOthers = 0755;

class Applier {
  public:
    Applier(Set& set, int directory_fd, const Selection& selection)
        : set_(set), directory_fd_(directory_fd), selection_(selection) {}

    Result<std::vector<Outcome>> run() {
        // What is deleted goes first, children before their directory, as it was recorded; something else may
        // take its place. Then directories before what they hold.
        std::vector<const Change*> others;
        for (const Change& change : set_.changes()) {
            if (!is_selected(selection_, change.path)) continue;
            if (change.kind == Kind::deleted)
                take(change);
            else
                others.push_back(&change);
        }
        std::ranges::sort(others, {}, &Change::path);
        for (const Change* change : others) take(*change);
        if (!selection_.dry_run && !applied_.empty()) {
            std::vector<Change> left;
            for (const Change& change : set_.changes())
                if (!applied_.contains(change.path)) left.push_back(change);
            TRY(set_.write(std::move(left), set_.header().complete));
        }
        return std::move(outcomes_);
    }

  private:
    void take(const Change& change) {
        Outcome outcome = judge(change);
        if (outcome.answer == Answer::applied && !selection_.dry_run)
            if (auto done = carry_over(change); !done)
                outcome = {change.path, Answer::failed, done.error().sentence()};
        if (outcome.answer == Answer::applied) take_note(change.path);
        outcomes_.push_back(std::move(outcome));
    }

    [[nodiscard]] Outcome judge(const Change& change) {
        const auto say = [&](Answer answer, std::string reason) {
            return Outcome{change.path, answer, std::move(reason)};
        };
        const bool named = std::ranges::find(selection_.paths, change.path) != selection_.paths.end();
        if (const ProtectedName* row = protections_.find(change.path); row && !named)
            return say(Answer::protected_name, std::string(row->reason));
        const bool makes_something = change.kind != Kind::deleted;
        if (makes_something && (change.type == Type::symlink || change.type == Type::other))
            return say(Answer::refused,
                       change.type == Type::symlink
                           ? "symbolic links are not carried over: what follows them later would "
                             "be led where the cell wants"
                           : "only files and directories are carried over");
        if (!change.not_saved.empty()) return say(Answer::refused, "it was not kept: " + change.not_saved);
        if (!selection_.over_conflicts && !is_unchanged(change.base, look(directory_fd_, change.path)))
            return say(Answer::conflict, "the host's was changed since the cell began to");
        return say(Answer::applied, "");
    }

    Result<void> carry_over(const Change& change) {
        if (change.kind != Kind::deleted) TRY(make_parents(change.path));
        const UniqueFd parent =
            TRY(open_beneath(directory_fd_, parent_of(change.path), O_RDONLY | O_DIRECTORY));
        const std::string name = name_of(change.path);
        if (change.kind == Kind::deleted) return remove(parent.get(), change, name);
        if (change.kind == Kind::mode) return set_mode(change);
        if (change.type == Type::directory) return make_directory(parent.get(), change, name);
        return replace_file(parent.get(), change, name);
    }

    /// A file that is named alone may lie in a directory that the cell has made, too.
    Result<void> make_parents(const std::string& path) {
        const std::string parent = parent_of(path);
        if (parent.empty() || look(directory_fd_, parent).exists) return {};
        const auto made = std::ranges::find_if(set_.changes(), [&](const Change& other) {
            return other.path == parent && other.type == Type::directory && other.kind != Kind::deleted;
        });
        if (made == set_.changes().end())
            return Error("there is no directory " + printable(parent) + " any more");
        TRY(make_parents(parent));
        const UniqueFd above = TRY(open_beneath(directory_fd_, parent_of(parent), O_RDONLY | O_DIRECTORY));
        TRY(make_directory(above.get(), *made, name_of(parent)));
        take_note(parent);
        return {};
    }

    void take_note(const std::string& path) {
        applied_.insert(path);
        if (!selection_.dry_run) set_.note_applied(path, look(directory_fd_, path));
    }

    static Result<void> remove(int parent_fd, const Change& change, const std::string& name) {
        const int flags = change.type == Type::directory ? AT_REMOVEDIR : 0;
        if (::unlinkat(parent_fd, name.c_str(), flags) != 0 && errno != ENOENT)
            return errno_error("remove " + printable(change.path));
        return {};
    }

    static mode_t allowed_mode(const Change& change) {
        if (!change.base.exists) return change.mode & kModeOfOthers;
        // What was private stays so; who may read it may come to execute it.
        return change.mode & (S_IRWXU | change.base.mode | ((change.base.mode & 0044U) >> 2U));
    }

    Result<void> set_mode(const Change& change) const {
        // By the descriptor: the name may lead elsewhere a moment later.
        const UniqueFd fd = TRY(open_beneath(directory_fd_, change.path, O_PATH));
        struct stat info {};
        if (::fstat(fd.get(), &info) != 0 || S_ISLNK(info.st_mode))
            return Error("change the mode of " + printable(change.path) + ": it is a symbolic link by now");
        const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
        if (::chmod(self.c_str(), allowed_mode(change)) != 0)
            return errno_error("change the mode of " + printable(change.path));
        return {};
    }

    static Result<void> make_directory(int parent_fd, const Change& change, const std::string& name) {
        if (change.base.exists) TRY(clear_place(parent_fd, change, name));
        if (::mkdirat(parent_fd, name.c_str(), 0700) != 0 && errno != EEXIST)
            return errno_error("create " + printable(change.path));
        const UniqueFd made = TRY(open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY));
        TRY(give(parent_fd, made.get()));
        if (::fchmod(made.get(), allowed_mode(change)) != 0)
            return errno_error("change the mode of " + printable(change.path));
        return {};
    }

    /// Something of another type stood there.
    static Result<void> clear_place(int parent_fd, const Change& change, const std::string& name) {
        const int flags = change.base.type == Type::directory ? AT_REMOVEDIR : 0;
        if (::unlinkat(parent_fd, name.c_str(), flags) != 0 && errno != ENOENT)
            return errno_error("replace " + printable(change.path));
        return {};
    }

    /// Root's files beside those of a user would be of no use to them.
    static Result<void> give(int parent_fd, int fd, const struct stat* like = nullptr) {
        if (::geteuid() != 0) return {};
        struct stat info {};
        if (!like && ::fstat(parent_fd, &info) != 0) return errno_error("look at a directory");
        const struct stat& owner = like ? *like : info;
        if (::fchown(fd, owner.st_uid, owner.st_gid) != 0) return errno_error("give the file to its owner");
        return {};
    }

    Result<void> replace_file(int parent_fd, const Change& change, const std::string& name) {
        const UniqueFd contents = TRY(set_.open_blob(change.blob));
        const std::string fresh = ".cellblock-" + std::to_string(::getpid()) + "-" + std::to_string(++fresh_);
        UniqueFd file = TRY(sys::open_at(parent_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        auto written = fill(parent_fd, file.get(), contents.get(), change, name);
        if (written && change.base.exists && change.base.type == Type::directory)
            written = clear_place(parent_fd, change, name);
        if (written && ::renameat(parent_fd, fresh.c_str(), parent_fd, name.c_str()) != 0)
            written = errno_error("replace " + printable(change.path));
        if (!written) ::unlinkat(parent_fd, fresh.c_str(), 0);
        return written;
    }

    static Result<void> fill(int parent_fd, int file, int contents, const Change& change,
                             const std::string& name) {
        TRY(copy_contents(contents, file, change.size));
        struct stat old {};
        const bool replaces =
            ::fstatat(parent_fd, name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode);
        TRY(give(parent_fd, file, replaces ? &old : nullptr));
        if (::fchmod(file, allowed_mode(change)) != 0)
            return errno_error("change the mode of " + printable(change.path));
        return {};
    }

    Set& set_;
    const int directory_fd_;
    const Selection& selection_;
    std::vector<Outcome> outcomes_;
    std::set<std::string> applied_;
    Protections protections_;
    unsigned fresh_ = 0;
};

}  // namespace

std::string_view to_text(Answer answer) {
    switch (answer) {
        case Answer::applied:
            return "applied";
        case Answer::conflict:
            return "conflict";
        case Answer::protected_name:
            return "protected";
        case Answer::refused:
            return "refused";
        case Answer::failed:
            return "failed";
    }
    UNREACHABLE();
}

bool is_selected(const Selection& selection, const std::string& path) {
    return selection.paths.empty() || std::ranges::any_of(selection.paths, [&](const std::string& named) {
               return is_below(path, named);
           });
}

Result<std::vector<Outcome>> apply(Set& set, int directory_fd, const Selection& selection) {
    return Applier(set, directory_fd, selection).run();
}

}  // namespace cellblock::changes
