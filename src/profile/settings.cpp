// The rows, and the four things that are done with each: read, write, compare, describe.
#include "profile/settings.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/printable.hpp"
#include "base/words.hpp"
#include "profile/numbers.hpp"
#include "session/environment.hpp"

namespace cellblock::profile {
namespace {

using session::LaunchOptions;
using std::chrono::milliseconds;
using Unit = Number::Unit;

// Less than IPython itself needs would only produce kernels that die at their start.
constexpr double kLeastMemory = bytes(64_MiB);
constexpr double kLeastSpace = bytes(1_MiB);  // in files, and of output
constexpr double kMostBytes = bytes(1024_GiB) * 1024;
constexpr double kLeastProcesses = 8;
constexpr double kMostProcesses = 1 << 22;  // pid_max of Linux
constexpr double kLeastCpus = 0.01;
constexpr double kMostCpus = 4096;

Bytes to_bytes(double value) {
    return Bytes{static_cast<uint64_t>(or_zero(value))};
}
milliseconds to_duration(double value) {
    return milliseconds(std::llround(or_zero(value)));
}

constexpr std::array<std::string_view, 2> kBackgrounds{"kill", "keep"};
constexpr std::array<std::string_view, 2> kLevels{"full", "namespaced"};
// The first provides all that the others do (policy/guarantees.cpp), and each of those something else.
constexpr std::array<std::string_view, 3> kBackends{"native", "bwrap", "runsc"};
constexpr std::array<std::string_view, 2> kLandlockUses{"required", "optional"};
constexpr std::array<std::string_view, 3> kNetworks{"none", "localhost", "allow"};
constexpr std::array<std::string_view, 4> kNotebookDirs{"none", "ro", "cow", "rw"};
// In the order of the enumerations.
constexpr std::array<std::string_view, 2> kAuditOnError{"stop", "continue"};
constexpr std::array<std::string_view, 3> kAuditSync{"each", "cell", "interval"};
constexpr std::array<std::string_view, 2> kAuditCode{"full", "hash"};

// What an empty list is called, and no IPython profile.
constexpr std::string_view kNone = "none";
constexpr char kNameSeparator = ',';
// Values have commas, as in OMP_PLACES={0,1}.
constexpr char kVariableSeparator = ';';

std::string joined(const auto& items, std::string_view separator) {
    std::string text;
    for (const std::string_view item : items) text.append(text.empty() ? "" : separator).append(item);
    return text;
}

std::string list_text(const std::vector<std::string>& items, char separator) {
    return items.empty() ? std::string(kNone) : joined(items, {&separator, 1});
}

/// Sorted, and each once: the order says nothing, so that it must not make a difference either.
std::vector<std::string> separated(const std::string& text, char separator) {
    if (text == kNone) return {};
    std::set<std::string> items;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(separator, begin), text.size());
        items.insert(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return {items.begin(), items.end()};
}

template <class T>
void keep_common(std::vector<T>& value, const std::vector<T>& bound) {
    std::erase_if(value, [&](const T& item) { return std::ranges::count(bound, item) == 0; });
}

/// Each port for itself, so that lists which differ in ports alone have something in common.
std::string endpoints_text(const std::vector<Endpoint>& endpoints) {
    std::vector<std::string> items;
    for (const Endpoint& endpoint : endpoints) items.push_back(to_text(endpoint));
    return list_text(items, kNameSeparator);
}

Result<std::vector<Endpoint>> read_endpoints(const std::string& text) {
    std::set<Endpoint> endpoints;
    for (const std::string& item : separated(text, kNameSeparator))
        for (Endpoint& endpoint : TRY(parse_endpoints(item))) endpoints.insert(std::move(endpoint));
    std::vector<Endpoint> all(endpoints.begin(), endpoints.end());
    TRY(check_endpoints(all));
    return all;
}

// clang-format off
constexpr std::array kSettings{
    Setting{"limits.memory", "--memory", "", "SIZE", "memory of everything in the jail together, e.g. 512MiB, 4GiB",
            Number{Unit::size, kLeastMemory, kMostBytes, "",
                   [](const LaunchOptions& o) { return bytes(o.limits.memory); },
                   [](LaunchOptions& o, double value) { o.limits.memory = to_bytes(value); }}},
    Setting{"limits.soft_memory", "--soft-memory", "", "SHARE", "where a cell gets a MemoryError and keeps its variables, as a share of the memory, e.g. 80%, or none",
            Number{Unit::percent, 50, 99, "none",
                   [](const LaunchOptions& o) { return or_no_limit(o.soft_memory_percent); },
                   [](LaunchOptions& o, double value) { o.soft_memory_percent = int(or_zero(value)); }}},
    Setting{"limits.processes", "--processes", "", "N", "processes and threads in the jail",
            Number{Unit::count, kLeastProcesses, kMostProcesses, "",
                   [](const LaunchOptions& o) { return double(o.limits.processes); },
                   [](LaunchOptions& o, double value) { o.limits.processes = int(value); }}},
    Setting{"limits.cpus", "--cpus", "", "X", "CPU time per second, in cores, e.g. 1.5, or all",
            Number{Unit::cores, kLeastCpus, kMostCpus, "all",
                   [](const LaunchOptions& o) { return or_no_limit(o.limits.cpus); },
                   [](LaunchOptions& o, double value) { o.limits.cpus = or_zero(value); }}},
    Setting{"limits.scratch", "--scratch", "", "SIZE", "size of the private /tmp and home directory together; the same again for what --notebook-dir takes",
            Number{Unit::size, kLeastSpace, kMostBytes, "",
                   [](const LaunchOptions& o) { return bytes(o.limits.scratch); },
                   [](LaunchOptions& o, double value) { o.limits.scratch = to_bytes(value); }}},
    Setting{"limits.scratch_files", "--scratch-files", "", "N", "files and directories in them, and in /dev/shm as many again",
            Number{Unit::count, 256, 1 << 30, "",
                   [](const LaunchOptions& o) { return double(o.limits.scratch_inodes); },
                   [](LaunchOptions& o, double value) { o.limits.scratch_inodes = uint64_t(value); }}},
    Setting{"limits.shared_memory", "--shared-memory", "", "SIZE", "size of /dev/shm, which multiprocessing uses",
            Number{Unit::size, kLeastSpace, kMostBytes, "",
                   [](const LaunchOptions& o) { return bytes(o.limits.shared_memory); },
                   [](LaunchOptions& o, double value) { o.limits.shared_memory = to_bytes(value); }}},
    Setting{"limits.file_size", "--file-size", "", "SIZE", "size of one file",
            Number{Unit::size, kLeastSpace, kMostBytes, "",
                   [](const LaunchOptions& o) { return bytes(o.limits.file_size); },
                   [](LaunchOptions& o, double value) { o.limits.file_size = to_bytes(value); }}},
    Setting{"limits.open_files", "--open-files", "", "N", "files that one process may have open",
            Number{Unit::count, 64, 1 << 20, "",
                   [](const LaunchOptions& o) { return double(o.limits.open_files); },
                   [](LaunchOptions& o, double value) { o.limits.open_files = int(value); }}},
    Setting{"limits.wall_time", "--wall-time", "", "DURATION", "how long one cell may run, e.g. 60s, 5m, or none",
            Number{Unit::duration, 1, ms(kLongest), "none",
                   [](const LaunchOptions& o) { return or_no_limit(ms(o.wall_time)); },
                   [](LaunchOptions& o, double value) { o.wall_time = to_duration(value); }}},
    Setting{"limits.cpu_time", "--cpu-time", "", "DURATION", "CPU time that one cell and its child processes may use, e.g. 60s, 5m, or none",
            Number{Unit::duration, 1, ms(kLongest), "none",
                   [](const LaunchOptions& o) { return or_no_limit(ms(o.cpu_time)); },
                   [](LaunchOptions& o, double value) { o.cpu_time = to_duration(value); }}},
    Setting{"limits.output", "--output-limit", "", "SIZE", "what one cell may put into the notebook, e.g. 80MiB, or none",
            Number{Unit::size, kLeastSpace, kMostBytes, "none",
                   [](const LaunchOptions& o) { return or_no_limit(bytes(o.output_limit)); },
                   [](LaunchOptions& o, double value) { o.output_limit = to_bytes(value); }}},
    Setting{"limits.background", "--background", "", "WORD", "what becomes of processes that outlive their cell: keep, or kill",
            Choice{kBackgrounds,
                   [](const LaunchOptions& o) { return kBackgrounds[o.background == session::Background::kill ? 0 : 1]; },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.background = word == kBackgrounds[0] ? session::Background::kill : session::Background::keep; return {}; }}},
    Setting{"isolation.level", "--isolation", "", "LEVEL", "full: hard limits through cgroups; namespaced: memory is sampled",
            Choice{kLevels,
                   [](const LaunchOptions& o) { return jail::to_text(o.level); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.level = TRY(jail::parse_level(word)); return {}; }}},
    Setting{"isolation.backend", "--backend", "", "NAME", "who makes the jail: native, which is Cellblock itself, bwrap, which is bubblewrap, or runsc, which is gVisor; the latter two provide less",
            Choice{kBackends,
                   [](const LaunchOptions& o) { return jail::to_text(o.backend); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.backend = TRY(jail::parse_backend(word)); return {}; },
                   1},
            /*strangers_may_tighten=*/false},
    Setting{"isolation.landlock", "--landlock", "", "USE", "the second lock behind the mounts: required, or optional where the host's kernel has none",
            Choice{kLandlockUses,
                   [](const LaunchOptions& o) { return kLandlockUses.at(o.landlock == jail::LandlockUse::required ? 0 : 1); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.landlock = word == kLandlockUses[0] ? jail::LandlockUse::required : jail::LandlockUse::optional; return {}; }}},
    Setting{"files.notebook_dir", "--notebook-dir", "", "MODE", "what cells may do in the directory where the kernel starts: none, ro (read), cow (write, kept apart until \"cellblock apply\"), rw",
            Choice{kNotebookDirs,
                   [](const LaunchOptions& o) { return session::to_text(o.notebook_dir); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.notebook_dir = TRY(session::parse_notebook_dir(word)); return {}; }}},
    Setting{"network.mode", "--network", "", "MODE", "what cells have of a network: none, localhost (a loopback of their own), allow (also the names of --network-allow)",
            Choice{kNetworks,
                   [](const LaunchOptions& o) { return jail::to_text(o.network); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.network = TRY(jail::parse_network(word)); return {}; }}},
    Setting{"network.allow", "--network-allow", "", "NAMES", "names that cells reach with --network allow, each with a port, or without for 443 and 80, e.g. data.example.org,db.example.org:5432, or none",
            Text{"names of hosts, with a port or without", "fewer", R"(["data.example.org", "db.example.org:5432"])", kNameSeparator,
                 [](const LaunchOptions& o) { return endpoints_text(o.allowed); },
                 [](LaunchOptions& o, const std::string& text) -> Result<void> { o.allowed = TRY(read_endpoints(text)); return {}; },
                 [](LaunchOptions& value, const LaunchOptions& bound) { keep_common(value.allowed, bound.allowed); }}},
    Setting{"python.ipython_profile", "--ipython-profile", "--profile-dir", "DIRECTORY", "IPython profile whose configuration and startup files hold: shown read-only, or none",
            Text{"the absolute path of an IPython profile, or none", "none", R"("/home/ann/.ipython/profile_default")", 0,
                 [](const LaunchOptions& o) { return o.ipython_profile.empty() ? std::string(kNone) : o.ipython_profile; },
                 [](LaunchOptions& o, const std::string& text) -> Result<void> { o.ipython_profile = TRY(session::parse_ipython_profile(text)); return {}; },
                 [](LaunchOptions& value, const LaunchOptions& bound) { if (value.ipython_profile != bound.ipython_profile) value.ipython_profile.clear(); }},
            false},
    Setting{"environment.pass", "--env-pass", "", "NAMES", "environment variables of the kernel process that cells get too, e.g. OMP_NUM_THREADS,NO_COLOR, or none",
            Text{"names of environment variables", "fewer", R"(["OMP_NUM_THREADS", "NO_COLOR"])", kNameSeparator,
                 [](const LaunchOptions& o) { return list_text(o.passed_variables, kNameSeparator); },
                 [](LaunchOptions& o, const std::string& text) -> Result<void> { auto names = separated(text, kNameSeparator); TRY(session::check_variable_names(names)); o.passed_variables = std::move(names); return {}; },
                 [](LaunchOptions& value, const LaunchOptions& bound) { keep_common(value.passed_variables, bound.passed_variables); }}},
    Setting{"environment.set", "--env-set", "", "VARIABLES", "environment variables that cells get with these values, e.g. 'MODE=test;OMP_NUM_THREADS=2', or none",
            Text{"variables as NAME=value", "fewer", R"(["OMP_NUM_THREADS=2"])", kVariableSeparator,
                 [](const LaunchOptions& o) { return list_text(o.set_variables, kVariableSeparator); },
                 [](LaunchOptions& o, const std::string& text) -> Result<void> {
                     auto variables = separated(text, kVariableSeparator);
                     TRY(session::check_variables(variables));
                     o.set_variables = std::move(variables);
                     return {}; },
                 [](LaunchOptions& value, const LaunchOptions& bound) { keep_common(value.set_variables, bound.set_variables); }},
            false},
    Setting{"audit.path", "--audit", "", "DIRECTORY", "where an audit log of what runs is written: a directory, default for the user's own, or none",
            Text{"an absolute path, default or none", "the ceiling's", R"("default")", 0,
                 [](const LaunchOptions& o) { return o.audit.path.empty() ? std::string(kNone) : o.audit.path; },
                 [](LaunchOptions& o, const std::string& text) -> Result<void> { o.audit.path = TRY(session::parse_audit_path(text)); return {}; },
                 [](LaunchOptions& value, const LaunchOptions& bound) { value.audit.path = bound.audit.path; }},
            false},
    Setting{"audit.on_error", "--audit-on-error", "", "WORD", "what happens to cells while the log cannot be written: they stop, or they continue",
            Choice{kAuditOnError,
                   [](const LaunchOptions& o) { return kAuditOnError.at(size_t(o.audit.on_error)); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.audit.on_error = word == kAuditOnError[0] ? observe::OnError::stop : observe::OnError::go_on; return {}; }}},
    Setting{"audit.sync", "--audit-sync", "", "WHEN", "when records are forced to the disk: after each, after each cell, or at an interval of 1 s",
            Choice{kAuditSync,
                   [](const LaunchOptions& o) { return observe::to_text(o.audit.sync); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.audit.sync = observe::Sync(std::ranges::find(kAuditSync, word) - kAuditSync.begin()); return {}; }}},
    Setting{"audit.code", "--audit-code", "", "WORD", "what the log says of a cell's code: full, or only its hash",
            Choice{kAuditCode,
                   [](const LaunchOptions& o) { return kAuditCode.at(size_t(o.audit.code)); },
                   [](LaunchOptions& o, const std::string& word) -> Result<void> { o.audit.code = word == kAuditCode[0] ? session::RecordedCode::full : session::RecordedCode::hash; return {}; }},
            false},
};

// clang-format on

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string one_of(const Choice& choice) {
    return "one of " + joined(choice.words, ", ");
}

Result<void> apply_number(const Number& number, const std::string& text, LaunchOptions& options) {
    if (!number.unlimited.empty() && text == number.unlimited) {
        number.set(options, kNoLimit);
        return {};
    }
    const double value = TRY(read_number(number, text));
    // from_chars reads "nan" too: no comparison holds for it.
    if (!(value >= number.least && value <= number.most))
        return Error(in_quotes(text) + " is out of range: " + range_text(number) + " is expected");
    number.set(options, value);
    return {};
}

Result<void> apply_choice(const Choice& choice, const std::string& word, LaunchOptions& options) {
    TRY(find_word(word, choice.words));
    return choice.set(options, word);
}

size_t place(const Choice& choice, const LaunchOptions& options) {
    return static_cast<size_t>(std::ranges::find(choice.words, choice.get(options)) - choice.words.begin());
}

}  // namespace

