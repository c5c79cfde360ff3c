// What profiles may say, and what the errors about the rest say: place, expectation, suggestion.
#include "profile/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cellblock::profile {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

Result<Document> read(const std::string& text, Extent extent = Extent::base_and_ceiling) {
    const auto root = parse_toml(text, "f.toml");
    if (!root) return Error(root.error());
    return read_document(*root, extent);
}

std::string complaint(const std::string& text, Extent extent = Extent::base_and_ceiling) {
    const auto document = read(text, extent);
    return document ? "" : document.error().sentence();
}

struct Case {
    const char* text;
    const char* place;
    const char* says;
};

class Refused : public testing::TestWithParam<Case> {};

TEST_P(Refused, WithPlaceAndReason) {
    EXPECT_THAT(
        complaint(GetParam().text),
        AllOf(StartsWith(std::string("read f.toml:") + GetParam().place + ": "), HasSubstr(GetParam().says)));
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(Documents, Refused, testing::Values(
    // Not TOML.
    Case{"[limits", "1:8", "the name of a section stands in brackets, as in [limits]"},
    Case{"[limits]\nmemory = \n", "2:10", "the value is missing"},
    Case{"[limits]\nmemory = \"1GiB\"\nmemory = \"2GiB\"\n", "3:10", "this was already said further up (key-value pair: cannot redefine existing string 'memory')"},
    Case{"[limits]\n[limits]\n", "2:1", "this was already said further up"},
    Case{"[limits]\nmemory = 2GiB\n", "2:11", "texts stand in quotes, as in memory = \"2GiB\""},
    Case{"[limits]\nmemory = \"2GiB\n", "2:15", "its closing quote is missing"},
    Case{"[limits]\nmemory \"2GiB\"\n", "2:8", "after a key come \"=\" and its value"},
    Case{"[isolation]\nlevel = full\n", "2:10", "a text stands in quotes, as in level = \"full\""},
    Case{"[limits]\nprocesses = 064\n", "2:16", "a number does not begin with 0"},
    Case{"\n\n\x01", "3:1", ""},
    // Unknown keys.
    Case{"[limits]\nmemroy = \"1GiB\"\n", "2:1", "there is no key limits.memroy. Did you mean limits.memory?"},
    Case{"memory = \"1GiB\"\n", "1:1", "Did you mean limits.memory?"},
    Case{"[limit]\nmemory = \"1GiB\"\n", "1:2", "there is no key limit"},
    Case{"[isolation]\nmemory = \"1GiB\"\n", "2:1", "Did you mean limits.memory?"},
    Case{"[limits]\nspeed = 5\n", "2:1", "Keys of [limits] are: memory, soft_memory, processes"},
    Case{"[limits]\n\"memory.x\" = 5\n", "2:1", "there is no key limits.memory.x"},
    Case{"[limits.memory]\nx = 5\n", "1:1", "limits.memory is a section, but a size"},
    Case{"frobnicate = 1\n", "1:1", "\"cellblock explain settings\" lists the keys"},
    Case{"[profile.mine]\n", "1:1", "profile is a section, but a name is expected"},
    // Wrong types.
    Case{"limits = 5\n", "1:10", "limits is a section, but the number 5 was given"},
    Case{"[limits]\nmemory = 512\n", "2:10", "limits.memory is the number 512, but a size from 64MiB to 1024TiB is expected. Write for example: memory = \"2GiB\""},
    Case{"[limits]\nprocesses = \"8\"\n", "2:13", "the text \"8\", but a whole number"},
    Case{"[limits]\nprocesses = 8.0\n", "2:13", "a whole number"},
    Case{"[limits]\ncpus = true\n", "2:8", "true or false, but a number of cores"},
    Case{"[limits]\nwall_time = 60\n", "2:13", "a duration from 1ms"},
    Case{"[limits]\nwall_time = 1979-05-27\n", "2:13", "a date or time"},
    Case{"[isolation]\nlevel = [\"full\"]\n", "2:9", "a list, but one of full, namespaced"},
    Case{"[environment]\npass = \"A\"\n", "2:8", "Write for example: pass = [\"OMP_NUM_THREADS\""},
    Case{"[environment]\npass = [\"A\", 1]\n", "2:14", "the number 1"},
    Case{"[environment]\npass = [\"A,B\"]\n", "2:9", "cannot be empty or have \",\" in it"},
    Case{"[environment]\npass = [\"\"]\n", "2:9", "cannot be empty"},
    Case{"profile = 1\n", "1:11", "a name is expected"},
    Case{"ceiling = 1\n", "1:11", "ceiling is a section"},
    // Bad units, out of range.
    Case{"[limits]\nmemory = \"4\"\n", "2:10", "a number and a unit"},
    Case{"[limits]\nmemory = \"4 parsecs\"\n", "2:10", "a number and a unit"},
    Case{"[limits]\nmemory = \"1MiB\"\n", "2:10", "out of range: a size from 64MiB to 1024TiB"},
    Case{"[limits]\nprocesses = 7\n", "2:13", "out of range"},
    Case{"[limits]\nprocesses = -9223372036854775808\n", "2:13", "out of range"},
    Case{"[limits]\nsoft_memory = 90\n", "2:15", "the number 90, but a percentage from 50% to 99%, or none"},
    Case{"[limits]\nsoft_memory = \"90\"\n", "2:15", "is not a percentage"},
    Case{"[limits]\nsoft_memory = \"90.5%\"\n", "2:15", "is not a whole number"},
    Case{"[limits]\nsoft_memory = \"49%\"\n", "2:15", "out of range"},
    Case{"[limits]\nsoft_memory = \"100%\"\n", "2:15", "out of range"},
    Case{"[limits]\ncpus = nan\n", "2:8", "limits.cpus"},
    Case{"[limits]\ncpus = inf\n", "2:8", "limits.cpus"},
    Case{"[limits]\nwall_time = \"9000h\"\n", "2:13", "positive number and a unit"},
    Case{"[isolation]\nlevel = \"none\"\n", "2:9", "one of full, namespaced"},
    Case{"[files]\nnotebook_dir = \"all\"\n", "2:16", "one of none, ro"},
    Case{"[environment]\npass = [\"HOME\"]\n", "2:8", "the jail's own"},
    // Ceilings are checked like values.
    Case{"[ceiling.limits]\nmemory = \"lots\"\n", "2:10", "a number and a unit"},
    Case{"[ceiling.limit]\nmemory = \"1GiB\"\n", "1:10", "there is no key limit"},
    Case{"ceiling.limits.x.y.z = 5\n", "1:24", "nested too deeply"}
));
// clang-format on

TEST(Documents, SayWhatTheySay) {
    const auto document = read(
        "profile = \"strict\"\n[limits]\nmemory = \"1GiB\"\nprocesses = 9\ncpus = 1.5\n[environment]\npass = "
        "[\"B\", \"A\"]\nset = []\n[ceiling.limits]\ncpus = 4\n");
    ASSERT_TRUE(document.ok()) << document.error().sentence();
    EXPECT_EQ(document->base, "strict");
    std::vector<std::string> said;
    for (const Entry& entry : document->entries)
        said.push_back(std::string(entry.setting->key) + "=" + entry.text + "@" + entry.place);
    EXPECT_THAT(said, testing::UnorderedElementsAre(
                          "limits.memory=1GiB@f.toml:3:10", "limits.processes=9@f.toml:4:13",
                          "limits.cpus=1.5@f.toml:5:8", "environment.pass=B,A@f.toml:7:8",
                          "environment.set=none@f.toml:8:7"));
    ASSERT_EQ(document->ceilings.size(), 1U);
    EXPECT_EQ(document->ceilings[0].text, "4");
}

TEST(Documents, WordsForNoLimitAreText) {
    for (const char* text :
         {"[limits]\ncpus = \"all\"\n", "[limits]\nwall_time = \"none\"\n", "[limits]\ncpus = 2\n",
          "limits.output = \"none\"\n", "limits = {cpus = 2}\n", ""})
        EXPECT_EQ(complaint(text), "") << text;
}

TEST(Documents, TheExampleOfEverySettingIsOne) {
    for (const Setting& setting : settings()) {
        if (setting.key == "python.ipython_profile") continue;  // its path has to exist
        EXPECT_EQ(complaint(std::string(setting.key) + " = " + example(setting)), "") << setting.key;
    }
}

TEST(Documents, StrangersCannotChooseProfilesOrSetCeilings) {
    EXPECT_THAT(complaint("profile = \"default\"\n", Extent::settings), HasSubstr("cannot choose a profile"));
    EXPECT_THAT(complaint("[ceiling]\n", Extent::settings), HasSubstr("only the system's file"));
    EXPECT_THAT(complaint("[ceiling]\n", Extent::base), HasSubstr("only the system's file"));
    EXPECT_EQ(complaint("profile = \"default\"\n", Extent::base), "");
}

TEST(Documents, SizeLinesAndDepthAreBounded) {
    const std::string line = "# " + std::string(kMaxLine - 2, 'x') + "\n";
    EXPECT_EQ(complaint(line), "");
    EXPECT_THAT(complaint("#" + line), HasSubstr("f.toml:1:1: the line has more than"));
    std::string large;
    while (large.size() + line.size() <= kMaxProfileSize) large += line;
    EXPECT_EQ(complaint(large), "");
    EXPECT_THAT(complaint(large + line), HasSubstr("it has more than 64.0 KiB"));
    EXPECT_NE(complaint("a = " + std::string(2000, '[') + std::string(2000, ']')), "");
    std::string dotted = "a";
    while (dotted.size() + 10 < kMaxLine) dotted += ".a";
    EXPECT_THAT(complaint(dotted + " = 1\n"), HasSubstr("nested too deeply"));
    EXPECT_THAT(complaint("[" + dotted + "]\n" + dotted + " = 1\n"), HasSubstr("nested too deeply"));
    std::string many = "[limits]\n";
    for (size_t i = 0; i <= kMaxMembers; ++i) many += "k" + std::to_string(i) + " = 1\n";
    EXPECT_THAT(complaint(many), HasSubstr("more than 256 keys"));
}

TEST(Documents, ErrorsShowNoControlCharacters) {
    const std::string text = complaint("\"\\u001b[2J\" = 1\n");
    EXPECT_THAT(text, HasSubstr("\\x1b[2J"));
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

// ---- notebooks

std::string notebook_complaint(const std::string& text) {
    const auto root = parse_notebook(text, "a.ipynb");
    if (!root) return root.error().sentence();
    const auto document = read_document(*root, Extent::settings);
    return document ? "" : document.error().sentence();
}

TEST(Notebooks, SayWhatTheirMetadataSays) {
    const auto root = parse_notebook(
        R"({"cells": [{"metadata": {"cellblock": {"limits": {"memory": 1}}}}],
            "metadata": {"kernelspec": {}, "cellblock": {"limits": {"memory": "1GiB", "processes": 9}}},
            "nbformat": 4})",
        "a.ipynb");
    ASSERT_TRUE(root.ok());
    const auto document = read_document(*root, Extent::settings);
    ASSERT_TRUE(document.ok()) << document.error().sentence();
    ASSERT_EQ(document->entries.size(), 2U);
    EXPECT_EQ(document->entries[0].text, "1GiB");
    EXPECT_EQ(document->entries[0].place, "a.ipynb: metadata.cellblock.limits.memory");
}

