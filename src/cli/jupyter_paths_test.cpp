// The rules of jupyter_core.paths.
#include "cli/jupyter_paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace cellblock::cli {
namespace {

using testing::ElementsAre;

Variables variables(std::map<std::string, std::string> values) {
    return [values](const std::string& name) {
        const auto found = values.find(name);
        return found == values.end() ? "" : found->second;
    };
}

TEST(JupyterPaths, TheUsersDirectoryFollowsTheVariables) {
    EXPECT_EQ(user_kernels_directory(variables({{"HOME", "/h"}})).value(), "/h/.local/share/jupyter/kernels");
    EXPECT_EQ(user_kernels_directory(variables({{"HOME", "/h"}, {"XDG_DATA_HOME", "/x"}})).value(),
              "/x/jupyter/kernels");
    EXPECT_EQ(user_kernels_directory(
                  variables({{"HOME", "/h"}, {"XDG_DATA_HOME", "/x"}, {"JUPYTER_DATA_DIR", "/j"}}))
                  .value(),
              "/j/kernels");
    const auto none = user_kernels_directory(variables({}));
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(
        none.error().sentence(),
        "find the user's Jupyter directory: neither XDG_DATA_HOME nor HOME is an absolute path. Set HOME, "
        "or use --prefix DIRECTORY.");
}

TEST(JupyterPaths, TheSearchGoesFromTheNearestToTheSystem) {
    EXPECT_THAT(
        searched_kernels_directories(
            variables({{"HOME", "/h"}, {"JUPYTER_PATH", "/a::/b"}, {"VIRTUAL_ENV", "/v"}})),
        ElementsAre("/a/kernels", "/b/kernels", "/h/.local/share/jupyter/kernels", "/v/share/jupyter/kernels",
                    "/usr/local/share/jupyter/kernels", "/usr/share/jupyter/kernels"));
}

TEST(JupyterPaths, NoDirectoryIsSearchedTwice) {
    EXPECT_THAT(searched_kernels_directories(variables({{"VIRTUAL_ENV", "/usr"}})),
                ElementsAre("/usr/share/jupyter/kernels", "/usr/local/share/jupyter/kernels"));
}

}  // namespace
}  // namespace cellblock::cli
