// A program as somebody hands it in: its files, and where it begins.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::run {

/// All files of a program together, and of what a build makes of them.
inline constexpr Bytes kMaxProgram = 64_MiB;
inline constexpr Bytes kMaxArtifacts = 256_MiB;
inline constexpr size_t kMaxFiles = 4096;
/// Directories within directories, and such as are shown instead of being copied.
inline constexpr size_t kMaxDepth = 32;
inline constexpr size_t kMaxDirectories = 16;
/// Files, directories and links that are looked at, also on the way to nothing: links between directories
/// make more paths than anybody could follow.
inline constexpr size_t kMaxEntries = 4 * kMaxFiles;
/// What we read of a program ourselves before its toolchain does (its imports, its package.json): what that
/// makes of memory is ours, and in no jail.
inline constexpr Bytes kMaxUnderstood = 1_MiB;

/// A file below the directory that a program runs in.
using File = jail::HomeFile;

/// A directory of the host, with too much in it to be copied, that is shown read-only where the program
/// expects it: node_modules. What it holds is in no key: results of such a program are not kept.
struct Directory {
    std::string path;    ///< relative to the program's directory
    std::string source;  ///< absolute, without links
    jail::Inode inode;   ///< who writes beside it may exchange it for a link
};

struct Program {
    std::string language;  ///< a name of the table of languages
    std::vector<File> files;
    /// The path of the file that it begins with; for projects, the one that says so (go.mod).
    std::string entry;
    std::vector<Directory> directories;
};

/// Where a program comes from: one of the three.
struct Source {
    std::optional<std::string> code;
    int code_fd = -1;  ///< code is read from it to its end
    /// Files, the first of which the program begins with; or one directory, and with it perhaps the file in
    /// it that the program begins with.
    std::vector<std::string> paths;
    std::string language;  ///< empty: by names, first lines and project files
};

/// Reads no more than kMaxProgram. Of directories, what tools have made of the sources (target, __pycache__,
/// .git …) is left out; links are followed within the directory, and refused when they lead out of it.
Result<Program> read_program(const Source& source);

}  // namespace cellblock::run
