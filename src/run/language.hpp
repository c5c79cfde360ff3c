// The table of languages: how each is recognised, where its toolchain is found, and how a program of it is
// built and run. Nothing here executes anything on the host: toolchains are found by looking at files, and
// what they are asked, they are asked in a jail.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"
#include "run/program.hpp"

namespace cellblock::run {

/// One program to execute inside: argv[0] is a path there.
struct Invocation {
    std::vector<std::string> argv;
    std::vector<std::string> environment;  ///< "NAME=value", beside what every program gets
};

/// A toolchain of the host.
struct Toolchain {
    std::string path;                   ///< its main program, without links, as it is shown inside
    std::string id;                     ///< another one whenever the toolchain is: part of every key
    std::vector<jail::Mount> mounts;    ///< what it needs beside the base system
    std::optional<Invocation> version;  ///< prints its version
};

/// What a toolchain needs once and not for every program, such as Go's standard library, compiled. It runs in
/// a jail without anything of the user's; what it leaves in `target` is kept and shown there, read-only, to
/// builds.
struct Preparation {
    std::string key;  ///< a store_key() of the toolchain's id and whatever else it depends on
    std::vector<File> files;
    std::vector<Invocation> steps;
    std::string target;  ///< absolute; a directory that the steps may write, and nobody afterwards
    std::chrono::seconds time{600};
};

/// How a program comes to run.
struct Recipe {
    std::optional<Preparation> preparation;
    /// One after the other, in the program's directory; empty: nothing to build.
    std::vector<Invocation> build;
    /// Files below that directory, or directories with all in them, that a build leaves; nothing else of it
    /// is there when the program runs.
    std::vector<std::string> artifacts;
    bool needs_sources = true;    ///< the program's own files are there, too, when it runs
    bool needs_toolchain = true;  ///< and so is the toolchain
    Invocation run;               ///< the program's arguments follow
};

/// Where toolchains are looked for.
struct Search {
    std::vector<std::string> path;  ///< directories, in order: $PATH and what a language adds
    std::string home;
    std::string python;                ///< interpreter to use; empty: the first one found
    const Program* program = nullptr;  ///< whose files may say which toolchain they want
};

struct Language {
    std::string_view name;                       ///< as --lang has it
    std::string_view title;                      ///< as people write it
    std::span<const std::string_view> suffixes;  ///< of file names, ".py"
    std::span<const std::string_view> programs;  ///< in first lines "#!…"
    std::span<const std::string_view> projects;  ///< files that make a directory a project: "go.mod"
    std::string_view main_file;                  ///< what code is called that has no name
    /// What a directory begins with: the first of these that it has, else its only file with one of the
    /// suffixes; where `any_file_begins`, the first of several.
    std::span<const std::string_view> entries;
    bool any_file_begins;
    /// A better name than `main_file` for this code; nullptr: there is none.
    std::string (*name_of)(std::string_view code);
    /// The error says what was looked for, where, and how to get it.
    Result<Toolchain> (*find)(const Search& search);
    /// `limits` are those of the jail that it runs in: some runtimes must be told what they may use.
    Result<Recipe> (*plan)(const Toolchain& toolchain, const Program& program, const jail::Limits& limits);
    jail::Limits build_limits;  ///< of the jail that it is built in
    std::chrono::seconds build_time;
};

std::span<const Language> languages();
/// Error with the nearest name, or all of them.
Result<const Language*> language_named(std::string_view name);
/// By a file's name, else by its first line.
Result<const Language*> guess_language(std::string_view file_name, std::string_view content);

}  // namespace cellblock::run
