// What of the kernel process's environment reaches the worker, and what never does.
#include "session/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace cellblock::session {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const char* host_variable(const char* name) {
    static const std::map<std::string, const char*> kHost{
        {"PATH", "/host/bin"},      {"HOME", "/home/ann"},        {"LC_ALL", "de_DE.UTF-8"},
        {"TZ", "Europe/Berlin"},    {"SECRET_TOKEN", "s3cr3t"},   {"OMP_NUM_THREADS", "64"},
        {"LD_PRELOAD", "/host.so"}, {"JUPYTERHUB_API_TOKEN", "x"}};
    const auto found = kHost.find(name);
    return found == kHost.end() ? nullptr : found->second;
}

std::vector<std::string> environment(const LaunchOptions& options) {
    PythonEnvironment python;
    python.interpreter = "/srv/env/bin/python";
    python.prefix = "/srv/env";
    python.base_prefix = "/usr";
    return worker_environment(python, options, host_variable);
}

std::string complaint(const std::string& assignment) {
    const auto checked = check_variables({assignment});
    return checked ? "" : checked.error().sentence();
}

TEST(Environment, RowsAreUniqueAndJustified) {
    std::set<std::string_view> names;
    for (const VariableRow& row : environment_rows()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_FALSE(row.what.empty() || row.reason.empty()) << row.name;
    }
}

TEST(Environment, HasTheRowsAndNothingElse) {
    std::vector<std::string> names;
    for (const VariableRow& row : environment_rows()) names.emplace_back(row.name);
    for (const std::string& text : environment({}))
        EXPECT_THAT(names, Contains(text.substr(0, text.find('='))));
    EXPECT_THAT(environment({}), Contains("PATH=/srv/env/bin:/usr/local/bin:/usr/bin:/bin"));
    EXPECT_THAT(environment({}), Contains("HOME=/home/cell"));
    EXPECT_THAT(environment({}), Contains("VIRTUAL_ENV=/srv/env"));
    EXPECT_THAT(environment({}), Contains("TZ=Europe/Berlin"));
    EXPECT_THAT(environment({}), Not(Contains(HasSubstr("s3cr3t"))));
}

TEST(Environment, WithoutALocaleTextIsUtf8) {
    EXPECT_THAT(environment({}), Not(Contains("LANG=C.UTF-8")));
    const auto bare =
        worker_environment(PythonEnvironment{}, {}, [](const char*) -> const char* { return nullptr; });
    EXPECT_THAT(bare, Contains("LANG=C.UTF-8"));
}

TEST(Environment, AProfileNamesWhatElseIsPassedAndSet) {
    LaunchOptions options;
    options.passed_variables = {"OMP_NUM_THREADS", "NOT_SET_ANYWHERE"};
    options.set_variables = {"MODE=a=b", "TZ=UTC"};
    const auto variables = environment(options);
    EXPECT_THAT(variables, Contains("OMP_NUM_THREADS=64"));
    EXPECT_THAT(variables, Contains("MODE=a=b"));
    EXPECT_THAT(variables, Contains("TZ=UTC"));
    EXPECT_THAT(variables, Not(Contains("TZ=Europe/Berlin")));
    EXPECT_THAT(variables, Not(Contains(HasSubstr("NOT_SET_ANYWHERE"))));
}

TEST(Environment, WhatIsTheJailsOwnCannotBeNamed) {
    for (const VariableRow& row : environment_rows()) {
        const bool refused = !check_variable_names({std::string(row.name)}).ok();
        EXPECT_EQ(refused, row.value != nullptr) << row.name;
    }
    EXPECT_THAT(complaint("HOME=/"), HasSubstr("the jail's own"));
}

TEST(Environment, NamesAndSizesHaveBounds) {
    EXPECT_EQ(complaint("A_1="), "");
    for (const char* text : {"", "=", "=x", "1A=x", "A B=x", "A-B=x", "noequals"})
        EXPECT_NE(complaint(text), "") << text;
    EXPECT_NE(complaint(std::string("A=x\0y", 5)), "");
    EXPECT_EQ(complaint("A=" + std::string(kMaxVariableSize - 2, 'x')), "");
    EXPECT_NE(complaint("A=" + std::string(kMaxVariableSize - 1, 'x')), "");
    EXPECT_TRUE(check_variable_names(std::vector<std::string>(kMaxVariables, "A")).ok());
    EXPECT_FALSE(check_variable_names(std::vector<std::string>(kMaxVariables + 1, "A")).ok());
}

}  // namespace
}  // namespace cellblock::session
