// Which texts are a trace, and where it is looked for.
#include "session/trace_context.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cellblock::session {
namespace {

const std::string kTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string found(const std::string& metadata, const std::string& header) {
    protocol::Request request;
    request.metadata = metadata;
    request.header = header;
    return traceparent_of(request);
}

TEST(TraceContext, IsFoundInMetadataBeforeTheHeader) {
    const std::string object = R"({"traceparent": ")" + kTrace + "\"}";
    EXPECT_EQ(found(object, "{}"), kTrace);
    EXPECT_EQ(found("{}", object), kTrace);
    EXPECT_EQ(found(object, R"({"traceparent": "00-x"})"), kTrace);
    EXPECT_EQ(found(R"({"traceparent": 1})", object), kTrace);
    EXPECT_EQ(found("{}", "{}"), "");
}

TEST(TraceContext, WhatIsNoTraceIsNotPassedOn) {
    for (const std::string& text :
         std::vector<std::string>{"", kTrace + "0", kTrace.substr(1), "01" + kTrace.substr(2),
                                  "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                  "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                  "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
        EXPECT_EQ(found(R"({"traceparent": ")" + text + "\"}", "{}"), "") << text;
}

}  // namespace
}  // namespace cellblock::session
