// `cellblock run`: one program, one jail, one result. run_once() is the page to read.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>
#include <memory>
#include <optional>

#include "base/printable.hpp"
#include "base/sys.hpp"
#include "cli/commands.hpp"
#include "cli/run_options.hpp"
#include "cli/spinner.hpp"
#include "cli/table.hpp"
#include "network/broker.hpp"
#include "run/language.hpp"
#include "run/places.hpp"
#include "run/records.hpp"
#include "run/repeats.hpp"
#include "run/report.hpp"
#include "run/runner.hpp"

namespace cellblock::cli {
namespace {

/// Of the sandbox, as timeout(1) has it; and of shells: found and not executable, not found.
constexpr int kSandboxFailed = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

constexpr std::chrono::seconds kVersionTime{10};

/// The ones that end a program.
constexpr std::array kStopSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// Those that are for who watches the program, as long as there is one: the stop signals, and Ctrl-Z.
sigset_t watched_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : kStopSignals) ::sigaddset(&set, signal);
    ::sigaddset(&set, SIGTSTP);
    return set;
}

/// Before there are threads: they take it over. Until then signals end us, as anybody who waits for code.
Result<UniqueFd> take_stop_signals() {
    const sigset_t set = watched_signals();
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return errno_error("block signals");
    ::signal(SIGPIPE, SIG_IGN);
    return sys::signal_fd(kStopSignals);
}

