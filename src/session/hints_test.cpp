// Which errors get a hint, and which do not.
#include "session/hints.hpp"

#include <gtest/gtest.h>

namespace cellblock::session {
namespace {

HintFacts facts() {
    return {64, "do this", false, ""};
}

bool speaks_of(const std::string& hint, std::string_view word) {
    return hint.find(word) != std::string::npos;
}

TEST(Hints, ErrorsOfTheNetworkNameTheJail) {
    for (
        const char* error :
        {R"({"evalue": "[Errno -2] Name or service not known"})",
         R"({"evalue": "[Errno 101] Network is unreachable"})",
         R"({"evalue": "[Errno -3] Temporary failure in name resolution"})",
         R"({"evalue": "Command '['/v/bin/python', '-m', 'pip', 'install', 'six']' returned non-zero exit status 1."})"})
        EXPECT_TRUE(speaks_of(hint_for(error, facts()), "cells have no network. Download")) << error;
}

TEST(Hints, ARefusedConnectionNamesTheLoopback) {
    EXPECT_TRUE(
        speaks_of(hint_for(R"({"evalue": "<urlopen error [Errno 111] Connection refused>"})", facts()),
                  "loopback interface of their own"));
}

TEST(Hints, ADirectoryThatCannotBeRemovedIsNamedOnlyWhereTheKernelIsToBlame) {
    const char* error = R"({"ename": "OSError", "evalue": "[Errno 5] Input/output error: 'data'"})";
    HintFacts old_linux = facts();
    old_linux.directories_stay = true;
    EXPECT_TRUE(speaks_of(hint_for(error, old_linux), "before 6.6"));
    EXPECT_EQ(hint_for(error, facts()), "");
}

TEST(Hints, TheProcessLimitIsNamedOnlyWhereNothingCountsRefusals) {
    for (const char* error : {R"({"ename": "RuntimeError", "evalue": "can't start new thread"})",
                              R"({"evalue": "[Errno 11] Resource temporarily unavailable"})"}) {
        EXPECT_TRUE(speaks_of(hint_for(error, facts()),
                              "64 processes and threads may run at the same time. To allow more, do this"))
            << error;
        EXPECT_EQ(hint_for(error, {64, "do this", true, ""}), "") << error;
    }
}

TEST(Hints, OtherErrorsGetNone) {
    EXPECT_EQ(hint_for(R"({"ename": "ZeroDivisionError", "evalue": "division by zero"})", facts()), "");
    EXPECT_EQ(hint_for("", facts()), "");
}

TEST(Hints, ThereMayBeNamesThatAreAllowed) {
    HintFacts some = facts();
    some.allowed = "data.example.org:443";
    EXPECT_TRUE(speaks_of(hint_for(R"({"evalue": "[Errno -2] Name or service not known"})", some),
                          "cells reach only these names on the network: data.example.org:443."));
}

}  // namespace
}  // namespace cellblock::session
