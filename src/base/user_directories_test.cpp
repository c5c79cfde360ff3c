// The rules of the XDG Base Directory Specification.
#include "base/user_directories.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace cellblock {
namespace {

struct Row {
    UserDirectory which;
    std::string variable;
    std::string in_home;
};

class UserDirectories : public testing::TestWithParam<Row> {
  protected:
    static Result<std::string> found(std::map<std::string, std::string> values) {
        return user_directory(GetParam().which, [values](const std::string& name) {
            const auto value = values.find(name);
            return value == values.end() ? "" : value->second;
        });
    }
};

TEST_P(UserDirectories, TheVariableNamesIt) {
    EXPECT_EQ(found({{GetParam().variable, "/x"}, {"HOME", "/h"}}).value(), "/x");
    EXPECT_EQ(found({{GetParam().variable, "/x"}}).value(), "/x");
}

TEST_P(UserDirectories, WithoutOrWithARelativeVariableItLiesInTheHomeDirectory) {
    for (const char* value : {"", "x", "./x", "~/x"})
        EXPECT_EQ(found({{GetParam().variable, value}, {"HOME", "/h"}}).value(), GetParam().in_home) << value;
}

TEST_P(UserDirectories, WithoutEitherThereIsNone) {
    for (const char* home : {"", "h", "~"}) {
        const auto none = found({{GetParam().variable, "x"}, {"HOME", home}});
        ASSERT_FALSE(none.ok()) << home;
        EXPECT_EQ(none.error().sentence(),
                  "neither " + GetParam().variable + " nor HOME is an absolute path.");
    }
}

INSTANTIATE_TEST_SUITE_P(Each, UserDirectories,
                         testing::Values(Row{UserDirectory::cache, "XDG_CACHE_HOME", "/h/.cache"},
                                         Row{UserDirectory::config, "XDG_CONFIG_HOME", "/h/.config"},
                                         Row{UserDirectory::data, "XDG_DATA_HOME", "/h/.local/share"},
                                         Row{UserDirectory::state, "XDG_STATE_HOME", "/h/.local/state"}),
                         [](const auto& row) { return row.param.variable.substr(4); });

TEST(EnvironmentVariable, IsEmptyWhenItIsNotSet) {
    ASSERT_EQ(::setenv("CELLBLOCK_TEST_VARIABLE", "there", 1), 0);
    EXPECT_EQ(environment_variable("CELLBLOCK_TEST_VARIABLE"), "there");
    ASSERT_EQ(::unsetenv("CELLBLOCK_TEST_VARIABLE"), 0);
    EXPECT_EQ(environment_variable("CELLBLOCK_TEST_VARIABLE"), "");
}

}  // namespace
}  // namespace cellblock
