// Steps of finding a toolchain that languages share. Files are looked at, nothing is executed.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "run/language.hpp"

namespace cellblock::run {

/// A program of the host. Scripts are none: a shim that starts another program needs its own home.
struct FoundProgram {
    std::string named;  ///< where it was found
    std::string real;   ///< without links
};

/// Every `name` in the directories of `search.path`, then in `well_known`, in this order. "~/" there is the
/// home directory, and one "*" stands for every directory that has the rest, later versions first.
std::vector<FoundProgram> find_programs(const Search& search, std::string_view name,
                                        std::span<const std::string_view> well_known);
/// The same directories, as an error names them.
Error no_toolchain(const Search& search, std::string_view what, std::span<const std::string_view> well_known,
                   std::string_view how_to_get_it);

/// What distinguishes these files from others of their names and from later versions of themselves. Those
/// that are not there are a fact, too.
std::string identity_of(std::span<const std::string> paths);

/// Mounts that show these files or directories at their own places, beside the base system. An error when one
/// cannot be shown without showing more than a toolchain.
Result<std::vector<jail::Mount>> show_in_place(const Search& search, std::span<const std::string> paths);

/// Orders "v20.9.1" before "v20.10.0".
bool is_earlier_version(std::string_view a, std::string_view b);

/// The program's file of this path, or nullptr.
const File* file_of(const Program& program, std::string_view path);
/// Paths of all files whose names end so.
std::vector<std::string> paths_with_suffix(const Program& program, std::string_view suffix);

/// The same paths as arguments of a tool: of "-o.go" and "@list.java" it would make options of its own.
std::vector<std::string> as_arguments(std::vector<std::string> paths);

/// What builds leave in the program's directory; no file of a program has such a name.
inline constexpr std::string_view kBuiltProgram = ".cellblock-program";
inline constexpr std::string_view kBuiltClasses = ".cellblock-classes";

/// A path below the program's directory as it is inside.
std::string inside(std::string_view path);

}  // namespace cellblock::run
