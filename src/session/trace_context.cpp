// The form of version 00, and where requests carry it.
#include "session/trace_context.hpp"

#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

// W3C Trace Context, version 00: "00-<trace id>-<parent id>-<flags>", of which neither id is all zeros.
bool is_traceparent(std::string_view text) {
    static constexpr std::string_view kForm = "00-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff";
    if (text.size() != kForm.size()) return false;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (kForm[i] == '0' || kForm[i] == '-' ? text[i] != kForm[i] : !is_digit) return false;
    }
    const auto all_zeros = [&](size_t first, size_t count) {
        return text.substr(first, count).find_first_not_of('0') == std::string_view::npos;
    };
    return !all_zeros(3, 32) && !all_zeros(36, 16);
}

}  // namespace

std::string traceparent_of(const protocol::Request& request) {
    for (const std::string* from : {&request.metadata, &request.header}) {
        std::string traceparent = protocol::text_member(*from, "traceparent");
        if (is_traceparent(traceparent)) return traceparent;
    }
    return "";
}

}  // namespace cellblock::session
