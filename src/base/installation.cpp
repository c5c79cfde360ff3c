// By the running program's own path: nothing has to be configured, and a copy finds what was copied with it.
#include "base/installation.hpp"

#include <unistd.h>

#include <climits>

namespace cellblock {
namespace {

constexpr std::string_view kPrograms = "/libexec/cellblock";

}  // namespace

Result<std::string> installation_root() {
    char self[PATH_MAX];
    const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self);
    if (n <= 0 || n == static_cast<ssize_t>(sizeof self))
        return errno_error("find this program's own path in /proc/self/exe").with_remedy("Is /proc mounted?");
    std::string directory(self, static_cast<size_t>(n));
    directory.resize(directory.rfind('/'));
    if (directory.ends_with(kPrograms))
        directory.resize(directory.size() - kPrograms.size());
    else
        directory.resize(directory.rfind('/'));
    return directory;
}

}  // namespace cellblock
