// Reports: what a broker decided and carried, folded, so that a jail which does the same thing ten thousand
// times makes one line of it.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cellblock::network {

/// Different ones between two takes. What comes beyond is counted in one row for each act, without names.
inline constexpr size_t kMaxReports = 64;
/// Of them, names that a jail has made up: with those it could not crowd out what it has really done.
inline constexpr size_t kMaxUnknownNames = 32;

enum class Act {
    connected,     ///< a connection to an allowed name was made, to `address`
    refused,       ///< … was not made, or not kept: `reason`
    closed,        ///< one that was made is over: `reason`, and the bytes
    unknown_name,  ///< the name server was asked for a name that is not allowed
};
std::string_view to_text(Act act);

struct Report {
    Act act = Act::connected;
    std::string host;       ///< printable; empty: various
    uint16_t port = 0;      ///< 0 with unknown_name, and where the host is empty
    std::string address;    ///< of the host, where one was chosen
    std::string reason;     ///< empty with connected and unknown_name
    uint64_t count = 1;     ///< how often
    uint64_t sent = 0;      ///< closed: bytes from the jail, of all together
    uint64_t received = 0;  ///< closed: bytes to it
};

/// Any thread.
class Reports {
  public:
    /// True when it is the first since they were taken.
    bool add(Report report);
    std::vector<Report> take();

  private:
    std::mutex mutex_;
    std::vector<Report> reports_;
};

}  // namespace cellblock::network
