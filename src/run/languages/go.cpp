// Go. A program of single files goes straight to the compiler and the linker, which is twice as fast as `go
// build`: what that mostly does is to find out that nothing of the standard library has changed. Modules go
// the usual way. Both find the standard library compiled (Preparation).
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>

#include "run/languages/rows.hpp"
#include "run/store.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;
namespace fs = std::filesystem;

constexpr std::array kSuffixes{".go"sv};
constexpr std::array kProjects{"go.mod"sv};
constexpr std::array kEntries{"go.mod"sv, "main.go"sv};
constexpr std::array kWellKnown{"/usr/local/go/bin"sv,
                                "/usr/lib/go/bin"sv,
                                "/usr/lib/go-*/bin"sv,
                                "/snap/go/current/bin"sv,
                                "~/go/bin"sv,
                                "~/sdk/go*/bin"sv,
                                "~/.local/share/mise/installs/go/*/bin"sv};

constexpr std::string_view kPrepared = "/opt/cellblock/go";

// What most programs import, with what that imports: a tenth of the time that all of the standard library
// takes, which is prepared for the first program that asks for something else.
constexpr std::array kCommonPackages{"bufio"sv,
                                     "bytes"sv,
                                     "cmp"sv,
                                     "container/heap"sv,
                                     "container/list"sv,
                                     "container/ring"sv,
                                     "context"sv,
                                     "encoding/base64"sv,
                                     "encoding/binary"sv,
                                     "encoding/csv"sv,
                                     "encoding/hex"sv,
                                     "encoding/json"sv,
                                     "errors"sv,
                                     "flag"sv,
                                     "fmt"sv,
                                     "io"sv,
                                     "io/fs"sv,
                                     "log"sv,
                                     "maps"sv,
                                     "math"sv,
                                     "math/big"sv,
                                     "math/bits"sv,
                                     "math/cmplx"sv,
                                     "math/rand"sv,
                                     "os"sv,
                                     "os/signal"sv,
                                     "path"sv,
                                     "path/filepath"sv,
                                     "reflect"sv,
                                     "regexp"sv,
                                     "runtime"sv,
                                     "runtime/debug"sv,
                                     "slices"sv,
                                     "sort"sv,
                                     "strconv"sv,
                                     "strings"sv,
                                     "sync"sv,
                                     "sync/atomic"sv,
                                     "syscall"sv,
                                     "text/tabwriter"sv,
                                     "time"sv,
                                     "unicode"sv,
                                     "unicode/utf16"sv,
                                     "unicode/utf8"sv,
                                     "unsafe"sv};

// What `go build` leaves out of a package by file name: these are not for us to know, so it decides.
constexpr std::array kSystems{
    "aix"sv,    "android"sv, "darwin"sv,  "dragonfly"sv, "freebsd"sv, "illumos"sv, "ios"sv,    "js"sv,
    "netbsd"sv, "openbsd"sv, "plan9"sv,   "solaris"sv,   "wasip1"sv,  "windows"sv, "linux"sv,  "unix"sv,
    "386"sv,    "amd64"sv,   "arm"sv,     "arm64"sv,     "loong64"sv, "mips"sv,    "mips64"sv, "mips64le"sv,
    "mipsle"sv, "ppc64"sv,   "ppc64le"sv, "riscv64"sv,   "s390x"sv,   "wasm"sv,    "test"sv};

/// The one of `directory` that has it: pkg/tool/linux_amd64.
std::string tool_directory(const std::string& root) {
    std::error_code error;
    for (fs::directory_iterator entry(root + "/pkg/tool", error), end; !error && entry != end;
         entry.increment(error))
        if (entry->path().filename().string().starts_with("linux_") &&
            fs::exists(entry->path() / "compile", error) && fs::exists(entry->path() / "link", error))
            return entry->path().string();
    return "";
}

Result<Toolchain> find(const Search& search) {
    for (const FoundProgram& program : find_programs(search, "go", kWellKnown)) {
        const fs::path root = fs::path(program.real).parent_path().parent_path();
        const std::string tools = tool_directory(root.string());
        if (tools.empty()) continue;
        const std::vector<std::string> files{program.real, root.string() + "/VERSION", tools + "/compile",
                                             tools + "/link"};
        Toolchain toolchain;
        toolchain.path = program.real;
        toolchain.id = "go\n" + identity_of(files);
        toolchain.mounts = TRY(show_in_place(search, std::vector{root.string()}));
        toolchain.version = Invocation{{toolchain.path, "version"}, {"GOTOOLCHAIN=local"}};
        return toolchain;
    }
    return no_toolchain(search, "Go (go, with pkg/tool beside its bin)", kWellKnown,
                        "Install Go, or put the directory of the program go into PATH.");
}

/// Imports of one file, by its text alone: `import "x"` and lines of `import ( … )`. Block comments may add
/// some, which costs a preparation that was not needed.
std::set<std::string> imports_of(std::string_view code) {
    std::set<std::string> found;
    bool in_block = false;
    code = code.substr(0, kMaxUnderstood.count);
    for (size_t at = 0; at < code.size();) {
        const size_t end = std::min(code.find('\n', at), code.size());
        std::string_view line = code.substr(at, end - at);
        at = end + 1;
        line = line.substr(0, line.find("//"));
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        const bool is_import = line.starts_with("import");
        if (is_import && line.find('(') != std::string_view::npos) in_block = true;
        if (!is_import && !in_block) continue;
        for (size_t quote = line.find_first_of("\"`"); quote != std::string_view::npos;) {
            const size_t close = line.find(line[quote], quote + 1);
            if (close == std::string_view::npos) break;
            found.insert(std::string(line.substr(quote + 1, close - quote - 1)));
            quote = line.find_first_of("\"`", close + 1);
        }
        if (in_block && line.find(')') != std::string_view::npos) in_block = false;
    }
    return found;
}