std::span<const Setting> settings() {
    return kSettings;
}

const Setting* find_setting(std::string_view key) {
    const auto found =
        std::ranges::find_if(kSettings, [&](const Setting& setting) { return setting.key == key; });
    return found == kSettings.end() ? nullptr : &*found;
}

Result<void> apply(const Setting& setting, const std::string& text, LaunchOptions& options) {
    return std::visit(Overloaded{[&](const Number& number) { return apply_number(number, text, options); },
                                 [&](const Choice& choice) { return apply_choice(choice, text, options); },
                                 [&](const Text& other) { return other.set(options, text); }},
                      setting.type);
}

std::string value_of(const Setting& setting, const LaunchOptions& options) {
    return std::visit(Overloaded{[&](const Number& number) { return written(number, number.get(options)); },
                                 [&](const Choice& choice) { return std::string(choice.get(options)); },
                                 [&](const Text& other) { return other.get(options); }},
                      setting.type);
}

std::string default_of(const Setting& setting) {
    return value_of(setting, LaunchOptions{});
}

void tighten(const Setting& setting, LaunchOptions& value, const LaunchOptions& bound) {
    std::visit(Overloaded{[&](const Number& number) {
                              number.set(value, std::min(number.get(value), number.get(bound)));
                          },
                          [&](const Choice& choice) {
                              const size_t own = place(choice, value);
                              const size_t other = place(choice, bound);
                              size_t tightest = std::min(own, other);
                              if (own != other && tightest >= choice.ordered) tightest = choice.ordered - 1;
                              choice.set(value, std::string(choice.words[tightest])).value();
                          },
                          [&](const Text& other) { other.tighten(value, bound); }},
               setting.type);
}

