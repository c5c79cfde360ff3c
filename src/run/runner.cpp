// Two jails for each program that has to be built: what a compiler needs is not what the program may have,
// and nothing but the named artifacts passes from one to the other.
#include "run/runner.hpp"

#include <algorithm>
#include <utility>

#include "build_info.hpp"
#include "run/store.hpp"

namespace cellblock::run {
namespace {

using std::chrono::milliseconds;

/// From SIGTERM to SIGKILL, of compilers.
constexpr milliseconds kBuildGrace{100};

jail::Plan with_mounts(jail::Plan plan, const Job& job, const std::vector<jail::Mount>& toolchain) {
    plan.name = "cellblock";
    plan.mounts.insert(plan.mounts.begin(), toolchain.begin(), toolchain.end());
    for (const Directory& directory : job.program.directories)
        plan.mounts.push_back({directory.source, std::string(kProgramDirectory) + "/" + directory.path,
                               jail::Access::read_only, directory.inode});
    // What lies in another comes after it.
    std::ranges::stable_sort(plan.mounts, {}, &jail::Mount::target);
    return plan;
}

/// What has been built is in nobody's way: a program has the same room whether that is placed or shown.
void make_room_for(jail::Limits& limits, const std::vector<File>& artifacts) {
    constexpr uint64_t kPage = 4096;
    for (const File& file : artifacts) {
        limits.scratch.count += (file.content.size() + kPage - 1) / kPage * kPage;
        ++limits.scratch_inodes;
    }
}

/// Built programs are shown where they would have been placed.
jail::Plan with_programs(jail::Plan plan, const std::vector<KeptProgram::Shown>& programs) {
    for (const KeptProgram::Shown& program : programs)
        plan.mounts.push_back(
            {program.source, std::string(kProgramDirectory) + "/" + program.path, jail::Access::like_a_copy});
    return plan;
}

/// The jail for work of the toolchain: no network, nothing that takes writes, limits of its own.
jail::Plan toolchain_plan(const Job& job, const std::optional<jail::Mount>& prepared) {
    jail::Plan plan = job.plan;
    plan.mounts.clear();
    plan.network = jail::Network::localhost;
    plan.allowed.clear();
    plan.limits = job.language->build_limits;
    std::vector<jail::Mount> toolchain = job.toolchain.mounts;
    if (prepared) toolchain.push_back(*prepared);
    return with_mounts(std::move(plan), job, toolchain);
}

Invocation with_environment(Invocation invocation, const std::vector<std::string>& more) {
    std::vector<std::string> all = program_environment();
    for (const std::vector<std::string>* list : {&std::as_const(invocation.environment), &more})
        for (const std::string& variable : *list) {
            const std::string name = variable.substr(0, variable.find('=') + 1);
            std::erase_if(all, [&](const std::string& other) { return other.starts_with(name); });
            all.push_back(variable);
        }
    invocation.environment = std::move(all);
    return invocation;
}

/// Executes one after the other until one fails. What they write is added to `collector`.
Result<Ending> execute_steps(Container& container, const std::vector<Invocation>& steps, milliseconds time,
                             int stop_fd, Sink& sink) {
    Ending last;
    const auto deadline = std::chrono::steady_clock::now() + time;
    for (const Invocation& step : steps) {
        Container::Execution execution;
        execution.invocation = with_environment(step, {});
        execution.bounds.wall_time =
            std::max(milliseconds(1),
                     std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now()));
        execution.bounds.grace = kBuildGrace;
        execution.bounds.output = kCompilerOutput;
        execution.stop_fd = stop_fd;
        execution.sink = &sink;
        const Ending earlier = last;
        last = TRY(container.execute(execution));
        last.usage.wall += earlier.usage.wall;
        if (last.usage.cpu_us >= 0) last.usage.cpu_us += std::max<int64_t>(0, earlier.usage.cpu_us);
        last.usage.memory_peak = std::max(last.usage.memory_peak, earlier.usage.memory_peak);
        last.usage.oom_kills += earlier.usage.oom_kills;
        if (judge(last) != Verdict::ok) break;
    }
    return last;
}

/// What the toolchain needs once; made if nobody has yet.
Result<std::optional<Prepared>> prepare(const Job& job, const Recipe& recipe, const Store& store,
                                        Progress& progress) {
    if (!recipe.preparation) return std::optional<Prepared>();
    const Preparation& preparation = *recipe.preparation;
    const auto make = [&](const std::string& directory) -> Result<void> {
        progress.begins("preparing " + std::string(job.language->title) + " (once)");
        jail::Plan plan =
            toolchain_plan(job, jail::Mount{directory, preparation.target, jail::Access::read_write});
        const auto container = TRY(Container::create(plan));
        TRY(container->place(preparation.files));
        Collector said;
        const Ending ending =
            TRY(execute_steps(*container, preparation.steps, preparation.time, job.stop_fd, said));
        if (const Verdict verdict = judge(ending); verdict != Verdict::ok)
            return Error("prepare " + std::string(job.language->title) + ": " +
                         std::string(to_text(verdict)) + ": " + said.out() + said.err());
        return {};
    };
    return std::optional(TRY(store.prepared(preparation.key, make, job.stop_fd)));
}

std::string build_key(const Job& job, const Recipe& recipe) {
    std::vector<std::string_view> parts{"build", job.toolchain.id};
    for (const Invocation& step : recipe.build) {
        parts.emplace_back("step");
        parts.insert(parts.end(), step.argv.begin(), step.argv.end());
        parts.emplace_back("environment");
        parts.insert(parts.end(), step.environment.begin(), step.environment.end());
    }
    for (const std::string_view part : parts_of(job.program)) parts.push_back(part);
    return store_key(parts);
}

struct Built {
    std::vector<File> artifacts;
    Compiled compiled;
};

Result<Built> build(const Job& job, const Recipe& recipe, Container& container) {
    Built built;
    TRY(container.place(job.program.files));
    Collector said;
    built.compiled.ending =
        TRY(execute_steps(container, recipe.build, job.language->build_time, job.stop_fd, said));
    built.compiled.out = job.lines.apply(said.out());
    built.compiled.err = job.lines.apply(said.err());
    built.compiled.verdict = judge(built.compiled.ending);
    Bounds bounds;
    bounds.wall_time = job.language->build_time;
    bounds.output = kCompilerOutput;
    built.compiled.explanation =
        explain(built.compiled.verdict, built.compiled.ending, job.language->build_limits, bounds);
    if (built.compiled.verdict != Verdict::ok) return built;
    built.artifacts = TRY(container.take(recipe.artifacts, kMaxArtifacts));
    return built;
}

/// The container for the program and, where it has to be built, what comes of that.
struct Ready {
    UniqueFd kept;                         ///< for as long as the container shows what is kept
    std::unique_ptr<Container> container;  ///< the compiler's, when that has failed
    std::optional<Compiled> compiled;
    std::vector<File> artifacts;  ///< to be placed
};

bool is_there(const std::vector<KeptProgram::Shown>& programs) {
    return std::ranges::all_of(
        programs, [](const auto& program) { return ::access(program.source.c_str(), F_OK) == 0; });
}

/// The jail of a program that is kept; nothing when it is not.
Result<bool> show_kept(const std::string& key, const Store& store, jail::Plan plan, Ready& ready) {
    auto kept = store.program(key);
    if (!kept) return false;
    ready.artifacts = std::move(kept->files);
    make_room_for(plan.limits, ready.artifacts);
    auto container = Container::create(with_programs(std::move(plan), kept->programs));
    // The store's user may remove it at any time.
    if (!container && !is_there(kept->programs)) return false;
    ready.container = TRY(std::move(container));
    ready.kept = std::move(kept->use);
    return true;
}

Result<Ready> get_ready(const Job& job, const Recipe& recipe, const std::optional<jail::Mount>& prepared,
                        const Store& store, Progress& progress) {
    Ready ready;
    const std::vector<jail::Mount> nothing;
    jail::Plan plan = with_mounts(job.plan, job, recipe.needs_toolchain ? job.toolchain.mounts : nothing);
    if (recipe.build.empty()) {
        ready.container = TRY(Container::create(plan));
        return ready;
    }
    // Directories that are only shown are in no key.
    const bool has_key = job.keeps_builds && job.program.directories.empty();
    const std::string key = has_key ? build_key(job, recipe) : "";
    if (has_key && TRY(show_kept(key, store, plan, ready))) {
        ready.compiled.emplace();
        ready.compiled->cached = true;
        return ready;
    }
    progress.begins("compiling");
    auto workshop = TRY(Container::create(toolchain_plan(job, prepared)));
    auto built = build(job, recipe, *workshop);
    if (!built) return std::move(built).error().context("build the program");
    ready.compiled = std::move(built->compiled);
    if (ready.compiled->verdict != Verdict::ok) {
        ready.container = std::move(workshop);
        return ready;
    }
    workshop.reset();
    // As in every later run: what is measured of it, and the room that it has, is the same. A build that
    // cannot be kept is made again next time, and placed.
    if (has_key && store.keep_program(key, built->artifacts) && TRY(show_kept(key, store, plan, ready)))
        return ready;
    ready.artifacts = std::move(built->artifacts);
    make_room_for(plan.limits, ready.artifacts);
    ready.container = TRY(Container::create(plan));
    return ready;
}

/// A compiler that finds its toolchain's preparation damaged blames the program. Then both are made again,
/// once.
Result<Ready> get_ready_with_toolchain(const Job& job, const Recipe& recipe, const Store& store,
                                       Progress& progress) {
    for (bool is_first = true;; is_first = false) {
        auto prepared = TRY(prepare(job, recipe, store, progress));
        std::optional<jail::Mount> shown;
        if (prepared) shown = {prepared->directory, recipe.preparation->target};
        auto ready = get_ready(job, recipe, shown, store, progress);
        const bool has_failed = !ready || (ready->compiled && ready->compiled->verdict != Verdict::ok &&
                                           ready->compiled->ending.stop != Stop::user);
        if (!is_first || !prepared || !has_failed ||
            !store.drop_if_damaged(recipe.preparation->key, *std::move(prepared)))
            return ready;
    }
}

}  // namespace

