// Limits are settings of the table in src/profile, under the names that tools of this kind have, with
// defaults for single programs instead of notebooks.
#include "cli/run_options.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "base/printable.hpp"
#include "base/sys.hpp"
#include "cli/profile_places.hpp"
#include "profile/settings.hpp"
#include "run/places.hpp"
#include "run/template.hpp"
#include "session/python_env_shown.hpp"

namespace cellblock::cli {
namespace {

/// A setting as an option of this command.
struct RunSetting {
    const char* key;
    const char* flag;
    const char* value;  ///< when nobody says otherwise; nullptr: that of the configuration
    const char* meaning;
    const char* group;
};

/// Before the umask, as of any file that somebody has made.
constexpr mode_t kResultMode = 0666;
constexpr const char* kLimits = "Limits";
constexpr const char* kNetwork = "Network";
constexpr const char* kIsolation = "Isolation and audit";
// clang-format off
constexpr std::array kSettings{
    RunSetting{"limits.wall_time", "--timeout", "10s", "how long it may run, e.g. 500ms, 5s, or none", kLimits},
    RunSetting{"limits.memory", "--memory", "512MiB", "memory of the program and all that it starts together", kLimits},
    RunSetting{"limits.cpu_time", "--cpu-time", "none", "CPU time that all of them together may use, e.g. 2s, or none", kLimits},
    RunSetting{"limits.cpus", "--cpus", "all", "CPU time per second, in cores, e.g. 1.5, or all", kLimits},
    RunSetting{"limits.scratch", "--disk", "64MiB", "size of /tmp and the home directory together; they are memory, too", kLimits},
    RunSetting{"limits.processes", "--procs", "128", "processes and threads", kLimits},
    RunSetting{"limits.output", "--output-limit", "8MiB", "what it may write to each of stdout and stderr", kLimits},
    RunSetting{"limits.open_files", "--open-files", nullptr, "files that one process may have open", kLimits},
    RunSetting{"limits.file_size", "--file-size", nullptr, "size of one file", kLimits},
    RunSetting{"limits.soft_memory", nullptr, "none", nullptr, nullptr},
    RunSetting{"network.mode", "--network", "none", "none; localhost: a loopback interface of its own; allow: and what --allow-dns names", kNetwork},
    RunSetting{"isolation.level", "--isolation", nullptr, "full: hard limits through cgroups; namespaced: memory is sampled", kIsolation},
    RunSetting{"isolation.backend", "--backend", nullptr, "who makes the jail: native, or bwrap or runsc, which provide less", kIsolation},
    RunSetting{"isolation.landlock", "--landlock", nullptr, "the second lock behind the mounts: required, or optional", kIsolation},
    RunSetting{"audit.path", "--audit", nullptr, "where an audit log is written: a directory, default for the user's own, or none", kIsolation},
};
// clang-format on

const profile::Setting& setting_of(const RunSetting& row) {
    const profile::Setting* const setting = profile::find_setting(row.key);
    CHECK(setting != nullptr);
    return *setting;
}

std::string default_text(const RunSetting& row) {
    return row.value ? " (default: " + std::string(row.value) + ")" : "";
}

void declare_program(CLI::App& app, RunOptions& options) {
    const std::string group = "Program";
    app.add_option("program", options.program,
                   "a file, a directory with a project, or - for code on standard input")
        ->type_name("PROGRAM");
    app.add_option("--lang", options.language, "its language (default: as its name or first line says)")
        ->type_name("LANGUAGE")
        ->group(group);
    app.add_option_function<std::string>(
           "--code",
           [&options](const std::string& code) {
               options.code = code;
               options.has_code = true;
           },
           "the program itself")
        ->type_name("CODE")
        ->group(group);
    app.add_option("--file", options.files,
                   "one of its files, the first one being where it begins; may be repeated")
        ->type_name("FILE")
        ->allow_extra_args(false)
        ->group(group);
    app.add_option("--template", options.program_template,
                   "put it into a template, a file with {{code}} in it or one of those that ship: tests")
        ->type_name("NAME|FILE")
        ->group(group);
    app.add_option("--set", options.values,
                   "another value of the template, NAME=@FILE for the contents of a file; may be repeated")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false)
        ->group(group);
    app.add_option("--arg", options.arguments,
                   "an argument for it; may be repeated, --arg=-x for one with a hyphen")
        ->type_name("ARG")
        ->allow_extra_args(false)
        ->group(group);
    app.add_option("--env", options.variables, "an environment variable for it; may be repeated")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false)
        ->group(group);
    app.add_option("--stdin", options.stdin_file,
                   "what it reads (default: our standard input, unless that is the code)")
        ->type_name("FILE")
        ->group(group);
    app.add_option("--python", options.python, "interpreter for Python, e.g. of a virtual environment")
        ->type_name("PATH")
        ->group(group);
}

