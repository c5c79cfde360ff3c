// Broker: what a jail with allowed names has for a network. It answers, outside of the jail and in a thread
// of its own, the sockets that the jail has handed out: a name server for the allowed names, and for each of
// those a relay to the host that it stands for. It alone decides: by the socket that a connection comes from,
// and by the address that the name has on the host.
//
// docs/adr/0017-allowed-network-names.md says why it is so.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/event_loop.hpp"
#include "base/network_sockets.hpp"
#include "base/result.hpp"
#include "network/address_policy.hpp"
#include "network/limits.hpp"
#include "network/lookups.hpp"
#include "network/reports.hpp"

namespace cellblock::network {

struct BrokerOptions {
    /// Told what has happened, folded, soon after it has. In the broker's thread, or in that of flush();
    /// never in two at the same time. May block: meanwhile connections wait.
    std::function<void(const std::vector<Report>& reports)> report;
    /// Whether connections may be made just now: not while what they carry could not be recorded. In the
    /// broker's thread.
    std::function<bool()> admits = [] { return true; };
    /// Tests, which stay on this host, have others.
    Lookup lookup = look_up_on_host;
    AddressPolicy refuses = why_refused;
    BrokerLimits limits;
};

class Broker {
  public:
    static Result<std::unique_ptr<Broker>> start(NetworkSockets sockets, BrokerOptions options);
    /// Ends all connections and reports them.
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// Reports what there is now, instead of soon. Any thread.
    void flush();

  private:
    class Core;
    explicit Broker(std::unique_ptr<Core> core);

    std::unique_ptr<Core> core_;
    std::thread thread_;
};

}  // namespace cellblock::network
