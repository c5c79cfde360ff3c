// `cellblock diff`: what cells have changed, and is not in the host's directory.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/bytes.hpp"
#include "base/sys.hpp"
#include "changes/apply.hpp"
#include "changes/names.hpp"
#include "changes/patch.hpp"
#include "cli/chosen_changes.hpp"
#include "cli/json_output.hpp"
#include "cli/table.hpp"

namespace cellblock::cli {
namespace {

using changes::Change;
using changes::Kind;
using changes::Type;

struct Options {
    ChangesOptions chosen;
    std::vector<std::string> paths;
    bool list = false;
    bool patch = false;
    bool json = false;
};

std::string octal(mode_t mode) {
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode);
    return text;
}

std::string when(int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts)};
}

/// Why apply would leave it where it is; empty when it would not.
std::string obstacle(const Change& change, int directory_fd) {
    if (!change.not_saved.empty()) return "not kept: " + change.not_saved;
    if (change.kind != Kind::deleted && change.type == Type::symlink) return "symbolic link";
    if (change.kind != Kind::deleted && change.type == Type::other) return "neither file nor directory";
    if (changes::find_protection(change.path)) return "protected";
    if (directory_fd >= 0 && !changes::is_unchanged(change.base, changes::look(directory_fd, change.path)))
        return "conflict";
    return "";
}

std::string size_or_mode(const Change& change) {
    if (change.kind == Kind::mode) return octal(change.base.mode) + " → " + octal(change.mode);
    if (change.kind == Kind::deleted || change.type != Type::file) return std::string(to_text(change.type));
    return to_text(Bytes{change.size});
}

Result<std::string> text_of(Result<UniqueFd> opened) {
    const UniqueFd fd = TRY(std::move(opened));
    return sys::read_file("/proc/self/fd/" + std::to_string(fd.get()), changes::kMaxPatchedSize);
}

/// The texts before and after; an error where one is no text, or too long for one.
Result<std::string> patch_of(const changes::Set& set, const Change& change, int directory_fd) {
    std::optional<std::string> before;
    std::optional<std::string> after;
    if (change.base.exists && change.base.type == Type::file)
        before = TRY(text_of(changes::open_beneath(directory_fd, change.path, O_RDONLY | O_NONBLOCK)));
    if (change.blob != 0) after = TRY(text_of(set.open_blob(change.blob)));
    for (const auto& text : {before, after})
        if (text && !changes::is_text(*text)) return Error("it is no text");
    return changes::unified_diff(change.path, before, after);
}

bool has_patch(const Change& change) {
    const bool was_file = change.base.exists && change.base.type == Type::file;
    return change.kind == Kind::deleted ? was_file : change.kind != Kind::mode && change.blob != 0;
}

void print_patches(const changes::Set& set, const std::vector<const Change*>& list, int directory_fd,
                   std::ostream& out) {
    for (const Change* change : list) {
        if (!has_patch(*change)) continue;
        const auto patch = patch_of(set, *change, directory_fd);
        if (patch)
            out << *patch;
        else
            out << "Binary or long file " << changes::printable(change->path) << ": " << to_text(change->kind)
                << "\n";
    }
}

nlohmann::ordered_json as_json(const changes::Set& set, const std::vector<const Change*>& list,
                               int directory_fd) {
    auto entries = nlohmann::ordered_json::array();
    for (const Change* change : list) {
        nlohmann::ordered_json entry{{"path", changes::printable(change->path)},
                                     {"encoded_path", changes::encode(change->path)},
                                     {"kind", to_text(change->kind)},
                                     {"type", to_text(change->type)},
                                     {"size", change->size},
                                     {"mode", octal(change->mode)}};
        if (change->type == Type::symlink) entry["target"] = changes::printable(change->target);
        const std::string reason = obstacle(*change, directory_fd);
        entry["obstacle"] = reason.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(reason);
        entries.push_back(std::move(entry));
    }
    return {{"id", set.id()},
            {"directory", changes::printable(set.header().directory)},
            {"started", set.header().started},
            {"running", set.is_running()},
            {"complete", set.header().complete},
            {"changes", std::move(entries)}};
}

void print_list(const std::vector<changes::Set>& sets, std::ostream& out) {
    Table table({"CHANGES", "DIRECTORY", "SINCE", "KERNEL", "FILES"});
    for (const changes::Set& set : sets)
        table.add({set.id(), changes::printable(set.header().directory), when(set.header().started),
                   set.is_running() ? "running" : "ended", std::to_string(set.changes().size())});
    out << table.text();
}

void print_set(const changes::Set& set, const std::vector<const Change*>& list, int directory_fd,
               std::ostream& out) {
    out << set.id() << "  " << changes::printable(set.header().directory)
        << (set.is_running() ? "  (the kernel runs: as of the end of its last cell)" : "") << "\n";
    Table table({"CHANGE", "SIZE", "PATH", "NOT APPLIED BECAUSE"});
    for (const Change* change : list)
        table.add({std::string(to_text(change->kind)), size_or_mode(*change),
                   changes::printable(change->path), obstacle(*change, directory_fd)});
    out << table.text();
    if (!set.header().complete) out << "There are more changes, which were not kept.\n";
}

Result<int> diff(const Options& options, const Context& context) {
    ChangesOptions chosen = options.chosen;
    chosen.everywhere = options.list;
    const auto sets = TRY(open_changes(chosen, context));
    if (options.list && !options.json && !sets.empty()) {
        print_list(sets, context.out);
        return 0;
    }
    auto all = nlohmann::ordered_json::array();
    bool any = false;
    for (const changes::Set& set : sets) {
        const auto directory = open_directory(set);
        const int directory_fd = directory ? directory->get() : -1;
        const changes::Selection selection{TRY(read_paths(options.paths, set.header().directory)), false,
                                           false};
        std::vector<const Change*> list;
        for (const Change& change : set.changes())
            if (changes::is_selected(selection, change.path)) list.push_back(&change);
        if (list.empty() && !options.paths.empty()) continue;
        any = true;
        if (options.json)
            all.push_back(as_json(set, list, directory_fd));
        else if (options.patch)
            print_patches(set, list, directory_fd, context.out);
        else
            print_set(set, list, directory_fd, context.out);
    }
    if (!options.paths.empty() && !any)
        return Error("no cell has changed " + changes::printable(options.paths.front()) +
                     (options.paths.size() > 1 ? " or the other files named" : ""))
            .with_remedy(
                "What is named are files and directories; changes are chosen with --changes ID, as "
                "\"cellblock diff --list\" shows them.");
    if (options.json) context.out << json_output(all);
    if (sets.empty() && !options.json)
        context.err << "No cell has changed anything " << (options.list ? "" : "here ") << "that is kept.\n";
    return 0;
}

}  // namespace

Action declare_diff(CLI::App& app, const Context& context) {
    app.footer(
        "Examples:\n"
        "  cellblock diff                          what cells have changed in this directory\n"
        "  cellblock diff --patch results/a.csv    the lines that differ\n"
        "  cellblock diff --list                   of all directories");
    auto options = std::make_shared<Options>();
    app.add_option("PATH", options->paths, "only these files and directories")->type_name("PATH");
    declare_changes_options(app, options->chosen);
    app.add_flag("--list", options->list, "list what is kept, of all directories");
    app.add_flag("--patch", options->patch, "show the lines that differ");
    app.add_flag("--json", options->json, "print JSON");
    return [options, &context]() { return diff(*options, context); };
}

}  // namespace cellblock::cli
