// What this host can enforce, found out by trying it: for `cellblock doctor`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cellblock::jail {

struct Probe {
    enum class Status {
        ok,
        degraded,  ///< works with less than the best protection
        missing,   ///< does not work
    };
    std::string name;
    Status status = Status::ok;
    std::string finding;  ///< what was seen, one line
    std::string remedy;   ///< what a person can do; empty when nothing needs doing
};

std::string_view to_text(Probe::Status status);

/// Names of the two probes that decide which isolation level can be had.
inline constexpr const char* kFullJailProbe = "jail with hard limits (full)";
inline constexpr const char* kNamespacedJailProbe = "jail without hard limits (namespaced)";
/// The same by the backend bwrap.
inline constexpr const char* kFullBwrapProbe = "jail by bubblewrap (full)";
inline constexpr const char* kNamespacedBwrapProbe = "jail by bubblewrap (namespaced)";
/// The same by the backend runsc, which has one level.
inline constexpr const char* kFullGvisorProbe = "jail by gVisor (full)";
/// Whether --notebook-dir cow and rw can be had.
inline constexpr const char* kWritableDirectoryProbe = "directory that cells may write (cow, rw)";
/// The one that decides where Landlock is required, which it is unless a profile says otherwise. The jails of
/// the other two are made without it where there is none.
inline constexpr const char* kLandlockProbe = "Landlock";

/// Takes some tens of milliseconds, and half a second where gVisor is installed. Leaves nothing behind.
std::vector<Probe> probe_host();

}  // namespace cellblock::jail
