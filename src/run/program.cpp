// From code, files or a directory to a Program. What is named may have been written by an earlier program in
// a shared directory, so nothing is opened through links that could have been exchanged meanwhile.
#include "run/program.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>

#include "base/beneath.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "run/language.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReadSize = size_t{16} << 10U;

/// Directories that are left out, with a file beside or in them that tells what they are; "": by their name
/// alone.
struct LeftOut {
    std::string_view name;
    std::string_view beside;
    std::string_view within;
};
// clang-format off
constexpr std::array kLeftOut{
    LeftOut{".git", "", ""},
    LeftOut{".hg", "", ""},
    LeftOut{".svn", "", ""},
    LeftOut{"__pycache__", "", ""},
    LeftOut{".ipynb_checkpoints", "", ""},
    LeftOut{"target", "Cargo.toml", ""},  // what cargo has built
    LeftOut{"", "", "pyvenv.cfg"},        // a virtual environment, whatever it is called
};
// clang-format on

/// Shown as they are: packages are many small files.
constexpr std::string_view kPackages = "node_modules";

Error too_much(const std::string& what) {
    return Error(what + " is more than " + to_text(kMaxProgram) + ", the most that a program may have")
        .with_remedy("Data does not have to be part of a program: show it with --volume.");
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

/// To its end, but never more than `most`.
Result<std::string> read_to_end(int fd, const std::string& name, uint64_t most) {
    std::string bytes;
    char buffer[kReadSize];
    while (true) {
        const ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno_error("read " + printable(name));
        if (n == 0) return bytes;
        bytes.append(buffer, static_cast<size_t>(n));
        if (bytes.size() > most) return too_much(printable(name));
    }
}

/// Files as they come together, with what they may have in all.
class Collection {
  public:
    explicit Collection(Program& program) : program_(program) {}

    Result<void> add(const std::string& path, int fd, const std::string& name) {
        struct stat status {};
        if (::fstat(fd, &status) != 0) return errno_error("look at " + printable(name));
        if (S_ISDIR(status.st_mode)) return Error(printable(name) + " is a directory");
        if (!S_ISREG(status.st_mode))
            return Error(printable(name) + " is no file").with_remedy("Code from a pipe is read with -.");
        if (static_cast<uint64_t>(status.st_size) > left_) return too_much(printable(name));
        return add_content(path, TRY(read_to_end(fd, name, left_)), (status.st_mode & S_IXUSR) != 0);
    }

    Result<void> add_content(const std::string& path, std::string content, bool is_executable) {
        for (const std::string_view built : {kBuiltProgram, kBuiltClasses})
            if (path.substr(0, path.find('/')) == built)
                return Error("a program may have no file " + printable(path) + ": " + std::string(built) +
                             " is what is built of it");
        if (program_.files.size() == kMaxFiles)
            return Error("there are more than " + std::to_string(kMaxFiles) + " files in the program")
                .with_remedy("Data does not have to be part of a program: show it with --volume.");
        if (content.size() > left_) return too_much("the program");
        left_ -= content.size();
        program_.files.push_back({path, std::move(content), is_executable});
        return {};
    }

    [[nodiscard]] Program& program() { return program_; }

  private:
    Program& program_;
    uint64_t left_ = kMaxProgram.count;
};

/// A directory and what is in it.
class Tree {
  public:
    static Result<Tree> open(const std::string& directory, Collection& files) {
        std::error_code error;
        const std::string real = fs::canonical(directory, error).string();
        if (error) return Error("find " + printable(directory), error.value());
        if (real == "/") return Error("a program is not the whole file system");
        return Tree(real, TRY(sys::open(real, O_RDONLY | O_DIRECTORY)), files);
    }

    Result<void> read() { return read_directory("", "", 0); }

    [[nodiscard]] const std::string& root() const { return root_; }

  private:
    Tree(std::string root, UniqueFd fd, Collection& files)
        : root_(std::move(root)), root_fd_(std::move(fd)), files_(files) {}

    /// `real` is the directory's path below the root without links; `path` is what it is called in the
    /// program.
    Result<void> read_directory(const std::string& path, const std::string& real, size_t depth) {
        if (depth > kMaxDepth)
            return Error("there are more than " + std::to_string(kMaxDepth) +
                         " directories within each other: " + name(path));
        const std::vector<std::string> names = TRY(list(path, real));
        entries_ += names.size();
        if (entries_ > kMaxEntries)
            return Error("there are more than " + std::to_string(kMaxEntries) +
                         " files, directories and links in " + name(""))
                .with_remedy("Data does not have to be part of a program: show it with --volume.");
        const std::set<std::string> all(names.begin(), names.end());
        for (const std::string& entry : names) {
            const std::string below = path.empty() ? entry : path + "/" + entry;
            const std::string real_below = real.empty() ? entry : real + "/" + entry;
            TRY(read_entry(below, real_below, all, depth));
        }
        return {};
    }

    Result<void> read_entry(const std::string& path, std::string real, const std::set<std::string>& siblings,
                            size_t depth) {
        struct stat status {};
        UniqueFd fd = TRY(open_beneath(root_fd_.get(), real, O_PATH));
        if (::fstat(fd.get(), &status) != 0) return errno_error("look at " + name(path));
        if (S_ISLNK(status.st_mode)) {
            real = TRY(behind_link(path, real));
            fd = TRY(open_beneath(root_fd_.get(), real, O_PATH));
            if (::fstat(fd.get(), &status) != 0) return errno_error("look at " + name(path));
        }
        if (S_ISDIR(status.st_mode)) {
            const std::string last = fs::path(path).filename().string();
            if (is_left_out(last, real, siblings)) return {};
            if (last == kPackages) return show(path, real, {status.st_dev, status.st_ino});
            return read_directory(path, real, depth + 1);
        }
        if (!S_ISREG(status.st_mode))
            return Error(name(path) + " is neither a file nor a directory")
                .with_remedy("Take it out of the directory.");
        const UniqueFd content = TRY(open_beneath(root_fd_.get(), real, O_RDONLY | O_NONBLOCK));
        return files_.add(path, content.get(), root_ + "/" + path);
    }

    Result<std::vector<std::string>> list(const std::string& path, const std::string& real) {
        UniqueFd fd = TRY(open_beneath(root_fd_.get(), real, O_RDONLY | O_DIRECTORY));
        const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
        if (!directory) return errno_error("read the directory " + name(path));
        (void)fd.release();
        std::vector<std::string> names;
        errno = 0;
        while (const dirent* const entry = ::readdir(directory.get())) {
            const std::string_view found = entry->d_name;
            if (found != "." && found != "..") names.emplace_back(found);
            if (names.size() > kMaxFiles)
                return Error("there are more than " + std::to_string(kMaxFiles) + " files in " + name(path));
        }
        if (errno != 0) return errno_error("read the directory " + name(path));
        std::ranges::sort(names);  // the order is part of what is built
        return names;
    }

    /// The path below the root that a link leads to.
    Result<std::string> behind_link(const std::string& path, const std::string& real) {
        std::error_code error;
        const std::string target = fs::canonical(fs::path(root_) / real, error).string();
        if (error) return Error("follow the link " + name(path), error.value());
        if (!target.starts_with(root_ + "/"))
            return Error("the link " + name(path) + " leads out of the program's directory, to " +
                         printable(target))
                .with_remedy("Put a copy in its place, or show what it leads to with --volume.");
        return target.substr(root_.size() + 1);
    }

    bool is_left_out(const std::string& last, const std::string& real,
                     const std::set<std::string>& siblings) {
        return std::ranges::any_of(kLeftOut, [&](const LeftOut& row) {
            if (!row.name.empty() && row.name != last) return false;
            if (!row.beside.empty()) return siblings.contains(std::string(row.beside));
            return row.within.empty() ||
                   open_beneath(root_fd_.get(), real + "/" + std::string(row.within), O_PATH).ok();
        });
    }

    Result<void> show(const std::string& path, const std::string& real, const jail::Inode& inode) {
        std::vector<Directory>& directories = files_.program().directories;
        if (directories.size() == kMaxDirectories)
            return Error("there are more than " + std::to_string(kMaxDirectories) + " directories " +
                         std::string(kPackages));
        directories.push_back({path, root_ + "/" + real, inode});
        return {};
    }

    [[nodiscard]] std::string name(const std::string& path) const {
        return printable(path.empty() ? root_ : root_ + "/" + path);
    }

    std::string root_;
    UniqueFd root_fd_;
    Collection& files_;
    size_t entries_ = 0;
};

bool has_suffix(const Language& language, std::string_view path) {
    return std::ranges::any_of(language.suffixes, [&](std::string_view suffix) {
        return path.size() > suffix.size() && path.ends_with(suffix);
    });
}

/// Files of the language directly in the directory.
std::vector<std::string> files_on_top(const Language& language, const Program& program) {
    std::vector<std::string> found;
    for (const File& file : program.files)
        if (file.path.find('/') == std::string::npos && has_suffix(language, file.path))
            found.push_back(file.path);
    return found;
}

/// Where a directory's program of this language begins; empty: it has no beginning.
std::string entry_of(const Language& language, const Program& program) {
    for (const std::string_view entry : language.entries)
        if (file_of(program, entry) != nullptr) return std::string(entry);
    std::vector<std::string> found = files_on_top(language, program);
    if (found.empty() && language.any_file_begins)
        for (const File& file : program.files)
            if (has_suffix(language, file.path)) found.push_back(file.path);
    return found.size() == 1 || (language.any_file_begins && !found.empty()) ? found.front() : "";
}

std::string what_begins(const Language& language) {
    std::string text;
    for (const std::string_view entry : language.entries)
        text += (text.empty() ? "" : ", ") + std::string(entry);
    return text + (language.any_file_begins ? ", any *" : ", a single *") + std::string(language.suffixes[0]);
}

Error no_beginning(const std::string& directory, const Language* language) {
    std::string looked_for;
    for (const Language& row : languages())
        if (language == nullptr || language == &row)
            looked_for += (looked_for.empty() ? "" : "; ") + std::string(row.title) + ": " + what_begins(row);
    return Error("the directory " + printable(directory) + " has no file that a program begins with (" +
                 looked_for + ")")
        .with_remedy("Name the file as well: --file DIRECTORY --file DIRECTORY/FILE.");
}

/// A project's own file decides before anything else does.
Result<void> find_beginning(const std::string& directory, const Language* language, Program& program) {
    const auto take = [&](const Language& row, std::string entry) {
        program.language = row.name;
        program.entry = std::move(entry);
    };
    if (language == nullptr)
        for (const Language& row : languages())
            for (const std::string_view project : row.projects)
                if (file_of(program, project) != nullptr) {
                    take(row, std::string(project));
                    return {};
                }
    for (const Language& row : languages()) {
        if (language != nullptr && language != &row) continue;
        if (std::string entry = entry_of(row, program); !entry.empty()) {
            take(row, std::move(entry));
            return {};
        }
    }
    return no_beginning(directory, language);
}

Result<const Language*> language_of(const std::string& wanted, const std::string& name,
                                    std::string_view content) {
    if (!wanted.empty()) return language_named(wanted);
    return guess_language(name, content);
}

Result<Program> from_code(std::string code, const std::string& wanted) {
    if (is_blank(code)) return Error("the program is empty");
    const Language* const language = TRY(language_of(wanted, "", code));
    Program program;
    program.language = language->name;
    program.entry = language->name_of != nullptr ? language->name_of(code) : std::string(language->main_file);
    Collection files(program);
    TRY(files.add_content(program.entry, std::move(code), false));
    return program;
}

/// The deepest directory that all files have in common.
fs::path common_directory(const std::vector<fs::path>& paths) {
    fs::path common = paths.front().parent_path();
    const auto holds = [&](const fs::path& path) {
        const fs::path rest = path.lexically_relative(common);
        return !rest.empty() && *rest.begin() != "..";
    };
    for (const fs::path& path : paths)
        while (!holds(path)) common = common.parent_path();
    return common;
}

Result<Program> from_files(const std::vector<std::string>& paths, const std::string& wanted) {
    std::vector<fs::path> absolute;
    std::error_code error;
    for (const std::string& path : paths) absolute.push_back(fs::absolute(path, error).lexically_normal());
    const fs::path common = common_directory(absolute);
    Program program;
    Collection files(program);
    for (size_t i = 0; i < paths.size(); ++i) {
        const std::string path = absolute[i].lexically_relative(common).string();
        if (file_of(program, path) != nullptr) return Error(printable(paths[i]) + " is named twice");
        // Not to wait for the other end of a FIFO.
        const UniqueFd fd = TRY(sys::open(paths[i], O_RDONLY | O_NONBLOCK));
        TRY(files.add(path, fd.get(), paths[i]));
    }
    const File& first = program.files.front();
    if (is_blank(first.content)) return Error("the program is empty: " + printable(paths.front()));
    const Language* const language = TRY(language_of(wanted, first.path, first.content));
    program.language = language->name;
    program.entry = first.path;
    return program;
}

Result<Program> from_directory(const std::string& directory, const std::vector<std::string>& named,
                               const std::string& wanted) {
    Program program;
    Collection files(program);
    Tree tree = TRY(Tree::open(directory, files));
    TRY(tree.read());
    if (named.empty()) {
        const Language* const language = wanted.empty() ? nullptr : TRY(language_named(wanted));
        TRY(find_beginning(directory, language, program));
        return program;
    }
    std::error_code error;
    const std::string path =
        fs::weakly_canonical(named.front(), error).lexically_relative(tree.root()).string();
    const File* const entry = file_of(program, path);
    if (named.size() > 1 || entry == nullptr)
        return Error(printable(named.back()) + " is not a file of the program in " + printable(directory))
            .with_remedy(
                "With a directory, name at most one file of it: the one that the program begins with.");
    const Language* const language = TRY(language_of(wanted, path, entry->content));
    program.language = language->name;
    program.entry = path;
    return program;
}

Result<Program> from_paths(const Source& source) {
    std::vector<std::string> directories;
    std::vector<std::string> files;
    for (const std::string& path : source.paths) {
        if (path.empty()) return Error("the name of a file is empty");
        std::error_code error;
        (fs::is_directory(path, error) ? directories : files).push_back(path);
    }
    if (directories.size() > 1)
        return Error("a program is in one directory: " + printable(directories[1]) + " is a second one");
    if (directories.empty()) return from_files(files, source.language);
    return from_directory(directories.front(), files, source.language);
}

}  // namespace

Result<Program> read_program(const Source& source) {
    Program program;
    if (source.code) {
        if (source.code->size() > kMaxProgram.count) return too_much("the code");
        program = TRY(from_code(*source.code, source.language));
    } else if (source.code_fd >= 0) {
        std::string code = TRY(read_to_end(source.code_fd, "the code on standard input", kMaxProgram.count));
        program = TRY(from_code(std::move(code), source.language));
    } else {
        if (source.paths.empty()) return Error("there is no program: neither code nor files");
        program = TRY(from_paths(source));
    }
    return program;
}

}  // namespace cellblock::run
