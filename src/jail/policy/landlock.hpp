// What Landlock lets processes of a jail do below which directory. It is the second lock behind the mount
// view: a mount that were writable by mistake stays closed. Rights that no row grants are refused everywhere.
// https://docs.kernel.org/userspace-api/landlock.html
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace cellblock::jail::policy {

struct LandlockRow {
    const char* path;  ///< inside the jail; the row holds for everything below it
    uint64_t rights;   ///< LANDLOCK_ACCESS_FS_…
    const char* reason;
};

std::span<const LandlockRow> landlock_rows();

/// A mount of a plan that takes writes.
struct WritablePath {
    enum class Kind {
        changed_directory,  ///< Access::copy_on_write
        volume,             ///< Access::read_write
    };
    Kind kind = Kind::changed_directory;
    std::string path;  ///< by its name inside
};
/// The row for such a mount; its path is the plan's.
LandlockRow writable_row(WritablePath::Kind kind);

/// What a version of Landlock's ABI brought.
struct LandlockAbiRow {
    int abi;
    uint64_t rights;      ///< LANDLOCK_ACCESS_FS_…
    uint64_t scopes;      ///< LANDLOCK_SCOPE_…
    const char* since;    ///< of Linux
    const char* without;  ///< what is missing where it is missing
};
std::span<const LandlockAbiRow> landlock_abis();

/// All rights that the kernel knows from ABI version `abi` on, which are those that a ruleset must handle.
uint64_t landlock_file_rights(int abi);
/// LANDLOCK_SCOPE_… likewise: whom processes of a jail cannot reach outside of it.
uint64_t landlock_scopes(int abi);

}  // namespace cellblock::jail::policy
