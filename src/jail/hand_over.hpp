// What the kernel process gives jail-init where another program executes it: descriptors by fixed numbers,
// and one struct. Both programs come from one build; the struct says so, because an installation can be
// mixed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <type_traits>

#include "jail/jail.hpp"
#include "jail/restrict.hpp"

namespace cellblock::jail {

/// Descriptors of the process that executes bubblewrap or gVisor. These reach jail-init; with gVisor, the
/// first three.
namespace given_fd {
inline constexpr int kControl = 3;
inline constexpr int kReport = 4;
inline constexpr int kHandOver = 5;  ///< sealed memory with one HandOver
inline constexpr int kProgram = 6;   ///< jail-init itself: it has no path inside
inline constexpr int kFirstOther = 7;
}  // namespace given_fd

struct HandOver {
    static constexpr uint64_t kMagic = 0x31'4c49'414a'4243;  ///< "CBJAIL1"
    uint64_t magic = kMagic;
    uint64_t size = sizeof(HandOver);
    Backend backend = Backend::native;
    Level level = Level::full;
    bool landlock = true;
    Limits limits;
    dev_t host_root_device = 0;
    ino_t host_root_inode = 0;
    pid_t parent_pid = 0;
    Fault fault;
};
static_assert(std::is_trivially_copyable_v<HandOver>);

}  // namespace cellblock::jail
