// Installation is one rename: front ends that list kernels meanwhile see the old one, the new one or none,
// never half.
#include "cli/kernelspec.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/printable.hpp"
#include "base/sys.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kMaxKernelJson = 1 << 20;
constexpr size_t kMaxLogo = 1 << 20;
constexpr size_t kMaxName = 100;
constexpr std::array kLogos{"logo-svg.svg", "logo-32x32.png", "logo-64x64.png"};

// Ctrl-C in the middle would leave a temporary directory behind.
class SignalsHeld {
  public:
    SignalsHeld() {
        sigset_t set;
        sigemptyset(&set);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
        ::pthread_sigmask(SIG_BLOCK, &set, &before_);
    }
    ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

  private:
    sigset_t before_{};
};

// Makes a directory and those above it; unless it is kept, removes those that it made and that are empty.
class MadeDirectories {
  public:
    static Result<MadeDirectories> make(const fs::path& directory) {
        MadeDirectories made;
        std::error_code error;
        for (fs::path at = directory; !fs::exists(at, error) && at.has_relative_path(); at = at.parent_path())
            made.made_.push_back(at);
        fs::create_directories(directory, error);
        if (error) return Error("create the directory " + directory.string(), error.value());
        return made;
    }
    MadeDirectories(MadeDirectories&& other) noexcept : made_(std::exchange(other.made_, {})) {}
    MadeDirectories& operator=(MadeDirectories&&) = delete;
    ~MadeDirectories() {
        std::error_code ignored;  // Not empty any more: somebody else uses it.
        for (const fs::path& directory : made_) fs::remove(directory, ignored);
    }
    void keep() { made_.clear(); }

  private:
    MadeDirectories() = default;
    std::vector<fs::path> made_;  // innermost first
};

Result<void> write_new_file(const std::string& path, std::string_view text) {
    const UniqueFd fd = TRY(sys::open(path, O_WRONLY | O_CREAT | O_EXCL, 0666));
    if (auto written = sys::write_all(fd.get(), text); !written)
        return std::move(written.error()).context("write " + path);
    return {};
}

// `directory` may be replaced when it is ours, or empty.
Result<void> check_replaceable(const std::string& directory) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(directory, error))) return {};
    if (fs::is_directory(directory, error) && fs::is_empty(directory, error)) return {};
    if (read_kernelspec(directory)) return {};
    return Error(directory + " exists and was not made by Cellblock").with_remedy("Choose another --name.");
}

Result<void> put_in_place(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    // What was there comes to lie at `from`, in the temporary directory, and goes with it.
    if (errno == EEXIST && ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0)
        return {};
    if (errno != EINVAL && errno != ENOSYS) return errno_error("move the kernelspec to " + to);
    // A file system without these flags: the old one goes first, which leaves a moment without any.
    if (::rename(to.c_str(), (from + ".old").c_str()) != 0 && errno != ENOENT)
        return errno_error("move the old kernelspec away from " + to);
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    Error failure = errno_error("move the kernelspec to " + to);
    ::rename((from + ".old").c_str(), to.c_str());
    return failure;
}

// put_in_place() undone: what was at `to` before is where it left it.
Result<void> take_back(const std::string& from, const std::string& to) {
    if (::rename(to.c_str(), (from + ".new").c_str()) != 0) return errno_error("move " + to + " away");
    for (const std::string& old : {from, from + ".old"}) {
        if (::rename(old.c_str(), to.c_str()) == 0) return {};
        if (errno != ENOENT) return errno_error("move the old kernelspec back to " + to);
    }
    return {};
}

// What has been done without `confirm` is done no more.
Result<void> confirm_or(const Confirm& confirm, const std::function<Result<void>()>& undo) {
    auto confirmed = confirm();
    if (confirmed) return {};
    auto undone = undo();
    if (undone) return confirmed;
    return std::move(undone.error())
        .context(confirmed.error().sentence() + " And then it could not be undone");
}

std::string text_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<void> check_kernel_name(const std::string& name) {
    const bool good = !name.empty() && name.size() <= kMaxName && name[0] != '.' &&
                      std::all_of(name.begin(), name.end(), [](unsigned char c) {
                          return c < 128 && (std::isalnum(c) || c == '.' || c == '_' || c == '-');
                      });
    if (good) return {};
    return Error(in_quotes(name) + " cannot be the name of a kernel")
        .with_remedy("Use letters, digits, \".\", \"_\" and \"-\".");
}

