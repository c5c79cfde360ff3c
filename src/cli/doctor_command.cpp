// `cellblock doctor`: what this host can enforce, tried out and not guessed, with a way out where it cannot.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/check.hpp"
#include "cli/commands.hpp"
#include "cli/doctor.hpp"
#include "cli/json_output.hpp"
#include "cli/profile_places.hpp"
#include "cli/table.hpp"
#include "jail/policy/guarantees.hpp"
#include "profile/layers.hpp"

namespace cellblock::cli {
namespace {

using jail::Probe;

struct Options {
    profile::Arguments profile;
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

constexpr std::array kLevels{jail::Level::full, jail::Level::namespaced};

/// Empty for a level that the backend does not have.
const char* deciding_probe(const Demand& demand) {
    const bool full = demand.level == jail::Level::full;
    switch (demand.backend) {
        case jail::Backend::native:
            return full ? jail::kFullJailProbe : jail::kNamespacedJailProbe;
        case jail::Backend::bwrap:
            return full ? jail::kFullBwrapProbe : jail::kNamespacedBwrapProbe;
        case jail::Backend::runsc:
            return full ? jail::kFullGvisorProbe : "";
    }
    UNREACHABLE();
}

bool works(const std::vector<Probe>& probes, std::string_view name) {
    const auto found =
        std::find_if(probes.begin(), probes.end(), [&](const Probe& probe) { return probe.name == name; });
    return found != probes.end() && found->status != Probe::Status::missing;
}

}  // namespace

bool can_enforce(const std::vector<Probe>& probes, const Demand& demand) {
    const bool needs_landlock = demand.landlock == jail::LandlockUse::required &&
                                jail::policy::provides(demand.backend, jail::policy::Guarantee::landlock);
    return works(probes, deciding_probe(demand)) && (!needs_landlock || works(probes, jail::kLandlockProbe));
}

std::string diagnosis_text(const std::vector<Probe>& probes, const Demand& asked) {
    Table table({"PROBE", "STATUS", "FINDING"});
    for (const Probe& probe : probes)
        table.add({probe.name, std::string(jail::to_text(probe.status)), probe.finding});
    std::string text = table.text();
    text += "\n";
    for (const auto& [remedy, names] : remedies(probes)) text += names + ": " + remedy + "\n\n";
    std::string levels;
    for (const jail::Level level : kLevels)
        if (can_enforce(probes, {level, asked.landlock, "", asked.backend}))
            levels += (levels.empty() ? "" : ", ") + std::string(jail::to_text(level));
    text += "Isolation levels that this host can enforce" +
            (asked.backend == jail::Backend::native
                 ? ""
                 : " with the backend " + std::string(jail::to_text(asked.backend))) +
            ": " + (levels.empty() ? "none" : levels) + ".\n";
    if (asked.landlock == jail::LandlockUse::optional && !works(probes, jail::kLandlockProbe))
        text += "Jails are degraded here: there is no Landlock, and the profile does without.\n";
    if (!can_enforce(probes, asked))
        text += "A kernel with " +
                (asked.profile.empty() ? "" : "the profile " + asked.profile + ", which means ") +
                "--isolation " + std::string(jail::to_text(asked.level)) + " would not start here.\n";
    for (const auto& [backend, how] : {std::pair(jail::Backend::bwrap, "bubblewrap makes the jail"),
                                       std::pair(jail::Backend::runsc, "gVisor runs the jail")})
        if (!can_enforce(probes, asked) && can_enforce(probes, {asked.level, asked.landlock, "", backend}))
            text += "With --backend " + std::string(jail::to_text(backend)) + " it would: " + how +
                    ", and provides less (see cellblock explain backends).\n";
    if (!can_enforce(probes, asked) && asked.level == jail::Level::full &&
        can_enforce(probes, {jail::Level::namespaced, asked.landlock, "", asked.backend}))
        text += "With --isolation namespaced" +
                (asked.profile.empty() ? std::string() : " beside --profile " + asked.profile) +
                " it would: the same namespaces and filters, but memory is sampled instead of limited.\n";
    return text;
}

std::string diagnosis_json(const std::vector<Probe>& probes, const Demand& asked) {
    nlohmann::ordered_json report;
    if (!asked.profile.empty()) report["profile"] = asked.profile;
    report["isolation"] = jail::to_text(asked.level);
    report["backend"] = jail::to_text(asked.backend);
    report["landlock"] = asked.landlock == jail::LandlockUse::required ? "required" : "optional";
    report["enforceable"] = can_enforce(probes, asked);
    for (const jail::Level level : kLevels)
        report["levels"][std::string(jail::to_text(level))] =
            can_enforce(probes, {level, asked.landlock, "", asked.backend});
    report["probes"] = nlohmann::ordered_json::array();
    for (const Probe& probe : probes)
        report["probes"].push_back({{"name", probe.name},
                                    {"status", jail::to_text(probe.status)},
                                    {"finding", probe.finding},
                                    {"remedy", probe.remedy}});
    return json_output(report);
}

Action declare_doctor(CLI::App& app, const Context& context) {
    app.footer("The exit status is 0 when a kernel with these settings would start, else 1.");
    auto options = std::make_shared<Options>();
    const auto declare = [&app, &options](const char* key, const char* about) {
        const profile::Setting& setting = *profile::find_setting(key);
        app.add_option_function<std::string>(
               std::string(setting.flag),
               [options, &setting](const std::string& text) {
                   session::LaunchOptions checked;
                   if (const auto applied = profile::apply(setting, text, checked); !applied)
                       throw CLI::ValidationError(std::string(setting.flag), applied.error().sentence());
                   options->profile.settings.emplace_back(&setting, text);
               },
               about)
            ->type_name(std::string(setting.value));
    };
    declare("isolation.level", "the level that is asked for: full or namespaced (default: the profile's)");
    declare("isolation.backend",
            "the backend that is asked for: native, bwrap or runsc (default: the profile's)");
    app.add_option("--profile", options->profile.profile,
                   "the profile that is asked for, by name or path (default: what the configuration says)")
        ->type_name("NAME");
    app.add_flag("--json", options->json, "print JSON");
    return [options, &context]() -> Result<int> {
        const profile::Effective effective = TRY(profile::resolve(host_places(context), options->profile));
        const Demand asked{effective.options.level, effective.options.landlock, options->profile.profile,
                           effective.options.backend};
        std::vector<Probe> probes = context.probe_host();
        const Probe installation = probe_installation(context);
        probes.push_back(installation);
        context.out << (options->json ? diagnosis_json(probes, asked) : diagnosis_text(probes, asked));
        const bool good = can_enforce(probes, asked) && installation.status == Probe::Status::ok;
        return good ? 0 : kFailed;
    };
}

}  // namespace cellblock::cli
