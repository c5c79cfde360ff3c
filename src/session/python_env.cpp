// The steps of resolve_python, each of which reads a few files. CPython's own search is in
// Modules/getpath.py.
#include "session/python_env.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "base/sys.hpp"
#include "session/python_env_packages.hpp"
#include "session/python_env_shown.hpp"

namespace cellblock::session {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestMinor = 9;
constexpr size_t kMaxPyvenvCfg = 64 << 10;
constexpr size_t kMaxPasswd = 16 << 20;
constexpr uint32_t kFirstPersonalUid = 1000;  // login.defs(5), UID_MIN

/// pyvenv.cfg (PEP 405).
struct Venv {
    std::string directory;
    std::string home;  // the directory of the base interpreter; absolute
    bool home_was_relative = false;
    bool system_site_packages = true;  // as in Lib/site.py when nothing is said
    std::string version;               // as recorded when it was made: "3.11.2"
};

struct Version {
    int major = 0;
    int minor = 0;
    bool free_threaded = false;

    [[nodiscard]] std::string text() const { return std::to_string(major) + "." + std::to_string(minor); }
    [[nodiscard]] std::string library() const { return "python" + text() + (free_threaded ? "t" : ""); }
};

std::string trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return "";
    return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool is_there(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
}

// Absolute, and with directories resolved only where ".." makes that necessary.
std::string absolute(const std::string& path, const std::string& working_directory) {
    const fs::path whole = fs::path(working_directory) / path;
    if (std::find(whole.begin(), whole.end(), "..") == whole.end()) return whole.lexically_normal().string();
    std::error_code error;
    return (fs::weakly_canonical(whole.parent_path(), error) / whole.filename()).string();
}

Error missing(const std::string& python) {
    std::error_code error;
    if (fs::is_symlink(python, error))
        return Error(python + " leads to " + fs::read_symlink(python, error).string() +
                     ", which does not exist: the Python that this environment was made from was removed or "
                     "upgraded")
            .with_remedy("Make the environment again, then install the kernel again.");
    const fs::path environment = fs::path(python).parent_path().parent_path();
    if (!is_there(environment))
        return Error("there is no Python interpreter " + python + ": the environment " +
                     environment.string() + " has vanished")
            .with_remedy("Make the environment again, or name another interpreter with --python.");
    return Error("there is no Python interpreter " + python)
        .with_remedy(
            "Name the interpreter of an environment, for example DIRECTORY/bin/python, with --python.");
}

bool is_shim(const fs::path& path) {
    return path.parent_path().filename() == "shims";
}

Error is_script(const std::string& python, const HostFacts& host) {
    if (is_shim(python)) {
        const std::string real = interpreter_behind_shim(python, host);
        return Error(python + " is a shim that picks another interpreter at each start")
            .with_remedy(real.empty() ? "Name the real interpreter; \"pyenv which python\" prints it."
                                      : "Name the real interpreter: " + real + ".");
    }
    return Error(python + " is a script, not a Python interpreter")
        .with_remedy("Name the interpreter that it starts: import sys; print(sys.executable).");
}

Result<void> check_program(const std::string& python, const HostFacts& host) {
    if (!is_there(python)) {
        // Below a directory that we may not enter, everything seems to be missing.
        if (::access(python.c_str(), F_OK) != 0 && errno == EACCES)
            return errno_error("reach " + python)
                .with_remedy(
                    "The way to it, or to the Python behind its symlink, leads through a directory that this "
                    "user may "
                    "not enter.");
        return missing(python);
    }
    std::error_code error;
    if (!fs::is_regular_file(python, error))
        return Error(python + " is not a program")
            .with_remedy("Name the interpreter itself, such as bin/python in it.");
    if (::access(python.c_str(), X_OK) != 0)
        return errno_error("execute " + python).with_remedy("Check its permissions (chmod +x).");
    const UniqueFd fd = TRY(sys::open(python, O_RDONLY));
    char start[4] = {};
    const ssize_t n = ::pread(fd.get(), start, sizeof start, 0);
    const std::string_view magic(start, n > 0 ? static_cast<size_t>(n) : 0);
    if (magic.starts_with("#!")) return is_script(python, host);
    if (magic != "\177ELF") return Error(python + " is not a program for Linux");
    return {};
}

std::optional<Venv> read_pyvenv_cfg(const std::string& python) {
    const fs::path bin = fs::path(python).parent_path();
    for (const fs::path& directory : {bin.parent_path(), bin}) {
        const auto text = sys::read_file(directory / "pyvenv.cfg", kMaxPyvenvCfg);
        if (!text) continue;
        Venv venv;
        venv.directory = directory.string();
        std::istringstream lines(*text);
        for (std::string line; std::getline(lines, line);) {
            const size_t equals = line.find('=');
            if (equals == std::string::npos) continue;
            const std::string key = lower_case(trimmed(line.substr(0, equals)));
            const std::string value = trimmed(line.substr(equals + 1));
            if (key == "home" && venv.home.empty()) {
                venv.home_was_relative = !value.starts_with('/');
                venv.home = absolute(value, venv.directory);
            }
            if (key == "include-system-site-packages")
                venv.system_site_packages = lower_case(value) == "true";
            if (key == "version" || key == "version_info") venv.version = value;
        }
        // Without `home`, Python takes it for no venv.
        if (!venv.home.empty()) return venv;
    }
    return std::nullopt;
}

// "3.11.2", "3.13t" or "3.11".
std::optional<Version> parse_version(std::string_view text) {
    Version version;
    const char* end = text.data() + text.size();
    auto [dot, major_error] = std::from_chars(text.data(), end, version.major);
    if (major_error != std::errc{} || dot == end || *dot != '.') return std::nullopt;
    auto [rest, minor_error] = std::from_chars(dot + 1, end, version.minor);
    if (minor_error != std::errc{}) return std::nullopt;
    version.free_threaded = rest != end && *rest == 't';
    return version;
}

// The only Python whose standard library lies in PREFIX/lib, if it is the only one.
std::optional<Version> version_of_library(const fs::path& prefix) {
    std::optional<Version> found;
    for (const char* lib : {"lib", "lib64"}) {
        std::error_code error;
        for (fs::directory_iterator entry(prefix / lib, error), end; !error && entry != end;
             entry.increment(error)) {
            const std::string name = entry->path().filename().string();
            if (!name.starts_with("python") || !is_there(entry->path() / "os.py")) continue;
            const auto version = parse_version(std::string_view(name).substr(6));
            if (!version) continue;
            if (found && found->library() != version->library()) return std::nullopt;
            found = version;
        }
    }
    return found;
}

Result<Version> find_version(const std::string& python, const fs::path& real,
                             const std::optional<Venv>& venv) {
    const std::string name = real.filename().string();
    std::optional<Version> version;
    if (name.starts_with("python")) version = parse_version(std::string_view(name).substr(6));
    if (!version) version = version_of_library(real.parent_path().parent_path());
    if (!version && venv) version = parse_version(venv->version);
    if (!version || name.starts_with("pypy") || name.starts_with("graalpy"))
        return Error(python + " is no CPython that we recognise (its program is " + real.string() + ")")
            .with_remedy("Name the interpreter of a CPython environment with --python.");
    if (version->major < 3 || (version->major == 3 && version->minor < kOldestMinor))
        return Error(python + " is Python " + version->text() + ", which is too old")
            .with_remedy("Cellblock needs Python 3." + std::to_string(kOldestMinor) + " or newer.");
    return *version;
}

// Upwards from `directory` to the first one that holds the standard library. As in CPython the root is not
// looked at, where /lib would be found on systems that have merged it with /usr/lib.
std::string search_standard_library(const fs::path& directory, const Version& version) {
    for (fs::path at = directory; at.has_relative_path(); at = at.parent_path())
        for (const char* lib : {"lib", "lib64"})
            for (const char* landmark : {"os.py", "os.pyc"})
                if (is_there(at / lib / version.library() / landmark)) return at.string();
    return "";
}

Result<std::string> find_base_prefix(const std::string& python, const fs::path& real,
                                     const std::optional<Venv>& venv, const Version& version) {
    std::string prefix;
    if (venv) prefix = search_standard_library(venv->home, version);
    if (prefix.empty()) prefix = search_standard_library(real.parent_path(), version);
    if (!prefix.empty()) return prefix;
    return Error("the standard library of " + python + " (" + version.library() +
                 "/os.py) is not where it should be, in a lib "
                 "directory above " +
                 (venv ? venv->home : real.parent_path().string()))
        .with_remedy("Make the environment again, or name another interpreter with --python.");
}

// A system upgrade can put another Python behind the symlink of a venv, which then finds none of its
// packages.
Result<void> check_still_fits(const Venv& venv, const Version& version) {
    const fs::path lib = fs::path(venv.directory) / "lib";
    if (!find_site_packages(venv.directory, version.library(), Layout::venv).empty()) return {};
    std::error_code error;
    for (fs::directory_iterator entry(lib, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with("python3.") || !is_there(entry->path() / "site-packages")) continue;
        return Error("the environment " + venv.directory + " was made for Python " + name.substr(6) +
                     ", but its interpreter is Python " + version.text() + " now")
            .with_remedy("Make the environment again.");
    }
    return {};
}

std::vector<std::string> all_site_packages(const std::optional<Venv>& venv, const std::string& base_prefix,
                                           const Version& version) {
    std::vector<std::string> found;
    if (venv) found = find_site_packages(venv->directory, version.library(), Layout::venv);
    if (venv && !venv->system_site_packages) return found;
    for (std::string& directory : find_site_packages(base_prefix, version.library(), Layout::distribution))
        found.push_back(std::move(directory));
    return found;
}

Result<void> show_environment(ShownPaths& shown, PythonEnvironment& environment, const fs::path& real,
                              bool is_venv) {
    TRY(shown.show(environment.prefix));
    TRY(shown.show(environment.base_prefix));
    for (const std::string& directory : environment.site_packages) TRY(shown.show(directory));
    // Outside of a venv Python finds its library from the end of its symlinks, so that is as good a name, and
    // needs nothing else to be shown.
    if (!is_venv && !shown.resolves(environment.interpreter)) environment.interpreter = real.string();
    return shown.show(environment.interpreter);
}

void find_ipython(const ShownPaths& shown, PythonEnvironment& environment) {
    std::vector<std::string> searched = environment.site_packages;
    for (const std::string& directory : environment.site_packages)
        for (std::string& named : directories_in_pth_files(directory)) searched.push_back(std::move(named));
    for (const std::string& directory : searched) {
        if (!shown.shows(directory + "/IPython/__init__.py")) continue;
        environment.has_ipython = true;
        environment.ipython_version = ipython_version_in(directory);
        return;
    }
}

void warn_of_hidden_packages(const ShownPaths& shown, PythonEnvironment& environment) {
    std::vector<std::string> hidden;
    const auto warn = [&](const std::string& path, const std::string& what) {
        const bool told = std::any_of(hidden.begin(), hidden.end(),
                                      [&](const std::string& known) { return is_below(path, known); });
        if (told || !is_there(path) || shown.shows(path)) return;
        hidden.push_back(path);
        environment.warnings.push_back(what + " at " + path +
                                       " lies outside of the environment and will be missing in the jail.");
    };
    for (const std::string& directory : environment.site_packages) {
        for (const LinkedPackage& package : linked_packages(directory))
            warn(package.path, "The package " + package.name + ", installed by reference");
        for (const std::string& named : directories_in_pth_files(directory))
            warn(named, "A directory that a .pth file in " + directory + " adds");
    }
}

/// The environment without what its packages say; `shown` is what the jail will show of it.
Result<PythonEnvironment> resolve(const std::string& path, const HostFacts& host, ShownPaths& shown) {
    PythonEnvironment environment;
    environment.interpreter = absolute(path, host.working_directory);
    TRY(check_program(environment.interpreter, host));
    std::error_code ignored;  // check_program() has seen that it exists
    const fs::path real = fs::canonical(environment.interpreter, ignored);

    const std::optional<Venv> venv = read_pyvenv_cfg(environment.interpreter);
    const Version version = TRY(find_version(environment.interpreter, real, venv));
    if (venv) TRY(check_still_fits(*venv, version));
    environment.version = version.text();
    environment.base_prefix = TRY(find_base_prefix(environment.interpreter, real, venv, version));
    environment.prefix = venv ? venv->directory : environment.base_prefix;
    environment.site_packages = all_site_packages(venv, environment.base_prefix, version);

    if (auto result = show_environment(shown, environment, real, venv.has_value()); !result)
        return std::move(result.error())
            .context("use the environment of " + environment.interpreter)
            .with_remedy("Make an environment in a directory of its own: " + real.string() +
                         " -m venv DIRECTORY.");
    environment.mounts = shown.mounts();

    if (venv && venv->home_was_relative)
        environment.warnings.push_back(
            "The file " + venv->directory +
            "/pyvenv.cfg has a relative `home`, which Python looks up from the directory "
            "where it is started.");
    environment.externally_managed = !venv && is_there(fs::path(environment.base_prefix) / "lib" /
                                                       version.library() / "EXTERNALLY-MANAGED");
    return environment;
}

}  // namespace

