// `cellblock audit`: the table of its subcommands, and those that make keys and check the log.
#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/printable.hpp"
#include "base/sys.hpp"
#include "cli/audit.hpp"
#include "cli/json_output.hpp"
#include "observe/log.hpp"
#include "observe/places.hpp"
#include "observe/verify.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

// clang-format off
constexpr std::array kSubcommands{
    Command{"init",   "make the key that signs checkpoints of the log",            declare_audit_init},
    Command{"verify", "check that the log is what was written, to the last record", declare_audit_verify},
    Command{"show",   "print records as a table",                                   declare_audit_show},
    Command{"tail",   "print the last records, and those to come",                  declare_audit_tail},
    Command{"stats",  "count records, verdicts and what cells used",                declare_audit_stats},
    Command{"match",  "say which outputs of a saved notebook recorded cells made",  declare_audit_match},
};
// clang-format on

constexpr size_t kMaxCheckpoint = observe::kMaxRecord;

struct VerifyArguments {
    std::vector<std::string> checkpoints;
    std::vector<std::string> keys;
    bool archived = false;
    bool json = false;
};

Result<observe::VerifyReport> verify(const std::string& directory, const VerifyArguments& arguments,
                                     const Context& context) {
    const std::string keys_directory = TRY(observe::default_keys_directory(context.variable));
    observe::PublicKeys keys = TRY(observe::PublicKeys::load(keys_directory));
    for (const std::string& path : arguments.keys) TRY(keys.add_file(path));
    observe::VerifyOptions options;
    options.keys = keys.empty() ? nullptr : &keys;
    options.begins_anywhere = arguments.archived;
    std::vector<std::string> kept = arguments.checkpoints;
    const std::string newest = observe::newest_checkpoint_path(keys_directory, directory);
    std::error_code error;
    if (fs::exists(newest, error)) kept.push_back(newest);
    for (const std::string& path : kept)
        options.kept_checkpoints.push_back(TRY(sys::read_file(path, kMaxCheckpoint)));
    return observe::verify(directory, options);
}

void print_json(const observe::VerifyReport& report, std::ostream& out) {
    nlohmann::ordered_json json{{"ok", report.ok()},
                                {"records", report.records},
                                {"segments", report.segments},
                                {"bytes", report.bytes},
                                {"first_time", report.first_time},
                                {"last_time", report.last_time},
                                {"last_hash", observe::to_hex(report.last.hash)},
                                {"checkpoints", report.checkpoints},
                                {"unchecked_checkpoints", report.unchecked},
                                {"signed_up_to", report.signed_up_to},
                                {"torn_records", report.torn},
                                {"unfinished_bytes", report.unfinished_bytes},
                                {"finding", nullptr}};
    if (report.finding)
        json["finding"] = {{"kind", observe::to_text(report.finding->wrong)},
                           {"record", report.finding->seq},
                           {"file", report.finding->place.path},
                           {"line", report.finding->place.line},
                           {"what", report.finding->what}};
    out << json_output(json);
}

void print_text(const observe::VerifyReport& report, std::ostream& out) {
    if (report.finding) {
        out << "The log was " << observe::to_text(report.finding->wrong) << ": "
            << printable_sentence(report.finding->what) << ".\n";
        if (!report.finding->place.path.empty())
            out << "It shows in line " << report.finding->place.line << " of "
                << printable_line(report.finding->place.path) << ".\n";
        out << report.records << " records before it are whole.\n";
        return;
    }
    out << "The log is whole: " << report.records << " records in " << report.segments << " segments";
    if (report.records > 0)
        out << ", from " << printable_line(report.first_time) << " to " << printable_line(report.last_time);
    out << ".\n";
    if (report.torn > 0)
        out << report.torn << " records were never finished, as the log says: their writers were killed.\n";
    if (report.unfinished_bytes > 0)
        out << "At its end are " << report.unfinished_bytes
            << " bytes of a record that was never finished. The next kernel will say so in the log.\n";
    if (report.signed_up_to > 0)
        out << "Signed up to record " << report.signed_up_to << ".\n";
    else if (report.unchecked > 0)
        out << "There is no key here to check its " << report.unchecked << " checkpoints with: see --key.\n";
    else
        out << "It has no signed checkpoint, so that missing records at the end would not be noticed. "
               "\"cellblock "
               "audit init\" makes the key.\n";
}

}  // namespace

std::shared_ptr<std::string> add_log_path(CLI::App& app) {
    auto path = std::make_shared<std::string>();
    app.add_option("--path", *path,
                   "directory of the log (default: the user's, $XDG_STATE_HOME/cellblock/audit)")
        ->type_name("DIRECTORY");
    return path;
}

Result<std::string> log_directory(const std::string& path, const Context& context) {
    const std::string directory = path.empty() ? TRY(observe::default_log_directory(context.variable)) : path;
    std::error_code error;
    if (!fs::is_directory(directory, error))
        return Error("read the audit log: there is no directory " + directory)
            .with_remedy("The first kernel that writes an audit log makes it; --path names another one.");
    return directory;
}

Result<bool> check_log(const std::string& directory, const Context& context) {
    const observe::VerifyReport report = TRY(verify(directory, {}, context));
    if (!report.ok()) print_text(report, context.err);
    return report.ok();
}

Action declare_audit_init(CLI::App& app, const Context& context) {
    auto replace = std::make_shared<bool>(false);
    app.add_flag("--replace-key", *replace,
                 "sign with a new key from now on; what the old one signed stays valid");
    return [replace, &context]() -> Result<int> {
        const std::string directory = TRY(observe::default_keys_directory(context.variable));
        const observe::SigningKey key = TRY(observe::SigningKey::create(directory, *replace));
        context.out << "Made the key " << key.id() << " in " << directory
                    << ".\nKernels that start from now on sign the log with it. Whoever is to check the log "
                       "elsewhere "
                       "needs "
                    << key.id() << ".pub.pem.\n";
        return 0;
    };
}

Action declare_audit_verify(CLI::App& app, const Context& context) {
    const auto path = add_log_path(app);
    auto arguments = std::make_shared<VerifyArguments>();
    app.add_option("--checkpoint", arguments->checkpoints,
                   "a checkpoint that was kept elsewhere: a line of the log; may be repeated")
        ->type_name("FILE");
    app.add_option("--key", arguments->keys, "a public key to check checkpoints with; may be repeated")
        ->type_name("FILE");
    app.add_flag("--archived", arguments->archived, "the first segments may be gone");
    app.add_flag("--json", arguments->json, "print JSON");
    return [path, arguments, &context]() -> Result<int> {
        const std::string directory = TRY(log_directory(*path, context));
        const observe::VerifyReport report = TRY(verify(directory, *arguments, context));
        if (arguments->json)
            print_json(report, context.out);
        else
            print_text(report, context.out);
        return report.ok() ? 0 : kAltered;
    };
}

std::span<const Command> audit_commands() {
    return kSubcommands;
}

Action declare_audit(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n  cellblock audit show --since 2h --verdict limit.memory\n  cellblock audit verify\n\n"
        "\"cellblock audit COMMAND --help\" explains a command.");
    app.require_subcommand(1);
    auto actions = std::make_shared<std::map<const CLI::App*, Action>>();
    for (const Command& command : kSubcommands) {
        CLI::App* subcommand = app.add_subcommand(std::string(command.name), std::string(command.summary));
        (*actions)[subcommand] = command.declare(*subcommand, context);
    }
    return [actions, &app] { return actions->at(app.get_subcommands().front())(); };
}

}  // namespace cellblock::cli
