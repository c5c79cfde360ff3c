// resolve() is the page to read: one layer after the other, and at the end the ceilings.
#include "profile/layers.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include "base/printable.hpp"
#include "observe/hash.hpp"
#include "profile/document.hpp"
#include "profile/file.hpp"
#include "shipped_profiles.hpp"

namespace cellblock::profile {
namespace {

namespace fs = std::filesystem;
using session::LaunchOptions;

constexpr std::string_view kDefaultProfile = "default";
constexpr size_t kMaxName = 64;

std::string file_in(const std::string& directory) {
    return directory + "/" + kFileName;
}

bool is_path(const std::string& name) {
    return name.find('/') != std::string::npos;
}

Result<void> check_name(const std::string& name) {
    const bool good =
        !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](unsigned char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                   c == '-';
        });
    if (good) return {};
    return Error(in_quotes(name) + " cannot be the name of a profile")
        .with_remedy("Names have letters, digits, \"_\" and \"-\"; a path has a \"/\" in it.");
}

Result<Document> read_text(const std::string& text, const std::string& name, Extent extent) {
    const Node root = TRY(parse_toml(text, name));
    return read_document(root, extent);
}

/// Nothing when there is no such file.
Result<std::optional<Document>> read_file(const std::string& path, Trust trust, Extent extent,
                                          uid_t owner = 0) {
    const auto text = TRY(read_if_present(path, trust, kMaxProfileSize, owner));
    if (!text) return std::optional<Document>();
    return std::optional(TRY(read_text(*text, path, extent)));
}

