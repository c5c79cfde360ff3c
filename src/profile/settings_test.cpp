// Values at, below and above their bounds, and the order of tightness.
#include "profile/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace cellblock::profile {
namespace {

using session::LaunchOptions;
using std::chrono::milliseconds;
using testing::HasSubstr;

const Setting& setting(std::string_view key) {
    const Setting* found = find_setting(key);
    CHECK(found != nullptr);
    return *found;
}

std::string complaint(std::string_view key, const std::string& text) {
    LaunchOptions options;
    const auto applied = apply(setting(key), text, options);
    return applied ? "" : applied.error().sentence();
}

bool accepts(std::string_view key, const std::string& text) {
    return complaint(key, text).empty();
}

/// The value as it is written again.
std::string again(std::string_view key, const std::string& text) {
    LaunchOptions options;
    apply(setting(key), text, options).value();
    return value_of(setting(key), options);
}

std::string tightened(std::string_view key, const std::string& value, const std::string& bound) {
    LaunchOptions a;
    LaunchOptions b;
    apply(setting(key), value, a).value();
    apply(setting(key), bound, b).value();
    tighten(setting(key), a, b);
    return value_of(setting(key), a);
}

bool as_tight(std::string_view key, const std::string& value, const std::string& bound) {
    return tightened(key, value, bound) == again(key, value);
}

TEST(Settings, RowsAreUniqueAndComplete) {
    std::set<std::string_view> keys;
    std::set<std::string_view> flags;
    for (const Setting& row : settings()) {
        EXPECT_TRUE(keys.insert(row.key).second) << row.key;
        EXPECT_TRUE(flags.insert(row.flag).second) << row.flag;
        EXPECT_TRUE(row.alias.empty() || flags.insert(row.alias).second) << row.alias;
        EXPECT_THAT(std::string(row.key), testing::MatchesRegex("[a-z]+[.][a-z_]+")) << row.key;
        EXPECT_THAT(std::string(row.flag), testing::StartsWith("--"));
        EXPECT_FALSE(row.value.empty() || row.meaning.empty() || expected(row).empty() ||
                     tighter(row).empty())
            << row.key;
    }
}

TEST(Settings, SectionsLieTogether) {
    std::set<std::string_view> seen;
    std::string_view last;
    for (const Setting& row : settings()) {
        const std::string_view section = row.key.substr(0, row.key.find('.'));
        EXPECT_TRUE(section == last || seen.insert(section).second) << row.key;
        last = section;
    }
}

TEST(Settings, EveryDefaultIsWrittenAsItIsReadAndIsNoLooserThanItself) {
    for (const Setting& row : settings()) {
        LaunchOptions options;
        const std::string text = default_of(row);
        ASSERT_TRUE(apply(row, text, options).ok()) << row.key << " " << text;
        EXPECT_EQ(value_of(row, options), text) << row.key;
        tighten(row, options, LaunchOptions{});
        EXPECT_EQ(value_of(row, options), text) << row.key;
    }
}

TEST(Settings, NumbersHoldTheirBounds) {
    for (const Setting& row : settings()) {
        const auto* number = std::get_if<Number>(&row.type);
        if (!number) continue;
        LaunchOptions options;
        for (const double value : {number->least, number->most}) {
            number->set(options, value);
            EXPECT_EQ(number->get(options), value) << row.key;
            EXPECT_TRUE(accepts(row.key, value_of(row, options))) << row.key << " " << value;
        }
        if (number->unlimited.empty()) continue;
        EXPECT_EQ(again(row.key, std::string(number->unlimited)), number->unlimited);
        EXPECT_TRUE(as_tight(row.key, default_of(row), std::string(number->unlimited)));
    }
}

TEST(Settings, EveryWordOfAChoiceIsReadAndInOrder) {
    for (const Setting& row : settings()) {
        const auto* choice = std::get_if<Choice>(&row.type);
        if (!choice) continue;
        for (size_t i = 0; i < choice->words.size(); ++i) {
            EXPECT_EQ(again(row.key, std::string(choice->words[i])), choice->words[i]);
            for (size_t j = 0; j < choice->words.size(); ++j)
                EXPECT_EQ(as_tight(row.key, std::string(choice->words[i]), std::string(choice->words[j])),
                          i == j || (i < j && i < choice->ordered));
        }
    }
}

TEST(Settings, BackendsThatProvideLessAreNotOrderedAndNativeIsAsTightAsBoth) {
    for (const std::string backend : {"bwrap", "runsc"}) {
        EXPECT_EQ(tightened("isolation.backend", backend, "native"), "native");
        EXPECT_EQ(tightened("isolation.backend", "native", backend), "native");
        EXPECT_EQ(tightened("isolation.backend", backend, backend), backend);
    }
    EXPECT_EQ(tightened("isolation.backend", "bwrap", "runsc"), "native");
    EXPECT_EQ(tightened("isolation.backend", "runsc", "bwrap"), "native");
    EXPECT_TRUE(tighter(setting("isolation.backend")).starts_with("native before bwrap and runsc"));
}

TEST(Settings, WhatIsOutOfRangeIsRefusedWithTheRange) {
    EXPECT_TRUE(accepts("limits.memory", "64MiB"));
    EXPECT_THAT(complaint("limits.memory", "63.9MiB"), HasSubstr("a size from 64MiB to 1024TiB"));
    EXPECT_FALSE(accepts("limits.memory", "4"));
    EXPECT_FALSE(accepts("limits.memory", "none"));
    EXPECT_FALSE(accepts("limits.memory", "2PiB"));
    EXPECT_TRUE(accepts("limits.scratch", "1MiB"));
    EXPECT_FALSE(accepts("limits.scratch", "1023KiB"));
    EXPECT_TRUE(accepts("limits.processes", "8"));
    for (const char* text : {"7", "0", "-1", "8.5", "8x", "", "99999999999", "nan"})
        EXPECT_FALSE(accepts("limits.processes", text)) << text;
    EXPECT_TRUE(accepts("limits.cpus", "0.01"));
    EXPECT_TRUE(accepts("limits.cpus", "1.5"));
    for (const char* text : {"0", "0.001", "-1", "nan", "inf", "1,5", "", "5000"})
        EXPECT_FALSE(accepts("limits.cpus", text)) << text;
    EXPECT_TRUE(accepts("isolation.level", "namespaced"));
    EXPECT_THAT(complaint("isolation.level", "none"), HasSubstr("one of full, namespaced"));
    EXPECT_FALSE(accepts("files.notebook_dir", "all"));
}

TEST(Settings, SetWhatTheyName) {
    LaunchOptions options;
    const auto set = [&](std::string_view key, const std::string& text) {
        apply(setting(key), text, options).value();
    };
    set("limits.memory", "4GiB");
    set("limits.processes", "9");
    set("limits.cpus", "1.5");
    set("limits.scratch", "2MiB");
    set("limits.wall_time", "none");
    set("limits.output", "none");
    set("isolation.level", "namespaced");
    set("files.notebook_dir", "none");
    EXPECT_EQ(options.limits.memory, 4_GiB);
    EXPECT_EQ(options.limits.processes, 9);
    EXPECT_EQ(options.limits.cpus, 1.5);
    EXPECT_EQ(options.limits.scratch, 2_MiB);
    EXPECT_EQ(options.wall_time, milliseconds(0));
    EXPECT_EQ(options.output_limit, Bytes{0});
    EXPECT_EQ(options.level, jail::Level::namespaced);
    EXPECT_EQ(options.notebook_dir, session::NotebookDir::none);
}

TEST(Settings, OneValueHasOneSpelling) {
    EXPECT_EQ(again("limits.memory", "2048 MiB"), "2GiB");
    EXPECT_EQ(again("limits.memory", "1.5GiB"), "1536MiB");
    EXPECT_EQ(again("limits.memory", "100000001B"), "100000001B");
    EXPECT_EQ(again("limits.wall_time", "3600s"), "1h");
    EXPECT_EQ(again("limits.wall_time", "1.5s"), "1500ms");
    EXPECT_EQ(again("limits.cpus", "01.50"), "1.5");
    EXPECT_EQ(again("limits.cpus", "2"), "2");
}

TEST(Settings, LessIsTighter) {
    EXPECT_TRUE(as_tight("limits.memory", "1GiB", "1024MiB"));
    EXPECT_FALSE(as_tight("limits.memory", "1025MiB", "1GiB"));
    EXPECT_FALSE(as_tight("limits.wall_time", "none", "1h"));
    EXPECT_TRUE(as_tight("limits.cpus", "64", "all"));
    EXPECT_FALSE(as_tight("limits.cpus", "all", "64"));
}

TEST(Settings, ListsAreSetsAndFewerIsTighter) {
    EXPECT_EQ(again("environment.pass", "B,A,B"), "A,B");
    EXPECT_EQ(again("environment.pass", "none"), "none");
    EXPECT_EQ(again("environment.set", "B=1,2;A=x"), "A=x;B=1,2");
    EXPECT_EQ(tightened("environment.pass", "A,B,C", "B,C,D"), "B,C");
    EXPECT_EQ(tightened("environment.pass", "A", "none"), "none");
    EXPECT_EQ(tightened("environment.set", "A=1;B=2", "A=1;B=3"), "A=1");
    EXPECT_FALSE(accepts("environment.pass", "A,,B"));
    EXPECT_FALSE(accepts("environment.pass", "HOME"));
    EXPECT_FALSE(accepts("environment.set", "A"));
}

TEST(Settings, NetworkNamesAreSetsOfNamesWithPorts) {
    EXPECT_EQ(again("network.allow", "none"), "none");
    EXPECT_EQ(again("network.allow", "Data.Example.org.,db.example.org:5432"),
              "data.example.org:80,data.example.org:443,db.example.org:5432");
    EXPECT_EQ(tightened("network.allow", "data.example.org", "data.example.org:443,evil.example"),
              "data.example.org:443");
    EXPECT_EQ(tightened("network.allow", "data.example.org", "none"), "none");
    EXPECT_EQ(tightened("network.allow", "none", "data.example.org"), "none") << "nobody adds a name";
    EXPECT_FALSE(accepts("network.allow", "*.example.org"));
    EXPECT_FALSE(accepts("network.allow", "127.0.0.1"));
    EXPECT_FALSE(accepts("network.allow", "data.example.org,,"));
    EXPECT_EQ(tightened("network.mode", "allow", "none"), "none");
    EXPECT_EQ(tightened("network.mode", "localhost", "allow"), "localhost");
    EXPECT_EQ(default_of(setting("network.mode")), "localhost");
}

TEST(Settings, AnExampleIsOneInEveryDocument) {
    for (const Setting& row : settings()) EXPECT_FALSE(example(row).empty()) << row.key;
    EXPECT_EQ(example(setting("limits.memory")), "\"2GiB\"");
    EXPECT_EQ(example(setting("limits.processes")), "256");
    EXPECT_EQ(example(setting("limits.cpus")), "\"all\"");
}

TEST(ParseDuration, ReadsNumbersWithUnits) {
    EXPECT_EQ(parse_duration("60s").value(), milliseconds(60'000));
    EXPECT_EQ(parse_duration("5m").value(), milliseconds(300'000));
    EXPECT_EQ(parse_duration("1.5h").value(), milliseconds(5'400'000));
    EXPECT_EQ(parse_duration("500ms").value(), milliseconds(500));
    EXPECT_EQ(parse_duration("1ms").value(), milliseconds(1));
    EXPECT_EQ(parse_duration("none").value(), milliseconds(0));
}

TEST(ParseDuration, NothingButNoneMeansNoLimit) {
    for (const char* text :
         {"0s", "0", "0.4ms", "-1s", "", "s", "60", "1 s", "1d", "1e3s", "nan s", "infs", "9000h", "None"})
        EXPECT_FALSE(parse_duration(text).ok()) << text;
}

TEST(ParseDuration, IsWrittenAsItIsRead) {
    for (const char* text : {"1ms", "1500ms", "90s", "5m", "2h", "none"})
        EXPECT_EQ(to_text(parse_duration(text).value()), text);
}

}  // namespace
}  // namespace cellblock::profile
