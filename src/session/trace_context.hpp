// The trace that a request belongs to, when its front end or gateway says so (W3C Trace Context, which
// OpenTelemetry uses).
#pragma once

#include <string>

#include "protocol/message.hpp"

namespace cellblock::session {

/// "00-<trace id>-<parent id>-<flags>" from the member "traceparent" of the request's metadata or header;
/// empty when neither has a valid one.
std::string traceparent_of(const protocol::Request& request);

}  // namespace cellblock::session