Result<PythonEnvironment> resolve_python(const std::string& path, const HostFacts& host) {
    ShownPaths shown(host.homes);
    PythonEnvironment environment = TRY(resolve(path, host, shown));
    find_ipython(shown, environment);
    warn_of_hidden_packages(shown, environment);
    return environment;
}

Result<PythonEnvironment> resolve_interpreter(const std::string& path, const HostFacts& host) {
    ShownPaths shown(host.homes);
    return resolve(path, host, shown);
}

std::string interpreter_behind_shim(const std::string& path, const HostFacts& host) {
    const fs::path shim = path;
    if (!is_shim(shim)) return "";
    const fs::path root = shim.parent_path().parent_path();
    std::vector<std::string> chosen{host.pyenv_version};
    std::replace(chosen[0].begin(), chosen[0].end(), ':', '\n');
    for (fs::path at = host.working_directory; !at.empty(); at = at.parent_path()) {
        if (auto text = sys::read_file(at / ".python-version", kMaxPyvenvCfg))
            chosen.push_back(*std::move(text));
        if (at == at.root_path()) break;
    }
    if (auto text = sys::read_file(root / "version", kMaxPyvenvCfg)) chosen.push_back(*std::move(text));
    for (const std::string& text : chosen) {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            const fs::path real = root / "versions" / trimmed(line) / "bin" / shim.filename();
            if (!trimmed(line).empty() && is_there(real)) return real.string();
        }
    }
    return "";
}