void declare_surroundings(CLI::App& app, RunOptions& options) {
    const std::string group = "Files and caches";
    app.add_option("--volume", options.volumes,
                   "show a file or directory of the host; ro if nothing is said; may be repeated")
        ->type_name("SOURCE:TARGET[:ro|rw]")
        ->allow_extra_args(false)
        ->group(group);
    app.add_option(
           "--workspace", options.workspace,
           "a directory that is kept between runs, at /workspace, which is where the program runs then")
        ->type_name("NAME")
        ->group(group);
    app.add_option("--workdir", options.working_directory, "the directory that it runs in")
        ->type_name("DIRECTORY")
        ->group(group);
    app.add_flag("--cache", options.caches_results,
                 "give an earlier result of exactly the same run instead of running it, where there is one")
        ->group(group);
    app.add_flag("--no-compile-cache", options.keeps_no_builds,
                 "compile anew, and do not keep what comes of it")
        ->group(group);
}

void declare_settings(CLI::App& app, RunOptions& options) {
    for (const RunSetting& row : kSettings) {
        if (!row.flag) continue;
        const profile::Setting& setting = setting_of(row);
        app.add_option_function<std::string>(
               row.flag,
               [&options, &setting, flag = std::string(row.flag)](const std::string& text) {
                   session::LaunchOptions checked;
                   if (const auto applied = profile::apply(setting, text, checked); !applied)
                       throw CLI::ValidationError(flag, applied.error().sentence());
                   options.settings[std::string(setting.key)] = text;
               },
               row.meaning + default_text(row))
            ->type_name(std::string(setting.value))
            ->group(row.group);
    }
    app.add_option_function<std::vector<std::string>>(
           "--allow-dns",
           [&options](const std::vector<std::string>& names) {
               std::string& list = options.settings["network.allow"];
               for (const std::string& name : names) list += (list.empty() ? "" : ",") + name;
           },
           "a name that --network allow reaches, at ports 443 and 80 or the one given; may be repeated")
        ->type_name("HOST[:PORT]")
        ->allow_extra_args(false)
        ->group(kNetwork);
    app.add_option("--grace", options.grace, "from SIGTERM at the timeout to SIGKILL")
        ->type_name("DURATION")
        ->capture_default_str()
        ->group(kLimits);
}

void declare_results(CLI::App& app, RunOptions& options) {
    const std::string group = "Result";
    auto* json = app.add_flag("--json", options.json, "one JSON object, when it has ended (docs/run.md)");
    auto* text = app.add_flag("--text", options.text,
                              "its output as it comes, and a line of figures (this is the default)");
    text->excludes(json)->group(group);
    json->group(group);
    app.add_flag("--stream", options.stream,
                 "with --json: also its output as it comes, one JSON object a line")
        ->group(group);
    app.add_option("--json-file", options.json_file, "write the JSON object to a file, too")
        ->type_name("FILE")
        ->group(group);
    const std::string others = "Instead of running something";
    app.add_flag("--list", options.lists_languages, "show the languages and the toolchains that were found")
        ->group(others);
    app.add_flag("--list-workspaces", options.lists_workspaces, "show the workspaces")->group(others);
    app.add_option("--remove-workspace", options.removed_workspace,
                   "remove a workspace with all that is in it")
        ->type_name("NAME")
        ->group(others);
}

