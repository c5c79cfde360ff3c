// Compiles the system call policy into BPF programs, those of arguments with libseccomp, when Cellblock is
// built: the compilation takes longer (2 ms) than anything else that a jail's start does. Neither this nor
// libseccomp is in the binary.
#pragma once

#include <linux/filter.h>

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

using BpfProgram = std::vector<sock_filter>;

/// Two programs, because libseccomp cannot say "allow this call except for these arguments" in a filter whose
/// default is to refuse. Calls that are allowed whatever their arguments skip both (the kernel keeps a bitmap
/// of them).
struct SyscallFilters {
    BpfProgram arguments;  ///< refuses some arguments of allowed calls
    BpfProgram calls;      ///< allowlist by number; a foreign architecture (x32 too) is the process's end
};

/// Whether the kernel process is told of calls that look like an escape, and asked for much memory. Without
/// that (in gVisor's kernel) the former are refused all the same, and the latter go through.
enum class Watch { listener, none };

Result<SyscallFilters> compile_filters(Level level, Watch watch);

/// A call's number on this architecture; negative where it has none, or for a name that libseccomp does not
/// know.
int call_number(std::string_view name);

/// One program: what `arguments` would let through goes on to `calls`. One, because the kernel allows one
/// listener.
BpfProgram join(const SyscallFilters& filters);

}  // namespace cellblock::jail