std::string expected(const Setting& setting) {
    return std::visit(Overloaded{[](const Number& number) { return range_text(number); },
                                 [](const Choice& choice) { return one_of(choice); },
                                 [](const Text& other) { return std::string(other.expected); }},
                      setting.type);
}

std::string tighter(const Setting& setting) {
    const char* const who = setting.strangers_may_tighten ? "" : "; not for projects and notebooks to say";
    return std::visit(Overloaded{[](const Number&) { return std::string("less"); },
                                 [](const Choice& choice) {
                                     const size_t ordered = std::min(choice.ordered, choice.words.size());
                                     const std::string first =
                                         joined(choice.words.first(ordered), " before ");
                                     const std::string rest = joined(choice.words.subspan(ordered), " and ");
                                     return rest.empty() ? first : first + " before " + rest;
                                 },
                                 [](const Text& other) { return std::string(other.tighter); }},
                      setting.type) +
           who;
}

std::string example(const Setting& setting) {
    if (const auto* text = std::get_if<Text>(&setting.type)) return std::string(text->example);
    const std::string value = default_of(setting);
    const auto* number = std::get_if<Number>(&setting.type);
    const bool bare = number && is_bare(number->unit) && value != number->unlimited;
    return bare ? value : "\"" + value + "\"";
}

}  // namespace cellblock::profile
