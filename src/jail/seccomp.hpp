// Compiles the system call policy into BPF programs, with libseccomp and before any clone; loading them in
// the child is one system call each and touches no library.
#pragma once

#include <linux/filter.h>

#include <utility>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"

namespace cellblock::jail {

using BpfProgram = std::vector<sock_filter>;

/// The kernel runs both at every call and takes the stricter answer. Calls that both allow whatever their
/// arguments are skip the programs altogether (the kernel keeps a bitmap of them).
struct SyscallFilters {
    BpfProgram calls;      ///< allowlist by number; a foreign architecture (x32 too) kills the process
    BpfProgram arguments;  ///< refuses some arguments of allowed calls
};

Result<SyscallFilters> compile_filters(Level level);

/// Memory that parent and child share: compiling takes a millisecond, in which the child can build its view.
class SharedFilters {
  public:
    static Result<SharedFilters> allocate();
    ~SharedFilters();
    SharedFilters(SharedFilters&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
    SharedFilters& operator=(SharedFilters&&) = delete;
    SharedFilters(const SharedFilters&) = delete;
    SharedFilters& operator=(const SharedFilters&) = delete;

    /// Parent.
    Result<void> fill(const SyscallFilters& filters);
    /// Child, once the parent has said that they are there. For the calling thread, which is the only one in
    /// a jail's pid 1. Async-signal-safe; 0 or -errno.
    int load() const;

  private:
    struct Memory;
    explicit SharedFilters(Memory* memory) : memory_(memory) {}
    Memory* memory_;
};

}  // namespace cellblock::jail
