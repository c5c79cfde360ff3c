// NameServer: answers the DNS queries of a jail, on two sockets in its network namespace.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"
#include "network/dns.hpp"
#include "network/limits.hpp"

namespace cellblock::network {

/// For the loop's thread.
class NameServer {
  public:
    using Clock = std::chrono::steady_clock;
    /// `refused` is told each name that is asked for and not allowed; it is hostile.
    using Refused = std::function<void(const std::string& name)>;

    static Result<std::unique_ptr<NameServer>> create(EventLoop& loop, const BrokerLimits& limits,
                                                      UniqueFd datagrams, UniqueFd connections,
                                                      NameTable names, Refused refused);
    ~NameServer();
    NameServer(const NameServer&) = delete;
    NameServer& operator=(const NameServer&) = delete;

  private:
    /// Over TCP: one query after the other, each with its length before it.
    struct Client {
        UniqueFd fd;
        std::string question;
        std::string answer;
        Clock::time_point idle_since;
    };
    NameServer(EventLoop& loop, const BrokerLimits& limits, UniqueFd datagrams, UniqueFd connections,
               NameTable names, Refused refused);
    std::string answer(std::string_view query);
    void on_datagrams();
    void on_connection();
    void on_client(int fd);
    enum class Served { waits, comes_later, over };
    Served serve(Client& client);
    void drop(int fd);
    void drop_idle();
    void pause();
    void resume();

    EventLoop& loop_;
    const BrokerLimits& limits_;
    UniqueFd datagrams_;
    UniqueFd connections_;
    const NameTable names_;
    const Refused refused_;
    Rate rate_;
    std::unique_ptr<LoopTimer> resume_;
    std::unique_ptr<LoopTimer> sweep_;
    bool paused_ = false;
    std::unordered_map<int, Client> clients_;
};

}  // namespace cellblock::network
