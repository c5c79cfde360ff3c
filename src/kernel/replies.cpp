// Texts are put together from validated pieces, so that the worker's and front ends' JSON passes through
// unchanged.
#include "kernel/replies.hpp"

#include <array>

#include "build_info.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::kernel {
namespace {

using protocol::json_string;

// clang-format off
constexpr std::array kRoutes{
    Route{"execute_request",     Answerer::worker, "execute_reply",     "a cell"},
    Route{"complete_request",    Answerer::worker, "complete_reply",    "needs the namespace"},
    Route{"inspect_request",     Answerer::worker, "inspect_reply",     "needs the namespace"},
    Route{"is_complete_request", Answerer::worker, "is_complete_reply", "IPython's input transformers decide"},
    Route{"history_request",     Answerer::worker, "history_reply",     "the worker keeps the history"},
    Route{"comm_info_request",   Answerer::worker, "comm_info_reply",   "the worker keeps the comms"},
    Route{"comm_open",           Answerer::worker, "",                  "runs handlers in the namespace"},
    Route{"comm_msg",            Answerer::worker, "",                  "runs handlers in the namespace"},
    Route{"comm_close",          Answerer::worker, "",                  "runs handlers in the namespace"},
    Route{"debug_request",       Answerer::worker, "debug_reply",       "debugs the namespace"},
    Route{"kernel_info_request", Answerer::kernel, "kernel_info_reply", "must be answered while a cell runs"},
    Route{"connect_request",     Answerer::kernel, "connect_reply",     "ports are known here; deprecated"},
    Route{"interrupt_request",   Answerer::kernel, "interrupt_reply",   "must never wait for a cell"},
    Route{"shutdown_request",    Answerer::kernel, "shutdown_reply",    "ends this process"},
    Route{"create_subshell_request", Answerer::kernel, "create_subshell_reply", "shells and their queues are here"},
    Route{"delete_subshell_request", Answerer::kernel, "delete_subshell_reply", "as above"},
    Route{"list_subshell_request",   Answerer::kernel, "list_subshell_reply",   "as above"},
    Route{"usage_request",       Answerer::kernel, "usage_reply",       "the cgroup's counters, at any time"},
    Route{"",                    Answerer::nobody, "",                  "unknown to this version"},
};
// clang-format on

std::string banner_of_jail(const session::Isolation& isolation, const ProfileInForce& profile) {
    std::string text = "Cellblock " + std::string(kVersion) + ": cells run in a jail (isolation level " +
                       std::string(to_text(isolation.level)) + ", backend " +
                       std::string(to_text(isolation.backend)) + ", profile " + profile.name +
                       "): no network, no home directory, limited memory.\n";
    if (!isolation.landlock)
        text += "The isolation is degraded: this host has no Landlock, and the profile does without.\n";
    for (const std::string& note : profile.notes) text += "Note: " + note + ".\n";
    // Notes have paths of others in them, and consoles print the banner as it is.
    for (char& c : text)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F) c = '?';
    return text;
}

std::string jail_info(const session::Isolation& isolation, const ProfileInForce& profile) {
    std::string notes;
    for (const std::string& note : profile.notes) notes += (notes.empty() ? "" : ", ") + json_string(note);
    return "{\"isolation\": " + json_string(to_text(isolation.level)) +
           ", \"backend\": " + json_string(to_text(isolation.backend)) +
           ", \"landlock\": " + (isolation.landlock ? "true" : "false") +
           ", \"profile\": " + json_string(profile.name) +
           ", \"profile_digest\": " + json_string(profile.digest) + ", \"notes\": [" + notes + "]}";
}

}  // namespace

const Route& route_of(std::string_view msg_type) {
    for (const Route& route : kRoutes)
        if (route.msg_type == msg_type) return route;
    return kRoutes.back();
}

Result<std::string> kernel_info_content(const std::string& worker_info, const session::Isolation& isolation,
                                        const ProfileInForce& profile) {
    const auto members = TRY(protocol::scan_object(worker_info));
    const auto member = [&](std::string_view key, std::string_view otherwise) {
        return std::string(protocol::find_member(members, key).value_or(otherwise));
    };
    std::string banner = protocol::as_string(member("banner", "\"\"")).value_or("");
    banner += banner_of_jail(isolation, profile);
    const bool debugger = protocol::as_bool(member("debugger", "false")).value_or(false);
    return "{\"status\": \"ok\", \"protocol_version\": \"5.5\", \"implementation\": \"cellblock\", "
           "\"implementation_version\": " +
           json_string(kVersion) + ", \"language_info\": " + member("language_info", "{}") +
           ", \"banner\": " + json_string(banner) + ", \"help_links\": " + member("help_links", "[]") +
           ", \"debugger\": " + (debugger ? "true" : "false") +
           ", \"supported_features\": [\"kernel subshells\"" + (debugger ? ", \"debugger\"" : "") +
           "], \"cellblock\": " + jail_info(isolation, profile) + "}";
}

std::string shutdown_content(bool restart) {
    return std::string("{\"status\": \"ok\", \"restart\": ") + (restart ? "true}" : "false}");
}

std::string aborted_content() {
    return "{\"status\": \"aborted\"}";
}

std::string unrun_metadata(const std::string& engine, std::string_view status) {
    return "{\"started\": \"" + protocol::timestamp() +
           "\", \"dependencies_met\": true, \"engine\": " + json_string(engine) +
           ", \"status\": " + json_string(status) + "}";
}

std::string status_content(std::string_view state) {
    return "{\"execution_state\": \"" + std::string(state) + "\"}";
}

std::string error_content(const std::string& name, const std::string& text) {
    return "{\"status\": \"error\", \"ename\": " + json_string(name) + ", \"evalue\": " + json_string(text) +
           ", \"traceback\": [" + json_string(name + ": " + text) + "]}";
}

session::Reply subshell_refusal(const Error& error) {
    session::Reply reply;
    reply.status = protocol::ReplyStatus::error;
    reply.content = "{\"status\": \"error\", \"evalue\": " + json_string(error.what()) + "}";
    return reply;
}

bool is_comm(std::string_view msg_type) {
    return msg_type == "comm_open" || msg_type == "comm_msg" || msg_type == "comm_close";
}

std::string content_text(const protocol::Request& request, std::string_view key) {
    return protocol::text_member(request.content, key);
}

bool content_flag(const protocol::Request& request, std::string_view key, bool otherwise) {
    const auto members = protocol::scan_object(request.content);
    if (!members) return otherwise;
    const auto value = protocol::find_member(*members, key);
    return value ? protocol::as_bool(*value).value_or(otherwise) : otherwise;
}

}  // namespace cellblock::kernel
