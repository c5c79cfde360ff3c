// What a line holds, and how many there are of one event.
#include "observe/diagnostics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cellblock::observe {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const Time kTime{std::chrono::microseconds(1'769'860'800'123'456)};

std::string line(LineFormat format, std::string_view message, const Members& fields = {},
                 uint64_t left_out = 0) {
    return format_line({Severity::warning, format, "k1"}, kTime, Severity::warning, "message_dropped",
                       message, fields, left_out);
}

TEST(Diagnostics, ATextLineIsItsMessageMadePrintable) {
    EXPECT_EQ(line(LineFormat::text, "a \x1b[31mred\x1b[0m name"), R"(a \x1b[31mred\x1b[0m name)");
    EXPECT_EQ(line(LineFormat::text, "one\ntwo"), "one\n    two");
    EXPECT_EQ(line(LineFormat::text, "said", Members().text("msg_id", "m")), "said");
}

TEST(Diagnostics, AJsonLineHasTheNamesOfOpenTelemetryAndTheFields) {
    const auto read =
        nlohmann::json::parse(line(LineFormat::json, "said", Members().integer("duration_ms", 12)));
    EXPECT_EQ(read,
              nlohmann::json::parse(R"({"time": "2026-01-31T12:00:00.123456Z", "severity_text": "warning",
        "severity_number": 13, "event_name": "message_dropped", "body": "said", "kernel": "k1", "duration_ms": 12})"));
}

TEST(Diagnostics, AJsonLineIsOneLineWhateverIsInIt) {
    const std::string hostile("a\n\x1b\x7f\xff\"}\xe2\x80\xa8\0", 11);
    const std::string text = line(LineFormat::json, hostile, Members().text("msg_id", hostile));
    for (const char* hidden : {"\n", "\x1b", "\x7f", "\xff", "\xe2\x80\xa8"})
        EXPECT_THAT(text, Not(HasSubstr(hidden)));
    EXPECT_EQ(nlohmann::json::parse(text)["severity_text"], "warning");
}

TEST(Diagnostics, WhatWasLeftOutIsTold) {
    EXPECT_THAT(line(LineFormat::text, "said", {}, 7), HasSubstr("7 more"));
    EXPECT_EQ(nlohmann::json::parse(line(LineFormat::json, "said", {}, 7))["left_out"], 7);
    EXPECT_THAT(line(LineFormat::json, "said"), Not(HasSubstr("left_out")));
}

TEST(Diagnostics, ALineHasABound) {
    EXPECT_LT(line(LineFormat::json, std::string(1 << 20, 'x')).size(), 2 * kMaxText);
    EXPECT_LT(line(LineFormat::text, std::string(1 << 20, 'x')).size(), 2 * kMaxText);
}

TEST(Diagnostics, OfOneEventThereAreSoManyInAWindow) {
    LineBudget budget;
    const LineBudget::Clock::time_point start{std::chrono::hours(1)};
    for (int i = 0; i < kLinesPerWindow; ++i) EXPECT_TRUE(budget.take(start).granted);
    EXPECT_FALSE(budget.take(start).granted);
    EXPECT_FALSE(budget.take(start + kLineWindow - seconds(1)).granted);
    const auto next = budget.take(start + kLineWindow);
    EXPECT_TRUE(next.granted);
    EXPECT_EQ(next.left_out, 2U);
    EXPECT_EQ(budget.take(start + kLineWindow).left_out, 0U);
}

TEST(Diagnostics, NamesAreReadAndOthersAreRefused) {
    EXPECT_EQ(parse_severity("debug").value(), Severity::debug);
    EXPECT_EQ(parse_line_format("json").value(), LineFormat::json);
    EXPECT_THAT(parse_severity("loud").error().sentence(), HasSubstr("error, warning, info, debug"));
    EXPECT_THAT(parse_line_format("").error().sentence(), HasSubstr("text, json"));
}

}  // namespace
}  // namespace cellblock::observe
