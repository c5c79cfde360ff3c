// Python: nothing to build. The environment is found as a kernel finds it, so a venv's packages are there.
#include <array>
#include <filesystem>

#include "run/languages/rows.hpp"
#include "run/toolchain.hpp"
#include "session/python_env.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;
namespace fs = std::filesystem;

constexpr std::array kSuffixes{".py"sv, ".pyw"sv};
constexpr std::array kPrograms{"python3"sv, "python"sv};
constexpr std::array kEntries{"__main__.py"sv, "main.py"sv};
constexpr std::array kNames{"python3"sv, "python"sv};
constexpr std::array kWellKnown{"/usr/local/bin"sv, "/usr/bin"sv};

/// The interpreters of the search, in order; what stands behind a shim of pyenv instead of it.
std::vector<std::string> candidates(const Search& search, const session::HostFacts& host) {
    std::vector<std::string> found;
    std::vector<std::string> directories = search.path;
    directories.insert(directories.end(), kWellKnown.begin(), kWellKnown.end());
    for (const std::string& directory : directories) {
        if (!directory.starts_with('/')) continue;
        for (const std::string_view name : kNames) {
            const fs::path path = fs::path(directory) / name;
            std::error_code error;
            if (!fs::exists(path, error)) continue;
            const std::string behind = session::interpreter_behind_shim(path.string(), host);
            found.push_back(behind.empty() ? path.string() : behind);
        }
    }
    return found;
}

Result<session::PythonEnvironment> resolve(const Search& search) {
    const session::HostFacts host = session::read_host_facts();
    if (!search.python.empty()) return session::resolve_interpreter(search.python, host);
    std::optional<Error> first;
    for (const std::string& path : candidates(search, host)) {
        auto environment = session::resolve_interpreter(path, host);
        if (environment) return environment;
        if (!first) first = std::move(environment).error();
    }
    if (first) return *std::move(first);
    return no_toolchain(search, "Python (python3)", kWellKnown,
                        "Install Python 3.9 or newer, or name an interpreter with --python.");
}

Result<Toolchain> find(const Search& search) {
    session::PythonEnvironment environment = TRY(resolve(search));
    std::vector<std::string> facts{environment.interpreter, environment.prefix + "/pyvenv.cfg"};
    facts.insert(facts.end(), environment.site_packages.begin(), environment.site_packages.end());
    Toolchain toolchain;
    toolchain.path = environment.interpreter;
    toolchain.id = "python " + environment.version + "\n" + identity_of(facts);
    for (const std::string& path : environment.mounts) toolchain.mounts.push_back({path, path});
    toolchain.version = Invocation{{toolchain.path, "--version"}, {}};
    return toolchain;
}

Result<Recipe> plan(const Toolchain& toolchain, const Program& program, const jail::Limits& /*limits*/) {
    Recipe recipe;
    recipe.run.argv = {toolchain.path, inside(program.entry)};  // it may run in another directory
    recipe.run.environment = {
        // Output arrives when it is written, and what was written before a timeout is not lost.
        "PYTHONUNBUFFERED=1",
        // The directory goes away with the program.
        "PYTHONDONTWRITEBYTECODE=1",
    };
    return recipe;
}

}  // namespace

const Language kPython{
    .name = "python",
    .title = "Python",
    .suffixes = kSuffixes,
    .programs = kPrograms,
    .projects = {},
    .main_file = "main.py",
    .entries = kEntries,
    .any_file_begins = false,
    .name_of = nullptr,
    .find = find,
    .plan = plan,
    .build_limits = {},
    .build_time = {},
};

}  // namespace cellblock::run
