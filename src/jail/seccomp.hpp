// Compiles the system call policy into BPF programs, with libseccomp and before any clone; loading them in
// the child is one system call each and touches no library.
#pragma once

#include <linux/filter.h>

#include <string_view>
#include <utility>
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
    BpfProgram calls;      ///< allowlist by number; a foreign architecture (x32 too) kills the process
};

Result<SyscallFilters> compile_filters(Level level);

/// A call's number on this architecture; negative where it has none, or for a name that libseccomp does not
/// know.
int call_number(std::string_view name);

/// One program: what `arguments` would let through goes on to `calls`. One, because the kernel allows one
/// listener.
BpfProgram join(const SyscallFilters& filters);

/// Memory that parent and child share: compiling takes a millisecond, in which the child can build its view.
class SharedFilter {
  public:
    static Result<SharedFilter> allocate();
    ~SharedFilter();
    SharedFilter(SharedFilter&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
    SharedFilter& operator=(SharedFilter&&) = delete;
    SharedFilter(const SharedFilter&) = delete;
    SharedFilter& operator=(const SharedFilter&) = delete;

    /// Parent.
    Result<void> fill(const BpfProgram& program);
    /// Child, once the parent has said that it is there. For the calling thread, which is the only one in a
    /// jail's pid 1. Async-signal-safe; the listener for reported calls, or -errno.
    int load() const;

  private:
    struct Memory;
    explicit SharedFilter(Memory* memory) : memory_(memory) {}
    Memory* memory_;
};

}  // namespace cellblock::jail
