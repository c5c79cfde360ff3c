// Rust. Single programs go to rustc, projects to cargo without a network. What rustup would start is read
// from its files: its proxies start other programs, and would download them.
#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "base/sys.hpp"
#include "run/languages/rows.hpp"
#include "run/languages/toml_lines.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;
namespace fs = std::filesystem;

constexpr std::array kSuffixes{".rs"sv};
constexpr std::array kProjects{"Cargo.toml"sv};
constexpr std::array kEntries{"Cargo.toml"sv, "main.rs"sv, "src/main.rs"sv};
constexpr std::array kWellKnown{"~/.cargo/bin"sv, "/usr/local/cargo/bin"sv, "/usr/local/bin"sv, "/usr/bin"sv};
constexpr std::array kLinkers{"/usr/bin/cc"sv};
constexpr size_t kMaxSettings = 1U << 20U;

bool is_same_file(const fs::path& a, const fs::path& b) {
    std::error_code error;
    return fs::equivalent(a, b, error) && !error;
}

/// rustup's proxies are links, hard or symbolic, to rustup.
bool is_proxy(const FoundProgram& program) {
    return fs::path(program.real).filename() == "rustup" ||
           is_same_file(program.real, fs::path(program.named).parent_path() / "rustup");
}

/// What the project asks for (rust-toolchain.toml, rust-toolchain); empty: nothing.
std::string wanted_by(const Program* program) {
    if (program == nullptr) return "";
    for (const char* name : {"rust-toolchain.toml", "rust-toolchain"}) {
        const File* const file = file_of(*program, name);
        if (file == nullptr) continue;
        if (std::string channel = toml_string(file->content, "toolchain", "channel"); !channel.empty())
            return channel;
        // The older form is the name alone.
        const size_t from = file->content.find_first_not_of(" \t\r\n");
        const size_t to = std::min(file->content.find_first_of(" \t\r\n", from), file->content.size());
        if (from != std::string::npos && file->content.find('[') == std::string::npos)
            return file->content.substr(from, to - from);
    }
    return "";
}

/// Where rustup keeps its toolchains, for the proxy that was found.
std::vector<fs::path> rustup_homes(const Search& search, const FoundProgram& proxy) {
    std::vector<fs::path> homes;
    const fs::path cargo_home = fs::path(proxy.named).parent_path().parent_path();
    homes.push_back(cargo_home.parent_path() / ".rustup");
    homes.push_back(cargo_home.parent_path() / "rustup");
    if (!search.home.empty()) homes.push_back(fs::path(search.home) / ".rustup");
    return homes;
}

