// Contents of the messages that the kernel itself composes, and the table of requests: who answers which.
// Jupyter client documentation, "Messaging in Jupyter".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "jail/jail.hpp"
#include "protocol/message.hpp"
#include "session/session.hpp"

namespace cellblock::kernel {

/// Who answers a request.
enum class Answerer {
    kernel,  ///< the kernel process, at once
    worker,  ///< the worker, in its turn (shell) or beside the running cell (control)
    nobody,  ///< busy and idle only: the protocol asks to ignore what one does not know
};

struct Route {
    std::string_view msg_type;
    Answerer answerer;
    std::string_view reply_type;  ///< empty: the protocol has no reply
    std::string_view reason;
};

/// The row for a message type; the last row is for unknown ones.
const Route& route_of(std::string_view msg_type);

/// The profile that the kernel's settings come from.
struct ProfileInForce {
    std::string name = "default";
    std::string digest;              ///< over all settings as they hold
    std::vector<std::string> notes;  ///< sentences: what was asked for and is not obeyed
};

/// kernel_info_reply. `worker_info` is the info object of the worker's hello. What holds the cells is in the
/// banner and, for programs, in the member "cellblock" (docs/profiles.md).
Result<std::string> kernel_info_content(const std::string& worker_info, const session::Isolation& isolation,
                                        const ProfileInForce& profile);
std::string shutdown_content(bool restart);
std::string aborted_content();
/// Of a cell that never ran, as of one that did: front ends show when it was taken up.
std::string unrun_metadata(const std::string& engine, std::string_view status);
std::string status_content(std::string_view state);
/// {"status": "error", …} for a request that cannot be carried out.
std::string error_content(const std::string& name, const std::string& text);
/// For subshell requests on the control channel: ipykernel's errors have no ename there.
session::Reply subshell_refusal(const Error& error);
/// comm_open, comm_msg, comm_close: messages without a reply.
bool is_comm(std::string_view msg_type);
/// A text of a request's content; empty when it is absent or no text.
std::string content_text(const protocol::Request& request, std::string_view key);
/// A boolean of a request's content.
bool content_flag(const protocol::Request& request, std::string_view key, bool otherwise);

}  // namespace cellblock::kernel
