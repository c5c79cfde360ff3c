// `cellblock doctor`: what this host can enforce, tried out and not guessed, with a way out where it cannot.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/doctor.hpp"
#include "cli/table.hpp"

namespace cellblock::cli {
namespace {

using jail::Probe;

struct Options {
    jail::Level level = jail::Level::full;
    bool json = false;
};

Probe probe_installation(const Context& context) {
    Probe probe{"installation", Probe::Status::ok,
                "worker package and kernelspec in " + context.library_directory, ""};
    for (const char* file : {"cellblock_worker/__main__.py", "kernelspec/kernel.json.in"}) {
        std::error_code error;
        if (std::filesystem::exists(context.library_directory + "/" + file, error)) continue;
        probe.status = Probe::Status::missing;
        probe.finding = context.library_directory + "/" + file + " does not exist";
        probe.remedy = "Install Cellblock again: its lib directory belongs beside its bin directory.";
    }
    return probe;
}

// Each remedy once, with the names of the probes that it helps.
std::vector<std::pair<std::string, std::string>> remedies(const std::vector<Probe>& probes) {
    std::vector<std::pair<std::string, std::string>> found;
    for (const Probe& probe : probes) {
        if (probe.remedy.empty()) continue;
        const auto same = std::find_if(found.begin(), found.end(),
                                       [&](const auto& row) { return row.first == probe.remedy; });
        if (same == found.end())
            found.emplace_back(probe.remedy, probe.name);
        else
            same->second += ", " + probe.name;
    }
    return found;
}

}  // namespace

bool can_enforce(const std::vector<Probe>& probes, jail::Level level) {
    const std::string_view name =
        level == jail::Level::full ? jail::kFullJailProbe : jail::kNamespacedJailProbe;
    const auto found =
        std::find_if(probes.begin(), probes.end(), [&](const Probe& probe) { return probe.name == name; });
    return found != probes.end() && found->status != Probe::Status::missing;
}

std::string diagnosis_text(const std::vector<Probe>& probes, jail::Level asked) {
    Table table({"PROBE", "STATUS", "FINDING"});
    for (const Probe& probe : probes)
        table.add({probe.name, std::string(jail::to_text(probe.status)), probe.finding});
    std::string text = table.text();
    text += "\n";
    for (const auto& [remedy, names] : remedies(probes)) text += names + ": " + remedy + "\n\n";
    std::string levels;
    for (const jail::Level level : {jail::Level::full, jail::Level::namespaced})
        if (can_enforce(probes, level))
            levels += (levels.empty() ? "" : ", ") + std::string(jail::to_text(level));
    text += "Isolation levels that this host can enforce: " + (levels.empty() ? "none" : levels) + ".\n";
    if (!can_enforce(probes, asked))
        text += "A kernel with --isolation " + std::string(jail::to_text(asked)) + " would not start here.\n";
    return text;
}

std::string diagnosis_json(const std::vector<Probe>& probes, jail::Level asked) {
    nlohmann::ordered_json report;
    report["isolation"] = jail::to_text(asked);
    report["enforceable"] = can_enforce(probes, asked);
    for (const jail::Level level : {jail::Level::full, jail::Level::namespaced})
        report["levels"][std::string(jail::to_text(level))] = can_enforce(probes, level);
    report["probes"] = nlohmann::ordered_json::array();
    for (const Probe& probe : probes)
        report["probes"].push_back({{"name", probe.name},
                                    {"status", jail::to_text(probe.status)},
                                    {"finding", probe.finding},
                                    {"remedy", probe.remedy}});
    return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Action declare_doctor(CLI::App& app, const Context& context) {
    app.footer("The exit status is 0 when the level can be enforced, else 1.");
    auto options = std::make_shared<Options>();
    app.add_option_function<std::string>(
           "--isolation",
           [options](const std::string& text) {
               const auto level = jail::parse_level(text);
               if (!level) throw CLI::ValidationError("--isolation", level.error().sentence());
               options->level = *level;
           },
           "the level that is asked for: full or namespaced (default: full)")
        ->type_name("LEVEL");
    app.add_flag("--json", options->json, "print JSON");
    return [options, &context]() -> Result<int> {
        std::vector<Probe> probes = context.probe_host();
        const Probe installation = probe_installation(context);
        probes.push_back(installation);
        context.out << (options->json ? diagnosis_json(probes, options->level)
                                      : diagnosis_text(probes, options->level));
        const bool good = can_enforce(probes, options->level) && installation.status == Probe::Status::ok;
        return good ? 0 : kFailed;
    };
}

}  // namespace cellblock::cli
