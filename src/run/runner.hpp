// From a program to its outcome: prepare the toolchain, build, run. run_program() is the page to read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "run/container.hpp"
#include "run/language.hpp"
#include "run/line_map.hpp"
#include "run/program.hpp"
#include "run/store.hpp"
#include "run/streams.hpp"
#include "run/verdict.hpp"

namespace cellblock::run {

/// What a compiler writes is kept up to here.
inline constexpr Bytes kCompilerOutput = 1_MiB;

/// One program, and all that decides about how it runs.
struct Job {
    const Language* language = nullptr;
    Toolchain toolchain;
    Program program;
    std::vector<std::string> arguments;
    std::vector<std::string> variables;  ///< "NAME=value", beside what every program gets
    /// Level, backend, Landlock, limits, network: what is asked for. Its mounts are the volumes.
    jail::Plan plan;
    std::string working_directory{kProgramDirectory};
    Bounds bounds;
    int stdin_fd = -1;
    int stop_fd = -1;
    bool keeps_builds = true;
    LineMap lines;  ///< of a template that the program was put into
};

struct Compiled {
    bool cached = false;  ///< an earlier build of the same is used; nothing else is known then
    Verdict verdict = Verdict::ok;
    std::string explanation;
    Ending ending;
    std::string out, err;
};

struct Outcome {
    Verdict verdict = Verdict::internal;
    std::string explanation;
    std::optional<Compiled> compile;  ///< none: there is nothing to build in this language
    std::optional<Ending> ending;     ///< none: it did not run
    jail::Level level = jail::Level::full;
    jail::Backend backend = jail::Backend::native;
    bool has_landlock = true;

    [[nodiscard]] int exit_status() const;
};

/// Told what takes its time before a program runs.
class Progress {
  public:
    virtual ~Progress() = default;
    virtual void begins(std::string_view what) = 0;
    /// The program runs from here on. `container` is its own, until run_program() returns.
    virtual Result<void> program_begins(Container& container) = 0;
};

/// Builds and runs it. An error: no jail could be made, or the program not be executed; nothing of the user's
/// ran, or the jail failed and nothing is known.
Result<Outcome> run_program(const Job& job, const Store& store, Sink& sink, Progress& progress);

/// All that a program consists of, for a key. The views point into it.
std::vector<std::string_view> parts_of(const Program& program);

/// The variables that every program gets.
std::vector<std::string> program_environment();

}  // namespace cellblock::run