std::string list_of(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

Result<Document> find_profile(const std::string& name, const Places& places) {
    if (is_path(name)) {
        auto found = TRY(read_file(name, Trust::user, Extent::base));
        if (!found) return Error("read the profile " + name, ENOENT);
        return *std::move(found);
    }
    TRY(check_name(name));
    // The shipped ones first: their names mean the same everywhere.
    if (const std::string text = shipped_profile(name); !text.empty())
        return read_text(text, "profile " + name, Extent::base);
    for (const auto& [directory, trust] :
         {std::pair(places.system, Trust::system), std::pair(places.user, Trust::user)}) {
        if (directory.empty()) continue;
        auto found = TRY(
            read_file(directory + "/profiles/" + name + ".toml", trust, Extent::base, places.system_owner));
        if (found) return *std::move(found);
    }
    return Error("there is no profile \"" + name + "\"")
        .with_remedy("There are: " + list_of(profile_names(places)) +
                     ". A file is named by its path, with a \"/\".");
}

/// Values, and for each where it comes from.
class State {
  public:
    State() { start_over(); }

    /// A profile is a whole: what lower layers said does not shine through it.
    void start_over() {
        options_ = {};
        profile_ = kDefaultProfile;
        origins_.assign(settings().size(), std::string(kDefaultProfile));
        asked_.assign(settings().size(), false);
        bounds_.assign(settings().size(), "");
        names_were_reached_ = false;
    }

    void set(const Setting& setting, const std::string& text, const std::string& origin) {
        apply(setting, text, options_).value();  // has been checked
        origins_[place(setting)] = origin;
        asked_[place(setting)] = true;
        names_were_reached_ |= reaches_names() && !options_.allowed.empty();
    }

    void name_profile(const std::string& name) { profile_ = name; }

    /// As far as it tightens. What it does not is noted: somebody believes that it holds.
    void tighten_by(const Entry& entry) {
        if (!entry.setting->strangers_may_tighten) return note_what_is_not_theirs(entry);
        const auto [wanted, before, after] = meet(entry);
        if (after != before) bound(*entry.setting, entry.place, entry.place);
        if (after != wanted) note_disobeyed(entry, wanted, "projects and notebooks can only tighten", after);
    }

    void cap_by(const Entry& ceiling) {
        const std::string origin = origins_[place(*ceiling.setting)];
        const auto [most, before, after] = meet(ceiling);
        if (after == before) return;
        bound(*ceiling.setting, "ceiling in " + ceiling.place, "the ceiling in " + ceiling.place);
        if (asked_[place(*ceiling.setting)])
            notes_.push_back(origin + ": " + std::string(ceiling.setting->key) + " = " + before +
                             " is not obeyed: the system's ceiling is " + most + " (" + ceiling.place + ")");
    }

    void note(const std::string& sentence) { notes_.push_back(sentence); }

    /// Whoever names hosts means to reach them. Where some layer did, another has switched it off on purpose.
    void note_names_out_of_reach() {
        if (options_.allowed.empty() || reaches_names() || names_were_reached_) return;
        const Setting& names = *find_setting("network.allow");
        const Setting& mode = *find_setting("network.mode");
        notes_.push_back(origins_[place(names)] + ": " + std::string(names.key) + " = " +
                         value_of(names, options_) + " has no effect: " + std::string(mode.key) + " is " +
                         value_of(mode, options_) + " (from " + origins_[place(mode)] +
                         "), and only allow reaches names");
    }

    Effective finish() && {
        Effective effective;
        for (const Setting& setting : settings())
            effective.lines.push_back({&setting, value_of(setting, options_), origins_[place(setting)]});
        effective.options = std::move(options_);
        for (const Setting& setting : settings())
            if (const std::string& where = bounds_[place(setting)]; !where.empty())
                effective.options.bounds.push_back(
                    {std::string(setting.flag),
                     std::string(setting.key) + " in " + printable_sentence(where)});
        effective.profile = std::move(profile_);
        // Names and values of strangers are quoted in them, and they go to terminals, logs and banners.
        for (const std::string& note : notes_) effective.notes.push_back(printable_sentence(note));
        return effective;
    }

  private:
    [[nodiscard]] bool reaches_names() const { return options_.network == jail::Network::allow; }

    static size_t place(const Setting& setting) { return static_cast<size_t>(&setting - settings().data()); }

    void note_disobeyed(const Entry& entry, const std::string& wanted, const char* why,
                        const std::string& holds) {
        notes_.push_back(entry.place + ": " + std::string(entry.setting->key) + " = " + wanted +
                         " is not obeyed: " + why + ", and " + holds + " holds here (from " +
                         origins_[place(*entry.setting)] + ")");
    }

    // Their text is compared, not read: reading may look at files.
    void note_what_is_not_theirs(const Entry& entry) {
        const std::string holds = value_of(*entry.setting, options_);
        if (entry.text != holds)
            note_disobeyed(entry, entry.text, "that is not for projects and notebooks to say", holds);
    }

    struct Meeting {
        std::string other;
        std::string before;
        std::string after;
    };
    Meeting meet(const Entry& entry) {
        LaunchOptions other;
        apply(*entry.setting, entry.text, other).value();  // has been checked
        const std::string before = value_of(*entry.setting, options_);
        tighten(*entry.setting, options_, other);
        return {value_of(*entry.setting, other), before, value_of(*entry.setting, options_)};
    }

    void bound(const Setting& setting, const std::string& origin, const std::string& where) {
        origins_[place(setting)] = origin;
        bounds_[place(setting)] = where;
    }

    LaunchOptions options_;
    std::string profile_;
    std::vector<std::string> origins_;
    std::vector<bool> asked_;          // by somebody, not only by default
    std::vector<std::string> bounds_;  // where a bound was said; empty: it can be raised
    std::vector<std::string> notes_;
    bool names_were_reached_ = false;  // at some layer
};

/// The profile `name` and those that it starts from, the last of them first.
Result<void> start_from(const std::string& name, const Places& places, State& state) {
    std::vector<std::pair<std::string, Document>> chain;
    for (std::string next = name; !next.empty();) {
        if (chain.size() == kMaxBases)
            return Error("read the profile " + name + ": more than " + std::to_string(kMaxBases) +
                         " profiles start from one another")
                .with_remedy("Look for a circle in their lines \"profile = …\".");
        Document document = TRY(find_profile(next, places));
        std::string base = document.base;
        chain.emplace_back(std::move(next), std::move(document));
        next = std::move(base);
    }
    state.start_over();
    for (auto link = chain.rbegin(); link != chain.rend(); ++link)
        for (const Entry& entry : link->second.entries)
            state.set(*entry.setting, entry.text,
                      is_path(link->first) ? entry.place : "profile " + link->first);
    state.name_profile(name);
    return {};
}

Result<void> lay(const Document& document, const Places& places, State& state) {
    if (!document.base.empty())
        if (auto started = start_from(document.base, places, state); !started)
            return std::move(started.error()).context("read " + document.base_place);
    for (const Entry& entry : document.entries) state.set(*entry.setting, entry.text, entry.place);
    return {};
}

/// The directory in which the kernel starts and those above it that are in the same hands, outermost first.
/// Where others can write, a file says nothing about the project below it.
std::vector<std::string> project_directories(const Places& places) {
    std::vector<std::string> found;
    std::error_code error;
    fs::path at = fs::canonical(places.project, error);
    const fs::path home = fs::weakly_canonical(places.home, error);
    for (int level = 0; level < kMaxProjectLevels && !at.empty(); ++level) {
        struct stat info {};
        if (::stat(at.c_str(), &info) != 0) break;
        const bool ours = info.st_uid == 0 || info.st_uid == ::geteuid();
        if (level > 0 && (!ours || (info.st_mode & S_IWOTH) != 0)) break;
        found.push_back(at.string());
        if (at == home || at == at.root_path()) break;
        at = at.parent_path();
    }
    std::ranges::reverse(found);
    return found;
}

Result<void> tighten_by_projects(const Places& places, State& state) {
    if (places.project.empty()) return {};
    for (const std::string& directory : project_directories(places)) {
        const auto document =
            TRY(read_file((fs::path(directory) / kFileName).string(), Trust::stranger, Extent::settings));
        if (!document) continue;
        for (const Entry& entry : document->entries) state.tighten_by(entry);
    }
    return {};
}

Result<void> tighten_by_notebook(const Places& places, State& state) {
    if (!places.notebook.ends_with(".ipynb")) return {};
    const auto text = read_if_present(places.notebook, Trust::stranger, kMaxNotebook);
    if (!text) {
        // The path is a hint of the front end's, and large notebooks are common: neither may end the kernel.
        state.note(text.error().sentence() + ". Settings in its metadata, if any, are not obeyed");
        return {};
    }
    if (!*text) return {};
    const Node root = TRY(parse_notebook(**text, places.notebook));
    const Document document = TRY(read_document(root, Extent::settings));
    for (const Entry& entry : document.entries) state.tighten_by(entry);
    return {};
}

std::string digest_of(const Effective& effective) {
    std::string text;
    for (const Line& line : effective.lines)
        text += std::string(line.setting->key) + " = " + line.value + "\n";
    return "sha256:" + observe::to_hex(observe::Sha256::of(text));
}

void add_names(const std::string& directory, std::vector<std::string>& names) {
    std::error_code error;
    for (fs::directory_iterator at(directory + "/profiles", error), end; !error && at != end;
         at.increment(error))
        if (at->path().extension() == ".toml" && check_name(at->path().stem().string()))
            names.push_back(at->path().stem().string());
}

}  // namespace

