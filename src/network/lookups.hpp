// Lookups: asks the host for the addresses of names, away from the loop: the C library's way of asking blocks
// for as long as name servers are silent.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/result.hpp"
#include "network/ip_address.hpp"

namespace cellblock::network {

/// Threads that ask at the same time. One that gets no answer stays one of them until the C library gives up.
inline constexpr int kMaxLookups = 4;
/// How long an answer, also that there is none, serves for the next connection: a jail that connects as fast
/// as it can does not ask the host's name servers as fast.
inline constexpr std::chrono::seconds kLookupLife{5};
/// Of one name.
inline constexpr size_t kMaxAddresses = 16;

using Addresses = std::vector<IpAddress>;
using Lookup = std::function<Result<Addresses>(const std::string& name)>;

/// By getaddrinfo(3), so by what the host's nsswitch.conf says. In their order of preference.
Result<Addresses> look_up_on_host(const std::string& name);

/// For the loop's thread. As many names as there are listeners, and so bounded.
class Lookups {
  public:
    using Done = std::function<void(const Result<Addresses>& addresses)>;

    Lookups(EventLoop& loop, Lookup lookup);
    /// Does not wait for those that are under way; their answers go nowhere.
    ~Lookups();
    Lookups(const Lookups&) = delete;
    Lookups& operator=(const Lookups&) = delete;

    /// `done` is called in the loop's thread, not before this returns.
    void ask(const std::string& name, Done done);

  private:
    using Clock = std::chrono::steady_clock;
    struct Known {
        Result<Addresses> addresses;
        Clock::time_point until;
    };
    /// Outlives this object with the threads.
    struct Link {
        std::mutex mutex;
        Lookups* owner;  ///< null once that has gone
    };
    void start_next();
    void finish(const std::string& name, Result<Addresses> addresses);

    EventLoop& loop_;
    const Lookup lookup_;
    std::shared_ptr<Link> link_;
    std::map<std::string, Known> known_;
    std::map<std::string, std::vector<Done>> waiting_;
    std::deque<std::string> queue_;
    int running_ = 0;
};

}  // namespace cellblock::network
