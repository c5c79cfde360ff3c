// The steps of the view, in the same order as the native backend takes them.
#include "jail/bwrap_arguments.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

#include "base/sys.hpp"
#include "jail/policy/mounts.hpp"

namespace cellblock::jail {
namespace {

// Room for nothing: what stands in for a hidden directory is empty.
constexpr const char* kEmptySize = "4096";
constexpr size_t kMaxMountInfo = size_t{4} << 20U;

class Writer {
  public:
    Writer(const Plan& plan, const Identity& identity, const View& view, std::vector<std::string> mounts)
        : plan_(plan), identity_(identity), view_(view), mounts_(std::move(mounts)) {}

    BwrapArguments write() {
        add({"--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1"});
        add({"--uid", std::to_string(identity_.inside_uid), "--gid", std::to_string(identity_.inside_gid)});
        add({"--hostname", plan_.name, "--clearenv", "--chdir", "/"});
        for (const ViewStep& step : view_.base) add_base(step);
        for (const ViewStep& step : view_.environment) show(step);
        for (const policy::MaskRow& row : policy::process_masks()) mask(row);
        add({"--remount-ro", "/dev", "--remount-ro", "/"});
        return std::move(written_);
    }

  private:
    using Kind = ViewStep::Kind;

    void add(std::initializer_list<std::string> options) {
        written_.options.insert(written_.options.end(), options);
    }

    static std::string octal(mode_t mode) {
        std::array<char, 8> text{};
        std::snprintf(text.data(), text.size(), "%04o", mode);
        return text.data();
    }

    void add_base(const ViewStep& step) {
        if (step.path == "/dev") return add({"--dev", "/dev"});
        // The rest of it comes with that.
        if (step.path.starts_with("/dev/") && step.kind != Kind::shared_memory) return;
        switch (step.kind) {
            case Kind::directory:
                return add({"--perms", octal(step.mode), "--dir", step.path});
            case Kind::text:
                add({"--perms", "0444", "--file",
                     std::to_string(bwrap_fd::kFirstText + static_cast<int>(written_.texts.size())),
                     step.path});
                written_.texts.push_back(step.argument);
                return;
            case Kind::symlink:
                return add({"--symlink", step.argument, step.path});
            case Kind::scratch:
                return add_tmpfs(step.mode, view_.scratch_size, step.path);
            case Kind::shared_memory:
                return add_tmpfs(01777, view_.shared_memory_size, step.path);
            case Kind::processes:
                return add({"--proc", step.path});
            case Kind::tree:
            case Kind::device:
            case Kind::shown_directory:
            case Kind::shown_file:
            case Kind::changed_directory:
            case Kind::terminals:
                break;
        }
        show(step);
    }

    void hide(const std::string& path, bool is_directory) {
        if (!is_directory) return add({"--dev-bind", "/dev/null", path});
        add({"--perms", "0555", "--size", kEmptySize, "--tmpfs", path, "--remount-ro", path});
    }

    void add_tmpfs(mode_t mode, const std::string& size, const std::string& path) {
        add({"--perms", octal(mode), "--size", size, "--tmpfs", path});
    }

    void show(const ViewStep& step) {
        const auto index = static_cast<size_t>(step.tree);
        const HostTree& tree = view_.trees[index];
        add({"--ro-bind", tree.fd >= 0 ? staged_path(index) : tree.source, step.path});
    }

    // The new /proc has the same files as the host's. bubblewrap binds from the latter, with what is mounted
    // there.
    void mask(const policy::MaskRow& row) {
        struct stat info {};
        if (::stat(row.path, &info) != 0) return;
        if (row.mask == policy::Mask::read_only) {
            add({"--ro-bind", row.path, row.path});
            for (const std::string& mount : mounts_)
                if (mount.starts_with(std::string(row.path) + "/") && ::stat(mount.c_str(), &info) == 0)
                    hide(mount, S_ISDIR(info.st_mode));
        } else {
            hide(row.path, S_ISDIR(info.st_mode));
        }
    }

    const Plan& plan_;
    const Identity& identity_;
    const View& view_;
    const std::vector<std::string> mounts_;  ///< of the host below /proc
    BwrapArguments written_;
};

}  // namespace

std::string staged_path(size_t tree) {
    return std::string(kStaging) + "/" + std::to_string(tree);
}

Result<BwrapArguments> bwrap_arguments(const Plan& plan, const Identity& identity, const View& view) {
    return Writer(plan, identity, view,
                  mounts_below_proc(TRY(sys::read_file("/proc/self/mountinfo", kMaxMountInfo))))
        .write();
}

std::vector<std::string> mounts_below_proc(const std::string& mount_info) {
    std::vector<std::string> found;
    std::istringstream lines(mount_info);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string point;
        for (int field = 0; field < 5; ++field) words >> point;
        // In the order of mounting; one on top of another counts once. Escaped names are none of Linux's own.
        if (point.starts_with("/proc/") && std::ranges::find(found, point) == found.end())
            found.push_back(std::move(point));
    }
    return found;
}

}  // namespace cellblock::jail
