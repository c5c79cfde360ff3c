// Host: what a session needs from the role that runs it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jail/jail.hpp"
#include "network/reports.hpp"
#include "protocol/message.hpp"

namespace cellblock::session {

/// An iopub message on its way to front ends.
struct Publication {
    std::string msg_type;
    std::string topic;          ///< empty: the kernel's default for this type
    std::string parent_header;  ///< JSON object
    std::string metadata;
    std::string content;
    std::vector<std::string> buffers;
};

/// What a session needs from the role that runs it. Called in the loop's thread.
class Host {
  public:
    virtual void publish(Publication publication) = 0;
    /// Request `id` asks the front end that sent it: `content` is that of input_request.
    virtual void ask_input(uint64_t id, const protocol::Request& request, std::string content) = 0;
    /// The cell of this request waits in the worker's event loop: comm messages to its shell may be handled
    /// now, see Session::run_beside().
    virtual void cell_awaits(const protocol::Request& request) = 0;
    /// Nobody waits for the answer any more (the cell was interrupted or ended).
    virtual void forget_input(uint64_t id) = 0;
    /// The interpreter died while no cell ran: call recover_if_lost() soon, from the executor's thread.
    virtual void worker_lost_while_idle() = 0;
    /// The cell of `request` made system calls that look like an escape; they were refused. In the executor's
    /// thread.
    virtual void calls_refused(const protocol::Request& request,
                               const std::vector<jail::Denial>& denials) = 0;
    /// What cells have done with allowed network names, and in vain with others. In the broker's or an
    /// executor's thread.
    virtual void network_used(const std::vector<network::Report>& reports) = 0;

  protected:
    ~Host() = default;
};

}  // namespace cellblock::session