Places places_of(const Variables& variable) {
    Places places;
    places.home = variable("HOME");
    if (const auto configuration = user_directory(UserDirectory::config, variable))
        places.user = *configuration + "/cellblock";
    std::error_code error;
    places.project = fs::current_path(error).string();
    places.notebook = variable("JPY_SESSION_NAME");
    if (!places.notebook.empty() && !places.notebook.starts_with("/"))
        places.notebook = (fs::path(places.project) / places.notebook).string();
    return places;
}

Result<Effective> resolve(const Places& places, const Arguments& arguments) {
    State state;
    const auto system =
        TRY(read_file(file_in(places.system), Trust::system, Extent::base_and_ceiling, places.system_owner));
    if (system) TRY(lay(*system, places, state));
    if (!places.user.empty()) {
        const auto user = TRY(read_file(file_in(places.user), Trust::user, Extent::base));
        if (user) TRY(lay(*user, places, state));
    }
    if (!arguments.profile.empty()) TRY(start_from(arguments.profile, places, state));
    for (const auto& [setting, text] : arguments.settings)
        state.set(*setting, text, std::string(setting->flag));

    // Before the strangers: their notes compare with what holds.
    if (system)
        for (const Entry& ceiling : system->ceilings) state.cap_by(ceiling);
    TRY(tighten_by_projects(places, state));
    TRY(tighten_by_notebook(places, state));
    state.note_names_out_of_reach();

    Effective effective = std::move(state).finish();
    effective.digest = digest_of(effective);
    return effective;
}

std::vector<std::string> profile_names(const Places& places) {
    std::vector<std::string> names;
    for (const ShippedProfile& profile : kShippedProfiles) names.emplace_back(profile.name);
    add_names(places.system, names);
    if (!places.user.empty()) add_names(places.user, names);
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::string shipped_profile(const std::string& name) {
    for (const ShippedProfile& profile : kShippedProfiles)
        if (profile.name == name) return std::string(profile.text);
    return "";
}

}  // namespace cellblock::profile