/// Packages of the standard library have no dot in their first element.
bool is_standard(std::string_view package) {
    return package.substr(0, package.find('/')).find('.') == std::string_view::npos;
}

bool needs_only_common_packages(const Program& program) {
    return std::ranges::all_of(program.files, [](const File& file) {
        if (!file.path.ends_with(kSuffixes[0])) return true;
        if (file.content.size() > kMaxUnderstood.count) return false;
        const auto imports = imports_of(file.content);
        return std::ranges::all_of(imports, [](const std::string& package) {
            return !is_standard(package) ||
                   std::ranges::find(kCommonPackages, package) != kCommonPackages.end();
        });
    });
}

/// "x_windows.go", "x_test.go".
bool has_meaning_in_name(std::string_view path) {
    std::string_view stem = path.substr(0, path.size() - kSuffixes[0].size());
    const size_t underscore = stem.rfind('_');
    return underscore != std::string_view::npos &&
           std::ranges::find(kSystems, stem.substr(underscore + 1)) != kSystems.end();
}

/// Whether the compiler can be given these files as they are.
bool is_plain(const Program& program, const std::vector<std::string>& paths) {
    return !paths.empty() && std::ranges::all_of(paths, [&](const std::string& path) {
        const File* const file = file_of(program, path);
        return path.find('/') == std::string::npos && !has_meaning_in_name(path) &&
               file->content.size() <= kMaxUnderstood.count &&
               file->content.find("//go:") == std::string::npos &&
               file->content.find("// +build") == std::string::npos &&
               !imports_of(file->content).contains("C");
    });
}

std::vector<std::string> build_environment() {
    return {
        "CGO_ENABLED=0",  // one linker less, and the program needs nothing of the system
        "GOCACHE=" + std::string(kPrepared) + "/cache",
        "GOTOOLCHAIN=local",  // and not one from the network
        "GOPROXY=off",
        "GOFLAGS=-buildvcs=false",
        "GOTELEMETRY=off",
        "GO111MODULE=on",
    };
}

constexpr jail::Limits build_limits() {
    jail::Limits limits;
    limits.memory = 2_GiB;
    limits.processes = 512;  // threads of the compilers that run at the same time
    return limits;
}

/// The compiler and the linker end before collecting garbage pays; only near the limit are they to begin.
std::vector<std::string> tool_environment() {
    return {"GOGC=off", "GOMEMLIMIT=" + std::to_string(build_limits().memory.count / 4)};
}

Preparation preparation(const Toolchain& toolchain, bool all) {
    std::string packages;
    if (all)
        packages = " std";
    else
        for (const std::string_view package : kCommonPackages) packages += " " + std::string(package);
    Preparation result;
    const std::array<std::string_view, 3> parts{"go 1", packages, toolchain.id};
    result.key = store_key(parts);
    // Names in one line each, as the compiler and the linker read them.
    const std::string script =
        "exec " + toolchain.path +
        " list -deps -export -f '{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}'" + packages +
        " > " + std::string(kPrepared) + "/importcfg";
    result.steps = {{{"/bin/sh", "-c", script}, build_environment()}};
    result.target = kPrepared;
    return result;
}

Result<Recipe> plan(const Toolchain& toolchain, const Program& program, const jail::Limits& limits) {
    Recipe recipe;
    recipe.preparation = preparation(toolchain, !needs_only_common_packages(program));
    const std::vector<std::string> sources = paths_with_suffix(program, kSuffixes[0]);
    const std::string built{kBuiltProgram};
    if (program.entry == kProjects[0]) {
        recipe.build = {{{toolchain.path, "build", "-ldflags=-s -w", "-o", built, "."}, build_environment()}};
    } else if (is_plain(program, sources)) {
        const std::string tools =
            tool_directory(fs::path(toolchain.path).parent_path().parent_path().string());
        const std::string importcfg = std::string(kPrepared) + "/importcfg";
        const std::string object = "/tmp/main.a";
        Invocation compile{{tools + "/compile", "-o", object, "-p", "main", "-complete", "-pack",
                            "-importcfg", importcfg, "-c=4", "-trimpath", std::string(jail::kHome) + "=>"},
                           tool_environment()};
        for (const std::string& path : as_arguments(sources)) compile.argv.push_back(path);
        recipe.build = {
            std::move(compile),
            {{tools + "/link", "-s", "-w", "-buildmode=exe", "-importcfg", importcfg, "-o", built, object},
             tool_environment()}};
    } else {
        Invocation build{{toolchain.path, "build", "-ldflags=-s -w", "-o", built}, build_environment()};
        for (const std::string& path : sources)
            if (path.find('/') == std::string::npos && !path.ends_with("_test.go"))
                build.argv.push_back(as_arguments({path}).front());
        recipe.build = {std::move(build)};
    }
    recipe.artifacts = {built};
    recipe.needs_toolchain = false;
    recipe.needs_sources = program.files.size() > sources.size();
    // The collector tries harder before the limit is hit.
    recipe.run = {{inside(built)}, {"GOMEMLIMIT=" + std::to_string(limits.memory.count / 10 * 9)}};
    return recipe;
}

}  // namespace

const Language kGo{
    .name = "go",
    .title = "Go",
    .suffixes = kSuffixes,
    .programs = {},
    .projects = kProjects,
    .main_file = "main.go",
    .entries = kEntries,
    .any_file_begins = true,
    .name_of = nullptr,
    .find = find,
    .plan = plan,
    .build_limits = build_limits(),
    .build_time = std::chrono::seconds(60),
};

}  // namespace cellblock::run
