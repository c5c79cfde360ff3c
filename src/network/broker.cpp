// The thread, and the listeners.
#include "network/broker.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/printable.hpp"
#include "network/connection.hpp"
#include "network/name_server.hpp"

namespace cellblock::network {

class Broker::Core {
  public:
    Core(NetworkSockets sockets, BrokerOptions options, std::unique_ptr<EventLoop> loop)
        : options_(std::move(options)),
          sockets_(std::move(sockets)),
          loop_(std::move(loop)),
          lookups_(*loop_, options_.lookup),
          context_{*loop_, lookups_, options_.refuses, options_.limits,
                   [this](Report report) { note(std::move(report)); }},
          rate_(options_.limits.accepts, options_.limits.window),
          pace_(options_.limits.report_delay, options_.limits.most_report_delay) {}

    Result<void> prepare() {
        NameTable names;
        for (const EndpointListener& listener : sockets_.listeners)
            names[listener.endpoint.host] = listener.address;
        name_server_ = TRY(NameServer::create(*loop_, options_.limits, std::move(sockets_.dns_datagrams),
                                              std::move(sockets_.dns_connections), std::move(names),
                                              [this](const std::string& name) {
                                                  note({Act::unknown_name, printable(name), 0, "", ""});
                                              }));
        sweep_ = TRY(LoopTimer::create(*loop_, [this] { sweep(); }));
        resume_ = TRY(LoopTimer::create(*loop_, [this] { resume(); }));
        report_ = TRY(LoopTimer::create(*loop_, [this] {
            flush();
            pace_.told(Pace::Clock::now());
        }));
        for (const EndpointListener& listener : sockets_.listeners)
            loop_->watch(listener.socket.get(), EPOLLIN, [this, &listener](uint32_t) { accept(listener); });
        return {};
    }

    void run() {
        while (!stopped_) loop_->wait_and_run(std::chrono::milliseconds(-1));
        for (const auto& connection : connections_) connection->end("the jail has ended");
        connections_.clear();
        flush();
    }

    void stop() {
        loop_->post([this] { stopped_ = true; });
    }

    void flush() {
        const std::lock_guard lock(telling_);
        const std::vector<Report> reports = reports_.take();
        if (!reports.empty() && options_.report) options_.report(reports);
    }

  private:
    void note(Report report) {
        if (reports_.add(std::move(report))) report_->arm(pace_.next(Pace::Clock::now()));
    }

    void accept(const EndpointListener& listener) {
        if (!rate_.take()) return pause(listener);
        UniqueFd fd(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd.valid()) {
            // Without descriptors it would be reported for ever.
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                note({Act::refused, listener.endpoint.host, listener.endpoint.port, "", errno_name(errno)});
                pause(listener);
            }
            return;
        }
        if (!leaves_descriptors(fd.get())) return refuse(listener, fd, kTooManyDescriptors);
        if (connections_.size() >= std::min(kUnboundedConnections, options_.limits.connections))
            forget_ended();
        if (connections_.size() >= options_.limits.connections)
            return refuse(listener, fd,
                          "more than " + std::to_string(options_.limits.connections) + " connections");
        if (!options_.admits()) return refuse(listener, fd, "it could not be recorded");
        connections_.push_back(std::make_shared<Connection>(context_, listener.endpoint, std::move(fd),
                                                            connections_.size() < kUnboundedConnections
                                                                ? Connection::Buffers::as_linux_likes
                                                                : Connection::Buffers::bounded));
        connections_.back()->start();
        if (!sweep_->armed()) sweep_->arm(kSweepInterval);
    }

    void refuse(const EndpointListener& listener, const UniqueFd& connection, std::string reason) {
        note({Act::refused, listener.endpoint.host, listener.endpoint.port, "", std::move(reason)});
        reset_at_close(connection.get());
    }

    void pause(const EndpointListener& listener) {
        loop_->change(listener.socket.get(), 0);
        paused_.push_back(listener.socket.get());
        if (!resume_->armed()) resume_->arm(rate_.resume_in());
    }

    void resume() {
        for (const int listener : std::exchange(paused_, {})) loop_->change(listener, EPOLLIN);
    }

    void sweep() {
        const auto now = Connection::Clock::now();
        for (const auto& connection : connections_) connection->check_deadlines(now);
        forget_ended();
        if (!connections_.empty()) sweep_->arm(kSweepInterval);
    }

    void forget_ended() {
        std::erase_if(connections_, [](const auto& connection) { return connection->ended(); });
    }

    const BrokerOptions options_;
    NetworkSockets sockets_;
    std::unique_ptr<EventLoop> loop_;
    Lookups lookups_;
    ConnectionContext context_;
    Rate rate_;
    Pace pace_;
    Reports reports_;
    std::mutex telling_;
    std::unique_ptr<NameServer> name_server_;
    std::unique_ptr<LoopTimer> sweep_;
    std::unique_ptr<LoopTimer> resume_;
    std::unique_ptr<LoopTimer> report_;
    std::vector<int> paused_;
    std::vector<std::shared_ptr<Connection>> connections_;
    bool stopped_ = false;
};

Result<std::unique_ptr<Broker>> Broker::start(NetworkSockets sockets, BrokerOptions options) {
    auto loop = TRY(EventLoop::create());
    std::unique_ptr<Broker> broker(
        new Broker(std::make_unique<Core>(std::move(sockets), std::move(options), std::move(loop))));
    TRY(broker->core_->prepare());
    try {
        broker->thread_ = std::thread([core = broker->core_.get()] { core->run(); });
    } catch (const std::system_error& error) {
        return Error("start a thread for the allowed network names", error.code().value());
    }
    return broker;
}

Broker::Broker(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Broker::~Broker() {
    if (!thread_.joinable()) return;
    core_->stop();
    thread_.join();
}

void Broker::flush() {
    core_->flush();
}

}  // namespace cellblock::network