/// Where the program comes from, of which there has to be exactly one.
Result<run::Source> source_of(const RunOptions& options) {
    const int given =
        (options.has_code ? 1 : 0) + (options.files.empty() ? 0 : 1) + (options.program.empty() ? 0 : 1);
    if (given == 0)
        return Error("there is nothing to run")
            .with_remedy("Name a file or directory, or give --code or - for standard input.");
    if (given > 1) return Error("the program is given twice: one of --code, --file and a name is expected");
    run::Source source;
    source.language = options.language;
    if (options.has_code)
        source.code = options.code;
    else if (options.program == "-")
        source.code_fd = STDIN_FILENO;
    else
        source.paths = options.files.empty() ? std::vector{options.program} : options.files;
    return source;
}

Result<void> put_into_template(const RunOptions& options, run::Job& job) {
    if (options.program_template.empty()) {
        if (options.values.empty()) return {};
        return Error("set " + in_quotes(options.values.front()) + ": there is no template (--template)");
    }
    const run::Template text = TRY(run::find_template(options.program_template, job.program.language));
    const run::Values values = TRY(run::parse_values(options.values));
    run::Filled filled = TRY(run::fill(text, job.program, values));
    job.program = std::move(filled.program);
    job.lines = std::move(filled.map);
    return {};
}

/// Whether a file is bound: gVisor has paths and locks of its own, and bubblewrap knows no overlays.
bool is_the_hosts_own(const jail::Mount& mount, jail::Backend backend) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(mount.source, error)) return false;
    return backend == jail::Backend::bwrap ||
           (backend == jail::Backend::native && mount.access != jail::Access::like_a_copy);
}

Result<void> check_variable(const std::string& text) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const auto is_good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    if (equals == std::string::npos || name.empty() ||
        std::isdigit(static_cast<unsigned char>(name[0])) != 0 ||
        !std::all_of(name.begin(), name.end(), is_good) || text.find('\0') != std::string::npos)
        return Error("set the environment variable " + in_quotes(text) + ": NAME=value is expected");
    return {};
}

}  // namespace

void declare_run_options(CLI::App& app, RunOptions& options) {
    declare_program(app, options);
    declare_settings(app, options);
    declare_surroundings(app, options);
    declare_results(app, options);
}

Result<profile::Effective> run_settings(const RunOptions& options, const Context& context) {
    profile::Arguments arguments;
    for (const RunSetting& row : kSettings) {
        const auto given = options.settings.find(row.key);
        if (given != options.settings.end())
            arguments.settings.emplace_back(&setting_of(row), given->second);
        else if (row.value)
            arguments.settings.emplace_back(&setting_of(row), row.value);
    }
    if (const auto names = options.settings.find("network.allow"); names != options.settings.end()) {
        const profile::Setting& setting = *profile::find_setting("network.allow");
        session::LaunchOptions checked;
        if (auto applied = profile::apply(setting, names->second, checked); !applied)
            return std::move(applied).error().context("--allow-dns");
        const auto mode = options.settings.find("network.mode");
        if (const std::string network = mode == options.settings.end() ? "none" : mode->second;
            network != jail::to_text(jail::Network::allow))
            return Error("reach the names of --allow-dns: the program's network is " + network)
                .with_remedy("Say --network allow, too.");
        arguments.settings.emplace_back(&setting, names->second);
    }
    return profile::resolve(host_places(context), arguments);
}

Result<UniqueFd> open_run_input(const RunOptions& options) {
    if (!options.stdin_file.empty()) {
        // Opening it does not wait. The program may, for a FIFO that nobody writes to: its time is bounded.
        UniqueFd fd = TRY(sys::open(options.stdin_file, O_RDONLY | O_NONBLOCK));
        TRY(sys::set_nonblocking(fd.get(), false));
        return fd;
    }
    // What is kept is not to depend on who was at the other end.
    const bool is_code = options.program == "-";
    if (is_code || options.caches_results) return UniqueFd();
    return sys::duplicate(STDIN_FILENO);
}

