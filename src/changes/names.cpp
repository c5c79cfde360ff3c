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

namespace cellblock::changes {
namespace {

// clang-format off
constexpr std::array kProtected{
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
    ProtectedName{"sitecustomize.py", "every Python that finds it runs it"},
    ProtectedName{"usercustomize.py", "every Python that finds it runs it"},
    ProtectedName{"conftest.py", "pytest runs it"},
    ProtectedName{"pytest.ini", "names modules that pytest imports"},
    ProtectedName{"tox.ini", "names programs that tests run"},
    ProtectedName{"setup.cfg", "names modules that tools of Python import"},
    ProtectedName{"pyproject.toml", "names modules and programs that tools of Python run"},
    ProtectedName{"__pycache__", "Python runs compiled code there instead of the source that a person reads"},
    ProtectedName{"*.pyc", "Python runs it instead of the source that a person reads"},
    ProtectedName{".venv", "an environment: its interpreter runs what is put there"},
    ProtectedName{"venv", "an environment: its interpreter runs what is put there"},
    ProtectedName{"site-packages", "an environment: its interpreter runs what is put there"},
    ProtectedName{"pyvenv.cfg", "says where an interpreter finds its modules"},
    ProtectedName{"node_modules", "an environment: programs run what is put there"},
    ProtectedName{"*.desktop", "a file manager runs the command in it"},
};
// clang-format on

/// The code point at the front of `text` and its length; length 0 for what is no UTF-8 (RFC 3629).
std::pair<uint32_t, size_t> first_code_point(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const size_t length = first < 0x80                    ? 1
                          : first >= 0xc2 && first < 0xe0 ? 2
                          : first >= 0xe0 && first < 0xf0 ? 3
                          : first >= 0xf0 && first < 0xf5 ? 4
                                                          : 0;
    if (length == 0 || length > text.size()) return {0, 0};
    if (length == 1) return {first, 1};
    uint32_t value = first & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return {0, 0};
        value = value << 6U | (byte(i) & 0x3fU);
    }
    constexpr std::array<uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    if (value < kLeast[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {0, 0};
    return {value, length};
}

/// Control characters, and what changes the direction of writing or hides (Unicode Cf as of terminals).
bool steers(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c >= 0xe0000;
}

constexpr const char* kDigits = "0123456789abcdef";

void append_escaped(std::string& out, const char* prefix, char c) {
    const auto byte = static_cast<unsigned char>(c);
    out += prefix;
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
}

int digit_value(char c) {
    const size_t at = std::string_view(kDigits).find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Result<UniqueFd> open_beneath(int root_fd, const std::string& path, int flags) {
    open_how how{};
    how.flags = static_cast<__u64>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const char* name = path.empty() ? "." : path.c_str();
    long fd = -1;
    // EAGAIN: a rename on the way came in between (openat2(2)); a cell could do so for ever.
    constexpr int kAttempts = 16;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        fd = ::syscall(SYS_openat2, root_fd, name, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    if (fd < 0) return errno_error("open " + printable(path));
    return UniqueFd(static_cast<int>(fd));
}

std::string parent_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_plain_path(std::string_view path) {
    if (path.empty() || path.find('\0') != std::string_view::npos) return false;
    while (true) {
        const size_t slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        if (part.empty() || part == "." || part == "..") return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

bool is_below(std::string_view path, std::string_view directory) {
    return directory.empty() || (path.starts_with(directory) &&
                                 (path.size() == directory.size() || path[directory.size()] == '/'));
}

std::string printable(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto [code_point, length] = first_code_point(name);
        if (length == 0 || steers(code_point) || code_point == '\\') {
            for (const char c : name.substr(0, length == 0 ? 1 : length)) append_escaped(out, "\\x", c);
        } else {
            out += name.substr(0, length);
        }
        name.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

std::string encode(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c > 0x20 && c < 0x7f && c != '%')
            out += c;
        else
            append_escaped(out, "%", c);
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