TEST(Notebooks, WithoutSettingsAreNotLookedInto) {
    for (const char* text : {"", "no json", "[]", R"({"metadata": {}})", R"({"cells": ["cellblock"]})",
                             R"(["cellblock"])", R"({"metadata": ["cellblock"]})"})
        EXPECT_EQ(notebook_complaint(text), "") << text;
}

TEST(Notebooks, WhatIsNotUnderstoodIsAnError) {
    EXPECT_THAT(notebook_complaint(R"({"metadata": {"cellblock": )"), HasSubstr("not JSON"));
    EXPECT_THAT(notebook_complaint(R"({"metadata": {"cellblock": 5}})"), HasSubstr("an object is expected"));
    EXPECT_THAT(notebook_complaint(R"({"metadata": {"cellblock": {"limits": {"memroy": "1GiB"}}}})"),
                HasSubstr("a.ipynb: metadata.cellblock.limits.memroy: there is no key"));
    EXPECT_THAT(notebook_complaint(R"({"metadata": {"cellblock": {"limits": {"memory": null}}}})"),
                HasSubstr("null, but a size"));
    EXPECT_THAT(notebook_complaint(R"({"metadata": {"cellblock": {"profile": "default"}}})"),
                HasSubstr("cannot choose a profile"));
    std::string deep =
        R"({"metadata": {"cellblock": {"a": )" + std::string(100000, '[') + std::string(100000, ']') + "}}}";
    EXPECT_THAT(notebook_complaint(deep), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace cellblock::profile
