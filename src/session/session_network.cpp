// What a session's cells have for a network, and who is told of it.
#include "session/session.hpp"

namespace cellblock::session {

Result<void> Session::start_broker() {
    if (config_.plan.network != jail::Network::allow) return {};
    network::BrokerOptions options = config_.broker;
    options.report = [this](const std::vector<network::Report>& reports) {
        if (audit_) audit_->network_used(reports);
        host_.network_used(reports);
    };
    if (audit_) options.admits = [this] { return audit_->permits().ok(); };
    broker_ = TRY(network::Broker::start(jail_->take_network_sockets(), std::move(options)));
    return {};
}

// Before the record of a cell's end, so that what it has done on the network stands before that.
void Session::tell_of_network() {
    std::shared_ptr<network::Broker> broker;
    {
        const std::lock_guard lock(jail_mutex_);
        broker = broker_;
    }
    if (broker) broker->flush();
}

}  // namespace cellblock::session
