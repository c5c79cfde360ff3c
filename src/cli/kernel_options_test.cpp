// Options made from settings, and arguments that must not be taken for options of IPython.
#include "cli/kernel_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cellblock::cli {
namespace {

using testing::HasSubstr;

std::string complaint(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"-f", "{connection_file}", "--python", "/usr/bin/python3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto checked = read_kernel_arguments(arguments);
    return checked ? "" : checked.error().sentence();
}

TEST(KernelOptions, EverySettingIsOne) {
    for (const profile::Setting& setting : profile::settings()) {
        EXPECT_EQ(complaint({std::string(setting.flag), profile::default_of(setting)}), "") << setting.key;
        EXPECT_THAT(complaint({std::string(setting.flag), "\x01"}), HasSubstr(std::string(setting.flag)));
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
    EXPECT_THAT(read_kernel_arguments({"-f", "x"}).error().sentence(), HasSubstr("--python"));
}

}  // namespace
}  // namespace cellblock::cli