/// "stable" is installed as "stable-x86_64-unknown-linux-gnu".
std::string installed_toolchain(const fs::path& home, const std::string& name) {
    if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.')) return "";
    std::error_code error;
    const fs::path exact = home / "toolchains" / name;
    if (fs::exists(exact / "bin/rustc", error)) return exact.string();
    const std::string host = toml_string(sys::read_file(home / "settings.toml", kMaxSettings).ok()
                                             ? *sys::read_file(home / "settings.toml", kMaxSettings)
                                             : std::string(),
                                         "", "default_host_triple");
    for (fs::directory_iterator entry(home / "toolchains", error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string found = entry->path().filename().string();
        const bool fits = host.empty() ? found.starts_with(name + "-") && found.ends_with("-linux-gnu")
                                       : found == name + "-" + host;
        if (fits && fs::exists(entry->path() / "bin/rustc", error)) return entry->path().string();
    }
    return "";
}

/// The toolchain's directory.
Result<std::string> behind_proxy(const Search& search, const FoundProgram& proxy) {
    const std::string wanted = wanted_by(search.program);
    std::string looked_in;
    for (const fs::path& home : rustup_homes(search, proxy)) {
        const auto settings = sys::read_file(home / "settings.toml", kMaxSettings);
        if (!settings) {
            looked_in += (looked_in.empty() ? "" : ", ") + home.string();
            continue;
        }
        const std::string name = wanted.empty() ? toml_string(*settings, "", "default_toolchain") : wanted;
        if (std::string found = installed_toolchain(home, name); !found.empty()) return found;
        if (name.empty())
            return Error(proxy.named + " is rustup, which has no default toolchain (" + home.string() +
                         "/settings.toml)")
                .with_remedy("Run rustup default stable.");
        return Error("the Rust toolchain " + name + " is not installed in " + home.string() + "/toolchains")
            .with_remedy("Run rustup toolchain install " + name + ".");
    }
    return Error(proxy.named + " is rustup, whose settings.toml is in none of " + looked_in)
        .with_remedy("Put the bin directory of the toolchain itself into PATH, before that one.");
}

Result<Toolchain> toolchain_at(const Search& search, const std::string& rustc) {
    std::error_code error;
    const fs::path real = fs::canonical(rustc, error);
    if (error) return Error("find " + rustc, error.value());
    const fs::path root = real.parent_path().parent_path();
    std::vector<std::string> files{real.string(),
                                   (root / "lib/rustlib/multirust-channel-manifest.toml").string(),
                                   (root / "lib/rustlib/components").string()};
    for (const std::string_view linker : kLinkers) files.push_back(fs::canonical(linker, error).string());
    if (error)
        return Error("find a linker for Rust: there is no /usr/bin/cc")
            .with_remedy(
                "Install a C compiler (gcc, with the headers of the C library): rustc links with it.");
    Toolchain toolchain;
    toolchain.path = real.string();
    toolchain.id = "rust\n" + identity_of(files);
    toolchain.mounts = TRY(show_in_place(search, std::vector{root.string()}));
    toolchain.version = Invocation{{toolchain.path, "--version"}, {}};
    return toolchain;
}

Result<Toolchain> find(const Search& search) {
    for (const FoundProgram& program : find_programs(search, "rustc", kWellKnown)) {
        if (!is_proxy(program)) return toolchain_at(search, program.real);
        return toolchain_at(search, TRY(behind_proxy(search, program)) + "/bin/rustc");
    }
    return no_toolchain(search, "Rust (rustc)", kWellKnown,
                        "Install Rust with rustup or as a package, or put the directory of rustc into PATH.");
}

/// The program that `cargo run` would run.
Result<std::string> binary_of_project(const Program& program) {
    const File* const manifest = file_of(program, program.entry);
    const std::string text = manifest == nullptr ? "" : manifest->content;
    if (std::string name = toml_string(text, "package", "default-run"); !name.empty()) return name;
    if (std::string name = toml_string(text, "[bin]", "name"); !name.empty()) return name;
    std::string name = toml_string(text, "package", "name");
    if (name.empty())
        return Error("Cargo.toml names no package: a workspace is not run as a whole")
            .with_remedy(
                "Give the directory of one of its members, if that needs no other, or give the "
                "workspace's Cargo.toml a [package].");
    if (file_of(program, "src/main.rs") != nullptr) return name;
    const std::vector<std::string> sources = paths_with_suffix(program, kSuffixes[0]);
    for (const std::string& path : sources)
        if (path.starts_with("src/bin/")) return fs::path(path).stem().string();
    return Error("the package " + name + " has nothing to run: no src/main.rs, no src/bin/*.rs, no [[bin]]");
}

Result<Recipe> plan(const Toolchain& toolchain, const Program& program, const jail::Limits& /*limits*/) {
    Recipe recipe;
    std::string built{kBuiltProgram};
    if (program.entry == kProjects[0]) {
        const std::string binary = TRY(binary_of_project(program));
        const std::string directory = fs::path(toolchain.path).parent_path().string();
        built = "target/release/" + binary;
        recipe.build = {{{directory + "/cargo", "build", "--release", "--offline", "--bin=" + binary},
                         {"RUSTC=" + toolchain.path, "CARGO_HOME=/tmp/cargo", "CARGO_TERM_COLOR=never",
                          "CARGO_INCREMENTAL=0"}}};
    } else {
        recipe.build = {
            {{toolchain.path, "--edition=2021", "-O", "-C", "strip=symbols", "-C", "codegen-units=1",
              "--crate-name", "main", "-o", built, as_arguments({program.entry}).front()},
             {}}};
    }
    recipe.artifacts = {built};
    recipe.needs_toolchain = false;
    recipe.needs_sources = program.files.size() > paths_with_suffix(program, kSuffixes[0]).size();
    recipe.run = {{inside(built)}, {"RUST_BACKTRACE=0"}};
    return recipe;
}

constexpr jail::Limits build_limits() {
    jail::Limits limits;
    limits.memory = 2_GiB;
    limits.processes = 512;  // threads of the code generators
    return limits;
}

}  // namespace

const Language kRust{
    .name = "rust",
    .title = "Rust",
    .suffixes = kSuffixes,
    .programs = {},
    .projects = kProjects,
    .main_file = "main.rs",
    .entries = kEntries,
    .any_file_begins = false,
    .name_of = nullptr,
    .find = find,
    .plan = plan,
    .build_limits = build_limits(),
    .build_time = std::chrono::seconds(120),
};

}  // namespace cellblock::run
