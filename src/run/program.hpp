// A program as somebody hands it in: its files, and where it begins.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace cellblock::run {

/// All files of a program together, and of what a build makes of them.
inline constexpr Bytes kMaxProgram = 64_MiB;
inline constexpr Bytes kMaxArtifacts = 256_MiB;
inline constexpr size_t kMaxFiles = 4096;

/// A file below the directory that a program runs in.
struct File {
    std::string path;  ///< relative, without "." and ".."
    std::string content;
    bool is_executable = false;
};

struct Program {
    std::string language;  ///< a name of the table of languages
    std::vector<File> files;
    std::string entry;  ///< the path of the file that it begins with; for projects, the one that says so (go.mod)
};

}  // namespace cellblock::run
