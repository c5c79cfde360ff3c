// A thread for each lookup under way. It may outlive everything here but the link.
#include "network/lookups.hpp"

#include <netdb.h>

#include <algorithm>
#include <system_error>
#include <thread>

namespace cellblock::network {

Result<Addresses> look_up_on_host(const std::string& name) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    // Without a dot at the end, with which /etc/hosts would not know it.
    if (const int e = ::getaddrinfo(name.c_str(), nullptr, &hints, &found); e != 0)
        return Error("look up " + name + ": " + ::gai_strerror(e));
    Addresses addresses;
    for (const addrinfo* each = found; each && addresses.size() < kMaxAddresses; each = each->ai_next)
        if (each->ai_family == AF_INET || each->ai_family == AF_INET6)
            addresses.push_back(ip_address_of(*each->ai_addr));
    ::freeaddrinfo(found);
    return addresses;
}

Lookups::Lookups(EventLoop& loop, Lookup lookup)
    : loop_(loop), lookup_(std::move(lookup)), link_(std::make_shared<Link>()) {
    link_->owner = this;
}

Lookups::~Lookups() {
    const std::lock_guard lock(link_->mutex);
    link_->owner = nullptr;
}

void Lookups::ask(const std::string& name, Done done) {
    const auto known = known_.find(name);
    if (known != known_.end() && Clock::now() < known->second.until) {
        loop_.post([addresses = known->second.addresses, done = std::move(done)] { done(addresses); });
        return;
    }
    auto& waiting = waiting_[name];
    waiting.push_back(std::move(done));
    if (waiting.size() > 1) return;
    queue_.push_back(name);
    start_next();
}

void Lookups::start_next() {
    while (running_ < kMaxLookups && !queue_.empty()) {
        const std::string name = std::move(queue_.front());
        queue_.pop_front();
        const auto work = [link = link_, lookup = lookup_, name] {
            Result<Addresses> addresses = lookup(name);
            const std::lock_guard lock(link->mutex);
            if (!link->owner) return;
            link->owner->loop_.post([link, name, addresses = std::move(addresses)] {
                // Changed by the loop's thread alone, which this is.
                if (!link->owner) return;
                --link->owner->running_;
                link->owner->finish(name, addresses);
                link->owner->start_next();
            });
        };
        try {
            std::thread(work).detach();
            ++running_;
        } catch (const std::system_error& error) {
            loop_.post([link = link_, name, number = error.code().value()] {
                if (link->owner)
                    link->owner->finish(name, Error("start a thread that looks names up", number));
            });
        }
    }
}

void Lookups::finish(const std::string& name, Result<Addresses> addresses) {
    const std::vector<Done> waiting = std::move(waiting_[name]);
    waiting_.erase(name);
    known_.insert_or_assign(name, Known{addresses, Clock::now() + kLookupLife});
    for (const Done& done : waiting) done(addresses);
}

}  // namespace cellblock::network
