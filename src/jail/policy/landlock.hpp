// What Landlock lets processes of a jail do below which directory. It is the second lock behind the mount
// view: a mount that were writable by mistake stays closed. Rights that no row grants are refused everywhere.
// https://docs.kernel.org/userspace-api/landlock.html
#pragma once

#include <cstdint>
#include <span>

namespace cellblock::jail::policy {

struct LandlockRow {
    const char* path;  ///< inside the jail; the row holds for everything below it
    uint64_t rights;   ///< LANDLOCK_ACCESS_FS_…
    const char* reason;
};

std::span<const LandlockRow> landlock_rows();
/// The row for the directory of a plan that takes writes; its path is the plan's.
LandlockRow changed_directory_row();

/// All rights that the kernel knows from ABI version `abi` on, which are those that a ruleset must handle.
uint64_t landlock_file_rights(int abi);
/// LANDLOCK_SCOPE_… likewise: whom processes of a jail cannot reach outside of it.
uint64_t landlock_scopes(int abi);

}  // namespace cellblock::jail::policy