Result<void> require_ipython(const PythonEnvironment& environment) {
    if (environment.has_ipython) return {};
    const bool has_pip =
        std::any_of(environment.site_packages.begin(), environment.site_packages.end(),
                    [](const std::string& directory) { return is_there(directory + "/pip"); });
    std::string remedy = "Run " + environment.interpreter + " -m pip install ipython.";
    if (environment.externally_managed)
        remedy =
            "This Python belongs to the system; make an environment of your own: " + environment.interpreter +
            " -m venv DIRECTORY, then DIRECTORY/bin/python -m pip install ipython.";
    else if (!has_pip)
        remedy = "It has no pip either: run uv pip install --python " + environment.interpreter +
                 " ipython, or " + environment.interpreter + " -m ensurepip and then -m pip install ipython.";
    return Error(environment.interpreter + " has no IPython").with_remedy(remedy);
}

HostFacts read_host_facts() {
    HostFacts facts;
    std::error_code error;
    facts.working_directory = fs::current_path(error).string();
    if (error) facts.working_directory = "/";
    if (const char* version = std::getenv("PYENV_VERSION")) facts.pyenv_version = version;

    const auto add_home = [&](const std::string& directory) {
        const fs::path real = fs::canonical(directory, error);
        if (!error && real != "/" && !is_below(real.string(), "/usr")) facts.homes.push_back(real.string());
    };
    if (const char* home = std::getenv("HOME")) add_home(home);
    // The file and not getpwent(3), which may ask a directory service, for as long as that takes.
    const auto passwd = sys::read_file("/etc/passwd", kMaxPasswd);
    std::istringstream lines(passwd ? *passwd : "");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream columns(line);
        std::string name, password, uid, gid, comment, home;
        for (std::string* column : {&name, &password, &uid, &gid, &comment, &home})
            std::getline(columns, *column, ':');
        const unsigned long number = std::strtoul(uid.c_str(), nullptr, 10);
        if (!home.empty() && (number == 0 || number >= kFirstPersonalUid)) add_home(home);
    }
    return facts;
}

}  // namespace cellblock::session
