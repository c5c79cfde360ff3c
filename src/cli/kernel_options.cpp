// The table of options, and the readers of their values.
#include "cli/kernel_options.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <cmath>

namespace cellblock::cli {
namespace {

using session::LaunchOptions;

// Less than IPython itself needs would only produce kernels that die at their start.
constexpr Bytes kLeastMemory = 64_MiB;
constexpr Bytes kLeastScratch = 1_MiB;
constexpr Bytes kLeastOutputLimit = 1_MiB;
constexpr int kLeastProcesses = 8;
constexpr double kLeastCpus = 0.01;
constexpr double kMostCpus = 4096;
constexpr std::chrono::hours kLongestWallTime{24 * 365};

// As it would be typed: 2GiB.
std::string typed(Bytes size) {
    std::string text = to_text(size);
    if (const size_t zero = text.find(".0 "); zero != std::string::npos) text.erase(zero, 3);
    return text;
}

Result<double> parse_number(const std::string& text) {
    double number = 0;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || rest != text.data() + text.size())
        return Error("\"" + text + "\" is not a number");
    return number;
}

Result<Bytes> parse_size(const std::string& text, Bytes least) {
    const Bytes size = TRY(parse_bytes(text));
    if (size < least) return Error(text + " is too little; the least is " + to_text(least));
    return size;
}

Result<void> apply_memory(const std::string& text, LaunchOptions& options) {
    options.limits.memory = TRY(parse_size(text, kLeastMemory));
    return {};
}

Result<void> apply_processes(const std::string& text, LaunchOptions& options) {
    int number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size() || number < kLeastProcesses)
        return Error("\"" + text + "\" is not a whole number of at least " + std::to_string(kLeastProcesses));
    options.limits.processes = number;
    return {};
}

Result<void> apply_cpus(const std::string& text, LaunchOptions& options) {
    const double cpus = TRY(parse_number(text));
    if (!(cpus >= kLeastCpus && cpus <= kMostCpus))
        return Error("\"" + text + "\" is not a number of cores from 0.01 up");
    options.limits.cpus = cpus;
    return {};
}

Result<void> apply_scratch(const std::string& text, LaunchOptions& options) {
    options.limits.scratch = TRY(parse_size(text, kLeastScratch));
    return {};
}

Result<void> apply_wall_time(const std::string& text, LaunchOptions& options) {
    options.wall_time = TRY(parse_duration(text));
    return {};
}

Result<void> apply_output_limit(const std::string& text, LaunchOptions& options) {
    options.output_limit = text == "none" ? Bytes{0} : TRY(parse_size(text, kLeastOutputLimit));
    return {};
}

Result<void> apply_isolation(const std::string& text, LaunchOptions& options) {
    options.level = TRY(jail::parse_level(text));
    return {};
}

Result<void> apply_notebook_dir(const std::string& text, LaunchOptions& options) {
    options.notebook_dir = TRY(session::parse_notebook_dir(text));
    return {};
}

Result<void> apply_profile(const std::string& text, LaunchOptions&) {
    if (text == "default") return {};
    return Error("there is no profile \"" + text + "\"; the only one is \"default\"");
}

Result<void> apply_ipython_profile(const std::string& text, LaunchOptions& options) {
    options.ipython_profile = TRY(session::parse_ipython_profile(text));
    return {};
}

// clang-format off
constexpr std::array kOptions{
    KernelOption{"--memory", "SIZE", "memory of everything in the jail together, e.g. 512MiB, 4GiB",
                 [] { return typed(LaunchOptions{}.limits.memory); }, apply_memory},
    KernelOption{"--processes", "N", "processes and threads in the jail",
                 [] { return std::to_string(LaunchOptions{}.limits.processes); }, apply_processes},
    KernelOption{"--cpus", "X", "CPU time per second, in cores, e.g. 1.5",
                 [] { return std::string("all cores"); }, apply_cpus},
    KernelOption{"--scratch", "SIZE", "size of the private /tmp and home directory together",
                 [] { return typed(LaunchOptions{}.limits.scratch); }, apply_scratch},
    KernelOption{"--wall-time", "DURATION", "how long one cell may run, e.g. 60s, 5m, or none",
                 [] { return to_text(LaunchOptions{}.wall_time); }, apply_wall_time},
    KernelOption{"--output-limit", "SIZE", "what one cell may put into the notebook, e.g. 80MiB, or none",
                 [] { return typed(LaunchOptions{}.output_limit); }, apply_output_limit},
    KernelOption{"--isolation", "LEVEL", "full: hard limits through cgroups; namespaced: memory is sampled",
                 [] { return std::string(jail::to_text(LaunchOptions{}.level)); }, apply_isolation},
    KernelOption{"--notebook-dir", "MODE", "what cells see of the directory where the kernel starts: none, or ro (read-only)",
                 [] { return std::string(session::to_text(LaunchOptions{}.notebook_dir)); }, apply_notebook_dir},
    KernelOption{"--profile", "NAME", "named set of settings; \"default\" is the only one",
                 [] { return std::string("default"); }, apply_profile},
    KernelOption{"--ipython-profile", "DIRECTORY", "IPython profile whose configuration and startup files hold: shown read-only, or none",
                 [] { return std::string("none"); }, apply_ipython_profile},
    KernelOption{"--profile-dir", "DIRECTORY", "the same, as ipykernel spells it",
                 [] { return std::string("none"); }, apply_ipython_profile},
};

struct Unit {
    std::string_view name;
    double milliseconds;
};
constexpr std::array kUnits{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}};
// clang-format on

}  // namespace

std::span<const KernelOption> kernel_options() {
    return kOptions;
}

void declare_kernel_options(
    CLI::App& app, const std::string& group,
    const std::function<void(const KernelOption& option, const std::string& text)>& take) {
    for (const KernelOption& option : kOptions) {
        const std::string flag(option.flag);
        app.add_option_function<std::string>(
               flag,
               [&option, flag, take](const std::string& text) {
                   LaunchOptions checked;
                   if (const auto applied = option.apply(text, checked); !applied)
                       throw CLI::ValidationError(flag, applied.error().sentence());
                   take(option, text);
               },
               std::string(option.meaning) + " (default: " + option.standard() + ")")
            ->type_name(std::string(option.value))
            ->group(group);
    }
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    if (text == "none") return std::chrono::milliseconds::zero();
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    const std::string_view unit_name(rest, static_cast<size_t>(end - rest));
    for (const Unit& unit : kUnits) {
        const double total = number * unit.milliseconds;
        // Not zero: that would silently mean "no limit".
        if (error == std::errc{} && unit.name == unit_name && total >= 1 &&
            total <= static_cast<double>(std::chrono::milliseconds(kLongestWallTime).count()))
            return std::chrono::milliseconds(std::llround(total));
    }
    return Error("read the duration \"" + std::string(text.substr(0, 64)) +
                 "\": a positive number and a unit are expected")
        .with_remedy("Write for example 500ms, 60s, 5m or 2h; \"none\" means no limit.");
}

std::string to_text(std::chrono::milliseconds duration) {
    if (duration == std::chrono::milliseconds::zero()) return "none";
    for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) {
        const auto size = static_cast<int64_t>(unit->milliseconds);
        if (duration.count() % size == 0)
            return std::to_string(duration.count() / size) + std::string(unit->name);
    }
    return std::to_string(duration.count()) + "ms";
}

}  // namespace cellblock::cli