int Outcome::exit_status() const {
    return run::exit_status(verdict, ending.value_or(Ending{}));
}

std::vector<std::string_view> parts_of(const Program& program) {
    std::vector<std::string_view> parts{program.language, program.entry};
    for (const File& file : program.files) {
        parts.emplace_back(file.path);
        parts.emplace_back(file.content);
        parts.emplace_back(file.is_executable ? "executable" : "");
    }
    return parts;
}

std::vector<std::string> program_environment() {
    return {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        std::string("HOME=") + jail::kHome,
        std::string("USER=") + jail::kUserName,
        std::string("LOGNAME=") + jail::kUserName,
        "TMPDIR=/tmp",
        "LANG=C.UTF-8",
    };
}

Result<Outcome> run_program(const Job& job, const Store& store, Sink& sink, Progress& progress) {
    const Recipe recipe = TRY(job.language->plan(job.toolchain, job.program, job.plan.limits));
    Ready ready = TRY(get_ready_with_toolchain(job, recipe, store, progress));

    Outcome outcome;
    outcome.level = ready.container->jail().level();
    outcome.backend = ready.container->jail().backend();
    outcome.has_landlock = ready.container->jail().has_landlock();
    outcome.compile = std::move(ready.compiled);
    if (outcome.compile && outcome.compile->verdict != Verdict::ok) {
        const bool was_stopped = outcome.compile->ending.stop == Stop::user;
        outcome.verdict = was_stopped ? Verdict::signal : Verdict::compile_error;
        if (was_stopped) outcome.ending = outcome.compile->ending;
        return outcome;
    }
    if (recipe.needs_sources) TRY(ready.container->place(job.program.files));
    TRY(ready.container->place(ready.artifacts));
    TRY(progress.program_begins(*ready.container));

    Container::Execution execution;
    execution.invocation = with_environment(recipe.run, job.variables);
    execution.invocation.argv.insert(execution.invocation.argv.end(), job.arguments.begin(),
                                     job.arguments.end());
    execution.working_directory = job.working_directory;
    execution.bounds = job.bounds;
    execution.stdin_fd = job.stdin_fd;
    execution.stop_fd = job.stop_fd;
    MappedSink mapped(job.lines, sink);
    execution.sink = job.lines.is_empty() ? &sink : &mapped;
    outcome.ending = TRY(ready.container->execute(execution));
    mapped.finish();
    outcome.verdict = judge(*outcome.ending);
    outcome.explanation = explain(outcome.verdict, *outcome.ending, job.plan.limits, job.bounds);
    return outcome;
}

}  // namespace cellblock::run
