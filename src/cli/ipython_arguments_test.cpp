// What goes to IPython, what has no effect, and what is refused with a sentence.
#include "cli/ipython_arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cellblock::cli {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;

std::string complaint(const std::vector<std::string>& arguments) {
    const auto read = read_ipython_arguments(arguments);
    return read ? "" : read.error().sentence();
}

TEST(IPythonArguments, TraitsAndAliasesPassAsTheyAre) {
    const std::vector<std::string> arguments{"--HistoryManager.hist_file=:memory:",
                                             "--InteractiveShell.ast_node_interactivity",
                                             "all",
                                             "--ext",
                                             "autoreload",
                                             "--matplotlib",
                                             "--debug",
                                             "--pylab",
                                             "inline",
                                             "-c",
                                             "x = 1",
                                             "--c.IPKernelApp.exec_lines=['y']"};
    const auto read = read_ipython_arguments(arguments);
    ASSERT_TRUE(read.ok());
    EXPECT_THAT(read.value().passed, ElementsAreArray(arguments));
    EXPECT_THAT(read.value().notes, IsEmpty());
}

TEST(IPythonArguments, SigningIsNotTheirs) {
    const auto read =
        read_ipython_arguments({"--no-secure", "--Session.key=b''", "--keyfile", "/k", "--pdb"});
    ASSERT_TRUE(read.ok());
    EXPECT_THAT(read.value().passed, ElementsAre("--pdb"));
    EXPECT_THAT(read.value().notes,
                ElementsAre(HasSubstr("--no-secure has no effect"), HasSubstr("--Session.key has no effect"),
                            HasSubstr("--keyfile has no effect")));
}

TEST(IPythonArguments, WhatCannotBeIsRefusedWithItsReason) {
    EXPECT_THAT(complaint({"--ip=0.0.0.0"}), HasSubstr("the connection file says"));
    EXPECT_THAT(complaint({"--IPKernelApp.shell_port=1"}), HasSubstr("the connection file says"));
    EXPECT_THAT(complaint({"--ipython-dir=/home/x"}), HasSubstr("--ipython-profile"));
    EXPECT_THAT(complaint({"--ProfileDir.location=/x"}), HasSubstr("--ipython-profile"));
    EXPECT_THAT(complaint({"--no-stdout"}), HasSubstr("front ends show"));
}

TEST(IPythonArguments, AnythingElseIsAnError) {
    for (const char* argument : {"install", "--speed", "--speed=1", "-x", "--.x=1", "--A.=1", "--A.b-c=1",
                                 "--1A.b=1", "--A..b=1", "A.b=1", "-", "--", ""})
        EXPECT_THAT(complaint({argument}), HasSubstr("there is no option")) << argument;
    EXPECT_THAT(complaint({"--debug", "stray"}), HasSubstr("there is no option stray"));
}

TEST(IPythonArguments, TheScriptOfJupyterRunIsOverlooked) {
    const auto read = read_ipython_arguments({CELLBLOCK_SOURCE_DIR "/CMakeLists.txt", "--debug"});
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->passed, std::vector<std::string>{"--debug"});
    ASSERT_EQ(read->notes.size(), 1U);
    EXPECT_THAT(read->notes[0], HasSubstr("CMakeLists.txt has no effect"));
}

TEST(IPythonArguments, AValueThatIsMissingIsNamed) {
    EXPECT_THAT(complaint({"--ext"}), HasSubstr("--ext needs a value"));
    EXPECT_THAT(complaint({"--A.b", "--C.d=1"}), HasSubstr("--A.b needs a value"));
}

}  // namespace
}  // namespace cellblock::cli
