// The table of protected names, and text for names that were chosen to do harm.
#include "changes/names.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "base/hex.hpp"

namespace cellblock::changes {
namespace {

// clang-format off
constexpr std::array kProtected{
    ProtectedName{"HEAD", "with a few more names it makes a directory a bare repository, whose configuration names programs that git runs"},
    ProtectedName{".git", "hooks and configuration name programs that git runs"},
    ProtectedName{".gitmodules", "names what git fetches"},
    ProtectedName{".gitattributes", "names filters that git runs"},
    ProtectedName{".hg", "hooks name programs that Mercurial runs"},
    ProtectedName{".env", "settings and secrets that programs of the host load"},
    ProtectedName{".env.*", "settings and secrets that programs of the host load"},
    ProtectedName{".envrc", "a shell that enters the directory runs it (direnv)"},
    ProtectedName{".direnv", "what direnv loads"},
    ProtectedName{".*rc", "settings of programs that start here; some of them are programs"},
    ProtectedName{".profile", "a shell runs it"},
    ProtectedName{".bash*", "a shell runs it"},
    ProtectedName{".zsh*", "a shell runs it"},
    ProtectedName{".ssh", "keys and commands"},
    ProtectedName{".vscode", "tasks and interpreters that the editor runs"},
    ProtectedName{".idea", "tasks and interpreters that the editor runs"},
    ProtectedName{".devcontainer*", "commands that the editor runs"},
    ProtectedName{".github", "workflows that run where the project is pushed to"},
    ProtectedName{".gitlab-ci.yml", "jobs that run where the project is pushed to"},
    ProtectedName{".pre-commit-config.yaml", "names programs that git runs"},
    ProtectedName{".ipynb_checkpoints", "what JupyterLab restores a notebook from"},
    ProtectedName{".jupyter", "Jupyter runs it"},
    ProtectedName{".ipython", "IPython runs it"},
    ProtectedName{"jupyter_*config*", "Jupyter runs it when it starts in this directory"},
    ProtectedName{"ipython_*config*", "IPython runs it when it starts in this directory"},
    ProtectedName{"cellblock.toml", "the limits of the next kernel"},
    ProtectedName{"*.ipynb", "a notebook that is opened and run, perhaps by a kernel without a jail"},
    ProtectedName{"*.pth", "every Python that finds it runs it"},
    ProtectedName{"sitecustomize*", "every Python that finds it runs it"},
    ProtectedName{"usercustomize*", "every Python that finds it runs it"},
    ProtectedName{"conftest.py", "pytest runs it"},
    ProtectedName{"setup.py", "pip and editors run it"},
    ProtectedName{"mypy.ini", "names plugins that type checkers run"},
    ProtectedName{"pylintrc", "names code that editors run"},
    ProtectedName{"pylint.toml", "names code that editors run"},
    ProtectedName{"pytest.ini", "names modules that pytest imports"},
    ProtectedName{"tox.ini", "names programs that tests run"},
    ProtectedName{"setup.cfg", "names modules that tools of Python import"},
    ProtectedName{"pyproject.toml", "names modules and programs that tools of Python run"},
    ProtectedName{"__pycache__", "Python runs compiled code there instead of the source that a person reads"},
    ProtectedName{"*.pyc", "Python runs it instead of the source that a person reads"},
    ProtectedName{"*.so", "Python imports it instead of the source that a person reads"},
    ProtectedName{"*.pyd", "Python imports it instead of the source that a person reads"},
    ProtectedName{"*.dist-info", "names modules that pytest and other programs import as their plugins"},
    ProtectedName{"*.egg-info", "names modules that pytest and other programs import as their plugins"},
    ProtectedName{".venv", "an environment: its interpreter runs what is put there"},
    ProtectedName{"*venv*", "an environment: its interpreter runs what is put there"},
    ProtectedName{"env", "an environment: its interpreter runs what is put there"},
    ProtectedName{"conda-meta", "an environment: its interpreter runs what is put there"},
    ProtectedName{"site-packages", "an environment: its interpreter runs what is put there"},
    ProtectedName{"pyvenv.cfg", "says where an interpreter finds its modules"},
    ProtectedName{"node_modules", "an environment: programs run what is put there"},
    ProtectedName{"*.config.*js", "tools of JavaScript and editors run it"},
    ProtectedName{"*.config.*ts", "tools of JavaScript and editors run it"},
    ProtectedName{"*.code-workspace", "tasks and interpreters that the editor runs"},
    ProtectedName{"*.desktop", "a file manager runs the command in it"},
    // Last, so that the rows above give their own reasons: nobody can list the settings of all programs, but nearly
    // all of them hide.
    ProtectedName{".*", "hidden files are settings of programs, and not seen by people"},
};
// clang-format on

int digit_value(char c) {
    const size_t at = kHexDigits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Result<UniqueFd> open_real_directory(const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    const bool is_linked = errno == ELOOP;
    Error error = errno_error("open " + printable(path));
    if (!is_linked) return error;
    return std::move(error).with_remedy(
        "There is a symbolic link now where the directory, or one above it, was.");
}

std::string parent_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_below(std::string_view path, std::string_view directory) {
    return directory.empty() || (path.starts_with(directory) &&
                                 (path.size() == directory.size() || path[directory.size()] == '/'));
}

std::string encode(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c > 0x20 && c < 0x7f && c != '%')
            out += c;
        else
            append_hex(out += "%", static_cast<unsigned char>(c));
    }
    return out;
}

Result<std::string> decode(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? digit_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? digit_value(text[i + 2]) : -1;
        if (i + 2 >= text.size() || high < 0 || low < 0) return Error("read an encoded name");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::span<const ProtectedName> protected_names() {
    return kProtected;
}

const ProtectedName* find_protection(const std::string& path) {
    return Protections().find(path);
}

const ProtectedName* Protections::find(const std::string& path) {
    const std::string parent = parent_of(path);
    if (!parent.empty()) {
        const auto known = directories_.find(parent);
        // As deep as paths are long; recorded ones end at kMaxDepth.
        const ProtectedName* above = known != directories_.end() ? known->second : find(parent);
        directories_.emplace(parent, above);
        if (above) return above;
    }
    const std::string name = name_of(path);
    for (const ProtectedName& row : kProtected)
        // Without regard to case: so are some of the file systems that a project travels to.
        if (::fnmatch(row.glob, name.c_str(), FNM_CASEFOLD) == 0) return &row;
    return nullptr;
}

}  // namespace cellblock::changes