Result<std::string> render_kernel_json(const std::string& template_text, const Kernelspec& kernelspec) {
    const std::array<std::pair<std::string_view, Json>, 6> values{
        {{"@ARGV@", kernelspec.argv},
         {"@DISPLAY_NAME@", kernelspec.display_name},
         {"@DEBUGGER@", kernelspec.debugger},
         {"@VERSION@", kernelspec.version},
         {"@ISOLATION@", kernelspec.isolation},
         {"@PYTHON@", kernelspec.python}}};
    std::string text;
    size_t done = 0;
    for (size_t open = template_text.find('@'); open != std::string::npos;
         open = template_text.find('@', done)) {
        const size_t close = template_text.find('@', open + 1);
        if (close == std::string::npos)
            return Error("read the kernelspec template: a placeholder has no end");
        const std::string_view name = std::string_view(template_text).substr(open, close - open + 1);
        const auto value =
            std::find_if(values.begin(), values.end(), [&](const auto& row) { return row.first == name; });
        if (value == values.end())
            return Error("read the kernelspec template: unknown placeholder " + std::string(name));
        text += template_text.substr(done, open - done);
        try {
            text += value->second.dump();
        } catch (const Json::type_error&) {
            return Error("write kernel.json: a path or name is not valid UTF-8, which JSON needs");
        }
        done = close + 1;
    }
    text += template_text.substr(done);
    if (!Json::accept(text)) return Error("read the kernelspec template: the result is not JSON");
    return text;
}

Result<Kernelspec> read_kernelspec(const std::string& directory) {
    const std::string text = TRY(sys::read_file(directory + "/kernel.json", kMaxKernelJson));
    const Json spec = Json::parse(text, nullptr, false);
    if (!spec.is_object()) return Error("read " + directory + "/kernel.json: it is not a JSON object");
    const auto metadata = spec.find("metadata");
    if (metadata == spec.end() || !metadata->is_object() || !metadata->contains("cellblock") ||
        !(*metadata)["cellblock"].is_object())
        return Error("the kernelspec " + directory + " was not made by Cellblock");
    const Json& ours = (*metadata)["cellblock"];
    Kernelspec kernelspec;
    kernelspec.display_name = text_at(spec, "display_name");
    if (const auto argv = spec.find("argv"); argv != spec.end() && argv->is_array())
        for (const Json& argument : *argv)
            if (argument.is_string()) kernelspec.argv.push_back(argument.get<std::string>());
    kernelspec.version = text_at(ours, "version");
    kernelspec.isolation = text_at(ours, "isolation");
    kernelspec.python = text_at(ours, "python");
    return kernelspec;
}

Result<void> write_kernelspec(const std::string& directory, const std::string& template_directory,
                              const Kernelspec& kernelspec, const Confirm& confirm) {
    const std::string template_text =
        TRY(sys::read_file(template_directory + "/kernel.json.in", kMaxKernelJson));
    const std::string kernel_json = TRY(render_kernel_json(template_text, kernelspec));
    TRY(check_replaceable(directory));

    const SignalsHeld held;
    const std::string kernels = fs::path(directory).parent_path().string();
    auto made = TRY(MadeDirectories::make(kernels));
    const auto temporary = TRY(sys::TempDir::create(".cellblock-", kernels));
    // A directory inside of the temporary one, because that has mode 0700 whatever the umask says.
    const std::string fresh = temporary.path() + "/kernelspec";
    if (::mkdir(fresh.c_str(), 0777) != 0) return errno_error("create the directory " + fresh);
    TRY(write_new_file(fresh + "/kernel.json", kernel_json));
    for (const char* logo : kLogos) {
        const std::string image = TRY(sys::read_file(template_directory + "/" + logo, kMaxLogo));
        TRY(write_new_file(fresh + "/" + logo, image));
    }
    TRY(put_in_place(fresh, directory));
    TRY(confirm_or(confirm, [&] { return take_back(fresh, directory); }));
    made.keep();
    return {};
}

Result<void> remove_kernelspec(const std::string& directory, const Confirm& confirm) {
    TRY(read_kernelspec(directory));
    // Out of sight at once, then removed: a front end never sees one without its logos. Of a link the link
    // alone: what it leads to may serve somebody else.
    const SignalsHeld held;
    const auto temporary =
        TRY(sys::TempDir::create(".cellblock-", fs::path(directory).parent_path().string()));
    const std::string old = temporary.path() + "/old";
    if (::rename(directory.c_str(), old.c_str()) != 0) return errno_error("remove " + directory);
    return confirm_or(confirm, [&]() -> Result<void> {
        if (::rename(old.c_str(), directory.c_str()) != 0) return errno_error("put " + directory + " back");
        return {};
    });
}

std::vector<std::string> our_kernels_in(const std::string& kernels_directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(kernels_directory, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (check_kernel_name(name) && read_kernelspec(entry->path().string())) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace cellblock::cli