Result<UniqueFd> open_result_file(const RunOptions& options) {
    const std::string& path = options.json_file;
    if (path.empty()) return UniqueFd();
    const auto is_below = [&](std::string_view place) { return path.starts_with(place); };
    // Links of the system to what we were given open.
    if (is_below("/dev/") || is_below("/proc/self/fd/")) return sys::open(path, O_WRONLY);
    auto fd = sys::open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, kResultMode);
    if (!fd) {
        if (fd.error().error_number() == ELOOP)
            return Error("write the result to " + printable(path) + ": it is a symbolic link")
                .with_remedy("Name the file that it leads to.");
        return std::move(fd).error().context("write the result");
    }
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) return errno_error("look at " + printable(path));
    if (!S_ISREG(status.st_mode)) return Error("write the result to " + printable(path) + ": it is no file");
    if (::ftruncate(fd->get(), 0) != 0) return errno_error("empty " + printable(path));
    return fd;
}

Result<void> check_result_file(const RunOptions& options, const run::Job& job) {
    if (options.json_file.empty()) return {};
    std::error_code error;
    const std::string path = std::filesystem::weakly_canonical(options.json_file, error).string();
    for (const jail::Mount& mount : job.plan.mounts)
        if (mount.access == jail::Access::read_write && session::is_below(path, mount.source))
            return Error("write the result to " + printable(path) + ": the program can write there, too")
                .with_remedy("Name a file that is in no volume or workspace.");
    return {};
}

run::Search search_of(const RunOptions& options, const Context& context) {
    run::Search search;
    std::istringstream path(context.variable("PATH"));
    for (std::string directory; std::getline(path, directory, ':');)
        if (directory.starts_with('/')) search.path.push_back(directory);
    search.home = context.variable("HOME");
    search.python = options.python;
    return search;
}

Result<run::Job> make_job(const RunOptions& options, const profile::Effective& settings,
                          const Context& context) {
    run::Job job;
    const run::Source source = TRY(source_of(options));
    job.program = TRY(run::read_program(source));
    job.language = TRY(run::language_named(job.program.language));
    TRY(put_into_template(options, job));
    run::Search search = search_of(options, context);
    search.program = &job.program;
    job.toolchain = TRY(job.language->find(search));
    job.arguments = options.arguments;
    for (const std::string& variable : options.variables) {
        TRY(check_variable(variable));
        job.variables.push_back(variable);
    }
    const session::LaunchOptions& launch = settings.options;
    job.plan.backend = launch.backend;
    job.plan.level = launch.level;
    job.plan.landlock = launch.landlock;
    job.plan.limits = launch.limits;
    job.plan.network = launch.network;
    job.plan.allowed = launch.allowed;
    job.bounds.wall_time = launch.wall_time;
    job.bounds.cpu_time = launch.cpu_time;
    job.bounds.output = launch.output_limit;
    if (options.grace != "0") job.bounds.grace = TRY(profile::parse_duration(options.grace));
    for (const std::string& volume : options.volumes) {
        const jail::Mount mount = TRY(run::parse_volume(volume, context.variable));
        if (is_the_hosts_own(mount, job.plan.backend))
            context.err << "cellblock run: " << printable(mount.source)
                        << " is shown as it is: the program is told this path, and locks of the file are the "
                           "host's (docs/run.md)\n";
        job.plan.mounts.push_back(mount);
    }
    if (!options.workspace.empty()) {
        const run::Workspaces workspaces = TRY(run::Workspaces::open(context.variable));
        job.plan.mounts.push_back(TRY(workspaces.use(options.workspace)));
        job.working_directory = run::kWorkspace;
    }
    if (!options.working_directory.empty()) {
        if (options.working_directory.front() != '/')
            return Error("run in " + in_quotes(options.working_directory) +
                         ": an absolute path inside is expected");
        job.working_directory = options.working_directory;
    }
    job.keeps_builds = !options.keeps_no_builds;
    return job;
}

}  // namespace cellblock::cli
