// The table. Numbers instead of names where the headers of older systems have none.
#include "jail/policy/landlock.hpp"

#include <linux/landlock.h>

#include "base/check.hpp"

namespace cellblock::jail::policy {
namespace {

constexpr uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kReadDirectory = LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kFirstRights = (1ULL << 13) - 1;  // execute … make_sym
constexpr uint64_t kRefer = 1ULL << 13;
constexpr uint64_t kTruncate = 1ULL << 14;
constexpr uint64_t kDeviceControl = 1ULL << 15;
constexpr uint64_t kAbstractUnixSocket = 1ULL << 0;
constexpr uint64_t kSignal = 1ULL << 1;

constexpr uint64_t kRead = kExecute | kReadFile | kReadDirectory;
constexpr uint64_t kUseDevice = kReadFile | kWriteFile | kDeviceControl;
// What a program does in a directory of its own. No device nodes: they could outlive the jail.
constexpr uint64_t kOwn = (kFirstRights | kRefer | kTruncate) &
                          ~(uint64_t{LANDLOCK_ACCESS_FS_MAKE_CHAR} | LANDLOCK_ACCESS_FS_MAKE_BLOCK);

// clang-format off
constexpr LandlockRow kRows[] = {
    {"/", kRead, "whatever the mount view shows may be read and executed"},
    {"/proc", kWriteFile, "programs set their own oom_score_adj, comm and timerslack; the masks and /proc/sys stay read-only mounts"},
    {"/dev/null", kUseDevice | kTruncate, "used by every program; shells truncate it"},
    {"/dev/zero", kUseDevice, "mmap of zeroes in older programs"},
    {"/dev/full", kUseDevice, "tests of error handling"},
    {"/dev/pts", kUseDevice, "pseudo terminals of the jail's own"},
    {"/dev/shm", kOwn, "multiprocessing: shared memory and semaphores"},
    {"/tmp", kOwn, "temporary files"},
    {"/var/tmp", kOwn, "temporary files"},
    {"/home/cell", kOwn, "HOME"},
};

// Version 4 brought TCP ports, which are not handled: see enter_landlock().
constexpr LandlockAbiRow kAbis[] = {
    {1, kFirstRights,   0,                             "5.13", "everything"},
    {2, kRefer,         0,                             "5.19", "moving files between directories"},
    {3, kTruncate,      0,                             "6.2",  "a lock on truncating files"},
    {5, kDeviceControl, 0,                             "6.10", "a lock on controlling devices"},
    {6, 0,              kAbstractUnixSocket | kSignal, "6.12", "a lock on abstract sockets and signals"},
};
// clang-format on

}  // namespace

std::span<const LandlockRow> landlock_rows() {
    return kRows;
}

LandlockRow writable_row(WritablePath::Kind kind) {
    switch (kind) {
        case WritablePath::Kind::changed_directory:
            return {"the notebook directory, with --notebook-dir cow or rw", kOwn,
                    "writes go to a layer of the jail's own; the host's files are below it, read-only"};
        case WritablePath::Kind::volume:
            return {"volumes of cellblock run that are rw, and workspaces", kOwn,
                    "the host's own directory, which somebody has named to be written to"};
    }
    UNREACHABLE();
}

std::span<const LandlockAbiRow> landlock_abis() {
    return kAbis;
}

uint64_t landlock_file_rights(int abi) {
    uint64_t rights = 0;
    for (const LandlockAbiRow& row : kAbis)
        if (abi >= row.abi) rights |= row.rights;
    return rights;
}

uint64_t landlock_scopes(int abi) {
    uint64_t scopes = 0;
    for (const LandlockAbiRow& row : kAbis)
        if (abi >= row.abi) scopes |= row.scopes;
    return scopes;
}

}  // namespace cellblock::jail::policy
