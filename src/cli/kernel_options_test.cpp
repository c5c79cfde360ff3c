// Values at, below and above their bounds, and arguments that must not be taken for options of IPython.
#include "cli/kernel_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cellblock::cli {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const KernelOption& option(std::string_view flag) {
    for (const KernelOption& row : kernel_options())
        if (row.flag == flag) return row;
    ADD_FAILURE() << flag;
    return kernel_options().front();
}

bool accepts(std::string_view flag, const std::string& text) {
    session::LaunchOptions options;
    return option(flag).apply(text, options).ok();
}

std::string complaint(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"-f", "{connection_file}", "--python", "/usr/bin/python3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto checked = check_kernel_arguments(arguments);
    return checked ? "" : checked.error().sentence();
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

TEST(KernelOptions, BoundsHold) {
    EXPECT_TRUE(accepts("--memory", "64MiB"));
    EXPECT_FALSE(accepts("--memory", "63.9MiB"));
    EXPECT_FALSE(accepts("--memory", "4"));
    EXPECT_TRUE(accepts("--scratch", "1MiB"));
    EXPECT_FALSE(accepts("--scratch", "1023KiB"));
    EXPECT_TRUE(accepts("--processes", "8"));
    for (const char* text : {"7", "0", "-1", "8.5", "8x", "", "99999999999"})
        EXPECT_FALSE(accepts("--processes", text)) << text;
    EXPECT_TRUE(accepts("--cpus", "0.01"));
    EXPECT_TRUE(accepts("--cpus", "1.5"));
    for (const char* text : {"0", "0.001", "-1", "nan", "inf", "1,5", "", "5000"})
        EXPECT_FALSE(accepts("--cpus", text)) << text;
    EXPECT_TRUE(accepts("--isolation", "namespaced"));
    EXPECT_FALSE(accepts("--isolation", "none"));
    EXPECT_TRUE(accepts("--notebook-dir", "none"));
    EXPECT_FALSE(accepts("--notebook-dir", "rw"));
    EXPECT_TRUE(accepts("--profile", "default"));
    EXPECT_FALSE(accepts("--profile", "strict"));
}

TEST(KernelOptions, SetWhatTheyName) {
    session::LaunchOptions options;
    ASSERT_TRUE(option("--memory").apply("4GiB", options).ok());
    ASSERT_TRUE(option("--processes").apply("9", options).ok());
    ASSERT_TRUE(option("--cpus").apply("1.5", options).ok());
    ASSERT_TRUE(option("--scratch").apply("2MiB", options).ok());
    ASSERT_TRUE(option("--wall-time").apply("none", options).ok());
    ASSERT_TRUE(option("--isolation").apply("namespaced", options).ok());
    ASSERT_TRUE(option("--notebook-dir").apply("none", options).ok());
    EXPECT_EQ(options.limits.memory, 4_GiB);
    EXPECT_EQ(options.limits.processes, 9);
    EXPECT_EQ(options.limits.cpus, 1.5);
    EXPECT_EQ(options.limits.scratch, 2_MiB);
    EXPECT_EQ(options.wall_time, milliseconds(0));
    EXPECT_EQ(options.level, jail::Level::namespaced);
    EXPECT_EQ(options.notebook_dir, session::NotebookDir::none);
}

TEST(KernelOptions, WhatTheySayIsTheDefaultIsAccepted) {
    for (const KernelOption& row : kernel_options()) {
        if (row.flag == "--cpus") continue;  // "all cores" is what no number says
        session::LaunchOptions options;
        EXPECT_TRUE(row.apply(row.standard(), options).ok()) << row.flag;
    }
}

TEST(KernelArguments, OptionsOfIPythonPass) {
    EXPECT_EQ(complaint({"--HistoryManager.hist_file=:memory:", "--debug", "--ext", "autoreload"}), "");
}

TEST(KernelArguments, WhatNobodyKnowsIsAnError) {
    EXPECT_THAT(complaint({"install"}), HasSubstr("there is no option install"));
    EXPECT_THAT(complaint({"--speed=11"}), HasSubstr("--Class.trait=value"));
}

TEST(KernelArguments, AnIPythonProfileHasToBeOne) {
    EXPECT_THAT(complaint({"--ipython-profile=somewhere"}), HasSubstr("absolute"));
    EXPECT_THAT(complaint({"--ipython-profile=/does/not/exist"}), HasSubstr("/does/not/exist"));
    EXPECT_THAT(complaint({"--profile-dir=/usr"}), HasSubstr("no profile of IPython"));
    EXPECT_EQ(complaint({"--ipython-profile=none"}), "");
}

TEST(KernelArguments, AMisspeltLimitIsNotHandedToIPython) {
    EXPECT_THAT(complaint({"--memroy", "4GiB"}), HasSubstr("Did you mean --memory?"));
    EXPECT_THAT(complaint({"--mem=4GiB"}), HasSubstr("Did you mean"));
    EXPECT_THAT(complaint({"--wall_time=5s"}), HasSubstr("Did you mean --wall-time?"));
}

TEST(KernelArguments, BadValuesAndMissingOptionsAreNamed) {
    EXPECT_THAT(complaint({"--memory", "lots"}), HasSubstr("--memory"));
    EXPECT_THAT(complaint({"--profile=other"}), HasSubstr("there is no profile \"other\""));
    EXPECT_THAT(check_kernel_arguments({"-f", "x"}).error().sentence(), HasSubstr("--python"));
}

}  // namespace
}  // namespace cellblock::cli
