// The sentences, and the members that machines read.
#include "kernel/reports.hpp"

#include "observe/diagnostics.hpp"
#include "session/trace_context.hpp"

namespace cellblock::kernel {

using observe::Members;
using observe::report;
using observe::Severity;

void report_start(const session::Isolation& isolation, const ProfileInForce& profile) {
    const std::string level(jail::to_text(isolation.level));
    report(Severity::info, "kernel_started",
           "the kernel has started: isolation " + level + ", profile " + profile.name,
           Members()
               .text("isolation", level)
               .flag("landlock", isolation.landlock)
               .text("profile", profile.name)
               .text("profile_digest", profile.digest));
}

void report_failed_interpreter(const Error& error) {
    report(Severity::error, "interpreter_failed", error.sentence());
}

void report_lost_interpreter() {
    report(Severity::warning, "interpreter_lost",
           "the interpreter ended while no cell ran; a new one takes its place");
}

void report_end(const protocol::Request& request, jail::Verdict verdict, std::chrono::nanoseconds took) {
    const bool is_cell = request.msg_type == "execute_request";
    const bool by_itself = verdict == jail::Verdict::ok || verdict == jail::Verdict::error;
    const Severity severity = !by_itself ? Severity::warning : is_cell ? Severity::info : Severity::debug;
    if (!observe::reports(severity)) return;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    const std::string word(jail::to_text(verdict));
    Members fields;
    fields.text("msg_id", request.msg_id).text("msg_type", request.msg_type).text("verdict", word);
    fields.integer("duration_ms", ms);
    if (const std::string traceparent = session::traceparent_of(request); !traceparent.empty())
        fields.text("traceparent", traceparent);
    report(severity, is_cell ? "cell_ended" : "request_ended",
           request.msg_type + " " + request.msg_id + " ended after " + std::to_string(ms) + " ms: " + word,
           fields);
}

void report_refused_calls(const protocol::Request& request, const std::vector<jail::Denial>& denials) {
    std::string calls;
    for (const jail::Denial& denial : denials) {
        calls += calls.empty() ? "" : "; ";
        calls += std::string(denial.call) + " " + std::to_string(denial.count) + " × (" +
                 std::string(denial.reason) + ")";
    }
    report(Severity::warning, "calls_refused",
           "refused in the jail during request " + request.msg_id + ": " + calls,
           Members().text("msg_id", request.msg_id));
}

void report_network(const std::vector<network::Report>& reports) {
    std::string refused;
    std::string used;
    for (const network::Report& each : reports) {
        const bool in_vain = each.act == network::Act::refused || each.act == network::Act::unknown_name;
        std::string& text = in_vain ? refused : used;
        text += text.empty() ? "" : "; ";
        text += std::string(network::to_text(each.act)) + " " + (each.host.empty() ? "various" : each.host);
        if (each.port != 0) text += ":" + std::to_string(each.port);
        text += " " + std::to_string(each.count) + " ×";
        if (!each.address.empty()) text += " at " + each.address;
        if (!each.reason.empty()) text += " (" + each.reason + ")";
        if (each.act == network::Act::closed)
            text += ", " + std::to_string(each.sent) + " bytes sent, " + std::to_string(each.received) +
                    " received";
    }
    if (!refused.empty()) report(Severity::warning, "network_refused", refused);
    if (!used.empty()) report(Severity::debug, "network_used", used);
}

void report_end_of_kernel(bool restart) {
    report(Severity::info, "kernel_ended",
           restart ? "the kernel has ended, to be restarted" : "the kernel has ended",
           Members().flag("restart", restart));
}

}  // namespace cellblock::kernel