/// When there is no program any more, signals end us: whoever does not read what we write cannot keep us.
void give_back_stop_signals(int stop_fd) {
    signalfd_siginfo info{};
    while (::read(stop_fd, &info, sizeof info) > 0) {
    }  // those were the program's
    const sigset_t set = watched_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int status_of_failure(const Error& error, bool program_began) {
    if (program_began && error.error_number() == ENOENT) return kNotFound;
    if (program_began && (error.error_number() == EACCES || error.error_number() == ENOEXEC))
        return kNotExecutable;
    return kSandboxFailed;
}

/// Whether people look at stderr.
bool has_terminal(const RunOptions& options) {
    return !options.json && ::isatty(STDERR_FILENO) == 1;
}

/// Says what is going on to those who look, and answers for the allowed names of the program's network.
class Surroundings final : public run::Progress {
  public:
    Surroundings(const RunOptions& options, const run::Job& job, run::Records& records)
        : is_shown_(has_terminal(options)),
          says_why_(!options.json),
          network_(job.plan.network),
          records_(records) {
        if (!is_shown_) return;
        const jail::Limits& limits = job.plan.limits;
        std::cerr << "\x1b[2m" << job.language->title << " · " << printable(job.program.entry) << " · "
                  << to_text(limits.memory) << ", "
                  << (job.bounds.wall_time.count() > 0 ? profile::to_text(job.bounds.wall_time)
                                                       : "no time limit")
                  << ", network " << jail::to_text(job.plan.network) << "\x1b[0m\n"
                  << std::flush;
    }
    void begins(std::string_view what) override {
        spinner_.reset();
        if (is_shown_) spinner_.emplace(STDERR_FILENO, std::string(what));
    }
    Result<void> program_begins(run::Container& container) override {
        spinner_.reset();
        began_ = true;
        if (network_ != jail::Network::allow) return {};
        network::BrokerOptions options;
        options.report = [this](const std::vector<network::Report>& reports) { network_used(reports); };
        options.admits = [this] { return records_.permit().ok(); };
        broker_ = TRY(network::Broker::start(container.jail().take_network_sockets(), std::move(options)));
        return {};
    }
    /// When the program has ended: what it has done on the network.
    std::vector<network::Report> end_network() {
        broker_.reset();
        return events_.take();
    }
    [[nodiscard]] bool program_began() const { return began_; }
    void tell(const run::Outcome& outcome) const {
        if (!is_shown_) {
            if (says_why_ && !outcome.explanation.empty())
                std::cerr << "cellblock run: " << to_text(outcome.verdict) << ": "
                          << printable_sentence(outcome.explanation) << "\n";
            return;
        }
        // Whatever colours, or none to be seen, the program has left behind.
        const char* const colour = outcome.verdict == run::Verdict::ok ? "\x1b[0;32m" : "\x1b[0;31m";
        std::cerr << colour << run::metrics_line(outcome) << "\x1b[0m\n";
    }

  private:
    /// In the broker's thread, which end_network() ends.
    void network_used(const std::vector<network::Report>& reports) {
        records_.network_used(reports);
        for (const network::Report& report : reports) events_.add(report);
    }

    const bool is_shown_;
    const bool says_why_;
    const jail::Network network_;
    run::Records& records_;
    bool began_ = false;
    std::optional<Spinner> spinner_;
    network::Reports events_;                  // of the whole run, folded
    std::unique_ptr<network::Broker> broker_;  // last, because it uses the others
};

run::Show shown(const RunOptions& options, int fd) {
    if (options.json) return run::Show::events;
    return ::isatty(fd) == 1 ? run::Show::harmless : run::Show::raw;
}

Result<void> deliver(const RunOptions& options, int file, const std::string& json) {
    if (options.json) std::cout << json << "\n" << std::flush;
    if (file < 0) return {};
    if (auto written = sys::write_all(file, json + "\n"); !written)
        return std::move(written).error().context("write the result to " + printable(options.json_file));
    return {};
}

/// What a program that was not built would have written: the compiler's words.
void show_compiler(const RunOptions& options, const run::Outcome& outcome) {
    if (options.json || !outcome.compile || outcome.compile->verdict == run::Verdict::ok) return;
    std::string said = outcome.compile->out + outcome.compile->err;
    if (::isatty(STDERR_FILENO) == 1) {
        run::TerminalLine line;
        run::TerminalText text(line);
        said = text.add(said);
        said += text.finish();
        if (!line.is_empty) said += '\n';
    }
    std::cerr << said;
    if (outcome.compile->verdict != run::Verdict::exit_nonzero)
        std::cerr << "cellblock run: the compiler was stopped: " << outcome.compile->explanation << "\n";
}

/// What the program wanted of the network and did not get: its own errors do not say why.
void show_refused_names(const RunOptions& options, const std::vector<network::Report>& events) {
    if (options.json) return;
    for (const network::Report& event : events) {
        if (event.act == network::Act::unknown_name)
            std::cerr << "cellblock run: network: " << (event.host.empty() ? "other names" : event.host)
                      << ": no --allow-dns names it\n";
        if (event.act == network::Act::refused)
            std::cerr << "cellblock run: network: "
                      << (event.host.empty()
                              ? "others were refused"
                              : event.host + ":" + std::to_string(event.port) + ": " + event.reason)
                      << "\n";
    }
}

run::Circumstances circumstances_of(const run::Job& job) {
    run::Circumstances circumstances;
    circumstances.language = job.program.language;
    circumstances.limits = job.plan.limits;
    circumstances.bounds = job.bounds;
    circumstances.network = jail::to_text(job.plan.network);
    return circumstances;
}

int fail(const RunOptions& options, const Context& context, int file, const Error& error, int status,
         const run::Circumstances& circumstances) {
    context.err << "cellblock run: " << error.sentence() << "\n";
    if (const auto told = deliver(options, file, run::failure_json(error, status, circumstances)); !told)
        context.err << "cellblock run: " << told.error().sentence() << "\n";
    return status;
}

struct Prepared {
    run::Job job;
    profile::Effective settings;
    run::Store store;
    UniqueFd input;
};

/// Everything that can be wrong with what was asked for.
Result<Prepared> prepare(const RunOptions& options, const Context& context) {
    if (options.stream && !options.json)
        return Error("--stream goes with --json: without it, output is shown as it comes");
    profile::Effective settings = TRY(run_settings(options, context));
    for (const std::string& note : settings.notes) context.err << "cellblock run: " << note << "\n";
    run::Job job = TRY(make_job(options, settings, context));
    TRY(check_result_file(options, job));
    if (options.caches_results) TRY(run::check_repeatable(job));
    UniqueFd input = TRY(open_run_input(options));
    const std::string directory = TRY(run::Store::default_directory(context.variable));
    if (const session::AuditOptions& audit = settings.options.audit; !audit.path.empty()) {
        const observe::TrailOptions trail = TRY(session::place_trail(audit, context.variable));
        for (const jail::Mount& mount : job.plan.mounts) {
            TRY(run::keep_apart(mount, trail.log.directory, "the audit log"));
            TRY(run::keep_apart(mount, trail.log.keys_directory, "the key of the audit log"));
        }
    }
    run::Store store = TRY(run::Store::open(directory));
    return Prepared{std::move(job), std::move(settings), std::move(store), std::move(input)};
}

int run_once(const RunOptions& options, const Context& context) {
    auto prepared = prepare(options, context);
    // A status of its own: nothing of it depends on the host.
    if (!prepared) return fail(options, context, -1, prepared.error(), kUsage, {});
    run::Job& job = prepared->job;
    // Emptied before anything runs, so that an earlier result is never taken for this one's.
    auto file = open_result_file(options);
    if (!file) return fail(options, context, -1, file.error(), kUsage, circumstances_of(job));
    const int to = file->get();
    auto stop = take_stop_signals();
    if (!stop) return fail(options, context, to, stop.error(), kSandboxFailed, circumstances_of(job));
    job.stdin_fd = prepared->input.get();
    job.stop_fd = stop->get();
    run::Circumstances circumstances = circumstances_of(job);

    auto records = run::Records::open(prepared->settings.options.audit, context.variable, job,
                                      prepared->settings.digest);
    if (!records) return fail(options, context, to, records.error(), kSandboxFailed, circumstances);
    if (auto begun = records->begins(); !begun)
        return fail(options, context, to, begun.error(), kSandboxFailed, circumstances);

    Surroundings surroundings(options, job, *records);
    run::Collector output;
    std::optional<run::LiveOutput> live;
    std::optional<run::Tee> both;
    run::Sink* sink = &output;
    if (!options.json || options.stream) {
        live.emplace(STDOUT_FILENO, options.json ? STDOUT_FILENO : STDERR_FILENO,
                     shown(options, STDOUT_FILENO), shown(options, STDERR_FILENO),
                     // Where nobody has begun a line for it, somebody else's may stand there.
                     run::TerminalLine{.is_own = has_terminal(options)});
        both.emplace(output, *live);
        sink = &*both;
    }
    const auto outcome = options.caches_results ? run::run_or_repeat(job, prepared->store, output, *sink,
                                                                     surroundings, circumstances.cached)
                                                : run::run_program(job, prepared->store, *sink, surroundings);
    circumstances.network_events = surroundings.end_network();
    if (outcome)
        circumstances.audit_record = records->ended(*outcome, output);
    else
        records->failed(outcome.error());
    give_back_stop_signals(job.stop_fd);
    live.reset();
    if (!outcome)
        return fail(options, context, to, outcome.error(),
                    status_of_failure(outcome.error(), surroundings.program_began()), circumstances);
    show_compiler(options, *outcome);
    show_refused_names(options, circumstances.network_events);
    surroundings.tell(*outcome);
    if (!options.json && to < 0) return outcome->exit_status();  // nobody asks for more
    if (auto told = deliver(options, to, run::result_json(*outcome, output, circumstances)); !told) {
        context.err << "cellblock run: " << told.error().sentence() << "\n";
        return kSandboxFailed;
    }
    return outcome->exit_status();
}

/// Asked in a jail, as everything of a toolchain.
std::string version_of(const run::Language& language, const run::Toolchain& toolchain,
                       const jail::Plan& base) {
    if (!toolchain.version) return "";
    jail::Plan plan = base;
    plan.name = "cellblock";
    plan.mounts = toolchain.mounts;
    plan.limits = language.build_limits;
    const auto container = run::Container::create(plan);
    if (!container) return "";
    run::Collector said;
    run::Container::Execution execution;
    execution.invocation = *toolchain.version;
    for (const std::string& variable : run::program_environment())
        execution.invocation.environment.push_back(variable);
    execution.bounds.wall_time = kVersionTime;
    execution.bounds.output = 64_KiB;
    execution.sink = &said;
    if (const auto ending = (*container)->execute(execution); !ending) return "";
    const std::string& text = said.out().empty() ? said.err() : said.out();
    return printable(text.substr(0, text.find('\n')));
}

Result<int> list_languages(const RunOptions& options, const Context& context) {
    const profile::Effective settings = TRY(run_settings(options, context));
    jail::Plan plan;
    plan.level = settings.options.level;
    plan.backend = settings.options.backend;
    plan.landlock = settings.options.landlock;
    Table table({"language", "files", "version", "path"});
    for (const run::Language& language : run::languages()) {
        std::string suffixes;
        for (const std::string_view suffix : language.suffixes)
            suffixes += (suffixes.empty() ? "" : " ") + std::string(suffix);
        const auto toolchain = language.find(search_of(options, context));
        if (toolchain)
            table.add({std::string(language.name), suffixes, version_of(language, *toolchain, plan),
                       toolchain->path});
        else
            table.add({std::string(language.name), suffixes, "not found", ""});
    }
    context.out << table.text();
    return 0;
}

Result<int> list_workspaces(const Context& context) {
    const run::Workspaces workspaces = TRY(run::Workspaces::open(context.variable));
    Table table({"workspace", "path"});
    for (const std::string& name : workspaces.list()) table.add({name, workspaces.path_of(name)});
    context.out << table.text();
    return 0;
}

}  // namespace

Action declare_run(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n"
        "  cellblock run --lang python --code 'print(6 * 7)'\n"
        "  cellblock run main.go --timeout 5s --memory 256MiB --json\n"
        "  cellblock run project/ --volume data:/data:ro --arg /data/in.csv\n"
        "  cellblock run fetch.py --network allow --allow-dns example.org\n"
        "\n"
        "The exit status is the program's own; 124: timeout, 137: out of memory, 128 + n: signal n,\n"
        "125: there is no jail, 126 and 127: it cannot be executed, 2: the command line.");
    auto options = std::make_shared<RunOptions>();
    declare_run_options(app, *options);
    return [options, &context]() -> Result<int> {
        if (options->lists_languages) return list_languages(*options, context);
        if (options->lists_workspaces) return list_workspaces(context);
        if (!options->removed_workspace.empty()) {
            const run::Workspaces workspaces = TRY(run::Workspaces::open(context.variable));
            TRY(workspaces.remove(options->removed_workspace));
            return 0;
        }
        return run_once(*options, context);
    };
}

}  // namespace cellblock::cli
