// Who may say what: values of trusted layers, ceilings, and strangers that can only tighten.
#include "profile/layers.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/sys.hpp"

namespace cellblock::profile {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Layers : public testing::Test {
  protected:
    Layers() : directory_(sys::TempDir::create("layers-").value()), root_(fs::canonical(directory_.path())) {
        for (const char* name : {"etc", "user", "home/notes/project"}) fs::create_directories(root_ / name);
        places_.system = at("etc");
        places_.system_owner = ::geteuid();  // whoever runs this test
        places_.user = at("user");
        places_.home = at("home");
        places_.project = at("home/notes/project");
    }

    std::string at(const std::string& path) const { return (root_ / path).string(); }
    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
        ASSERT_EQ(::chmod(at(path).c_str(), 0644), 0);
    }
    void system(const std::string& text) { write("etc/cellblock.toml", text); }
    void user(const std::string& text) { write("user/cellblock.toml", text); }
    void project(const std::string& text) { write("home/notes/project/cellblock.toml", text); }
    void notebook(const std::string& settings) {
        write("home/notes/project/a.ipynb", R"({"cells": [], "metadata": {"cellblock": )" + settings + "}}");
        places_.notebook = at("home/notes/project/a.ipynb");
    }
    void argument(const std::string& key, const std::string& text) {
        arguments_.settings.emplace_back(find_setting(key), text);
    }

    Effective resolved() {
        auto effective = resolve(places_, arguments_);
        if (effective) return *std::move(effective);
        ADD_FAILURE() << effective.error().sentence();
        return {};
    }
    std::string value(const std::string& key) {
        for (const Line& line : resolved().lines)
            if (line.setting->key == key) return line.value;
        return "?";
    }
    std::string origin(const std::string& key) {
        for (const Line& line : resolved().lines)
            if (line.setting->key == key) return line.origin;
        return "?";
    }
    std::string complaint() {
        const auto effective = resolve(places_, arguments_);
        return effective ? "" : effective.error().sentence();
    }

    sys::TempDir directory_;
    fs::path root_;
    Places places_;
    Arguments arguments_;
};

TEST_F(Layers, WithoutFilesTheDefaultsHold) {
    const Effective effective = resolved();
    EXPECT_EQ(effective.profile, "default");
    EXPECT_THAT(effective.notes, IsEmpty());
    for (const Line& line : effective.lines) {
        EXPECT_EQ(line.value, default_of(*line.setting)) << line.setting->key;
        EXPECT_EQ(line.origin, "default");
    }
}

TEST_F(Layers, TheShippedDefaultIsTheProgramsOwn) {
    arguments_.profile = "default";
    for (const Line& line : resolved().lines)
        EXPECT_EQ(line.value, default_of(*line.setting)) << line.setting->key;
}

TEST_F(Layers, ShippedProfilesSayEverySettingThemselves) {
    for (const char* name : {"default", "strict", "data-science"}) {
        arguments_.profile = name;
        for (const Line& line : resolved().lines)
            EXPECT_EQ(line.origin, std::string("profile ") + name)
                << "profiles/" << name << ".toml has no value, and no reason for it, of "
                << line.setting->key;
    }
}

TEST_F(Layers, StrictIsAsTightAsDefaultEverywhere) {
    const Effective usual = resolved();
    arguments_.profile = "strict";
    const Effective strict = resolved();
    for (const Line& line : strict.lines) {
        session::LaunchOptions met = strict.options;
        tighten(*line.setting, met, usual.options);
        EXPECT_EQ(value_of(*line.setting, met), line.value) << line.setting->key;
    }
}

TEST_F(Layers, LaterTrustedLayersHold) {
    system("[limits]\nmemory = \"1GiB\"\nprocesses = 100\ncpus = 1\n");
    user("[limits]\nprocesses = 200\ncpus = 2\n");
    argument("limits.cpus", "3");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("limits.processes"), "200");
    EXPECT_EQ(value("limits.cpus"), "3");
    EXPECT_EQ(origin("limits.memory"), at("etc/cellblock.toml") + ":2:10");
    EXPECT_EQ(origin("limits.cpus"), "--cpus");
    EXPECT_THAT(resolved().notes, IsEmpty());
}

TEST_F(Layers, AProfileStartsOverWhereItIsNamed) {
    user("profile = \"strict\"\n[limits]\nmemory = \"1GiB\"\n");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("limits.processes"), "64");
    EXPECT_EQ(resolved().profile, "strict");
    // Naming one on the command line forgets the user's file, which would loosen it.
    arguments_.profile = "strict";
    EXPECT_EQ(value("limits.memory"), "512MiB");
    arguments_.profile = "default";
    EXPECT_EQ(value("limits.memory"), "2GiB");
    argument("limits.memory", "3GiB");
    EXPECT_EQ(value("limits.memory"), "3GiB");
}

TEST_F(Layers, OwnProfilesAreFiles) {
    write("user/profiles/mine.toml", "profile = \"strict\"\nlimits.memory = \"1GiB\"\n");
    write("somewhere/else.toml", "profile = \"mine\"\nlimits.processes = 77\n");
    arguments_.profile = "mine";
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(origin("limits.memory"), "profile mine");
    EXPECT_EQ(value("limits.scratch"), "64MiB");
    arguments_.profile = at("somewhere/else.toml");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("limits.processes"), "77");
    EXPECT_THAT(profile_names(places_), ElementsAre("data-science", "default", "mine", "strict"));
    // A shipped name means the same everywhere.
    write("user/profiles/strict.toml", "limits.memory = \"64GiB\"\n");
    arguments_.profile = "strict";
    EXPECT_EQ(value("limits.memory"), "512MiB");
}

TEST_F(Layers, AProfileThatCannotBeHadIsAnError) {
    arguments_.profile = "absent";
    EXPECT_THAT(complaint(), AllOf(HasSubstr("there is no profile \"absent\""), HasSubstr("strict")));
    arguments_.profile = at("absent.toml");
    EXPECT_THAT(complaint(), HasSubstr("absent.toml"));
    arguments_.profile = "..";
    EXPECT_THAT(complaint(), HasSubstr("cannot be the name"));
    write("user/profiles/a.toml", "profile = \"b\"\n");
    write("user/profiles/b.toml", "profile = \"a\"\n");
    arguments_.profile = "a";
    EXPECT_THAT(complaint(), HasSubstr("start from one another"));
    arguments_.profile = "";
    user("profile = \"absent\"\n");
    EXPECT_THAT(complaint(), HasSubstr(at("user/cellblock.toml") + ":1:11: there is no profile"));
}

TEST_F(Layers, CeilingsHoldWhoeverAsks) {
    system("[ceiling.limits]\nmemory = \"1GiB\"\n[ceiling.isolation]\nlevel = \"full\"\n");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_THAT(origin("limits.memory"), HasSubstr("ceiling in " + at("etc/cellblock.toml")));
    EXPECT_THAT(resolved().notes, IsEmpty());  // nobody asked for the default
    // Reinstalling with more would be in vain, so that is not what a cell at its limit is told.
    EXPECT_EQ(session::how_to_raise(resolved().options.bounds, "--memory"),
              "change limits.memory in the ceiling in " + at("etc/cellblock.toml") +
                  ":2:10, which holds whatever the kernel is installed with");
    EXPECT_EQ(session::how_to_raise(resolved().options.bounds, "--wall-time"),
              "reinstall the kernel with a larger --wall-time");
    user("limits.memory = \"8GiB\"\n");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_THAT(resolved().notes,
                ElementsAre(HasSubstr("limits.memory = 8GiB is not obeyed: the system's ceiling")));
    arguments_.profile = "data-science";
    argument("isolation.level", "namespaced");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("isolation.level"), "full");
    EXPECT_EQ(resolved().notes.size(), 2U);
    argument("limits.memory", "512MiB");
    EXPECT_EQ(value("limits.memory"), "512MiB");
}

TEST_F(Layers, AProjectTightens) {
    project("[limits]\nmemory = \"1GiB\"\n[files]\nnotebook_dir = \"none\"\n");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("files.notebook_dir"), "none");
    EXPECT_EQ(origin("limits.memory"), at("home/notes/project/cellblock.toml") + ":2:10");
    EXPECT_THAT(resolved().notes, IsEmpty());
}

TEST_F(Layers, AProjectCannotLoosenAnything) {
    project(
        "[limits]\nmemory = \"1024TiB\"\nprocesses = 4194304\ncpus = \"all\"\nscratch = \"1TiB\"\nwall_time "
        "= "
        "\"none\"\noutput = \"none\"\n[isolation]\nlevel = \"namespaced\"\nlandlock = \"optional\"\n"
        "[environment]\npass = [\"SECRET\"]\nset = [\"A=1\"]\n"
        "[network]\nmode = \"allow\"\nallow = [\"evil.example\"]\n");
    const Effective effective = resolved();
    for (const Line& line : effective.lines)
        EXPECT_EQ(line.value, default_of(*line.setting)) << line.setting->key;
    EXPECT_THAT(effective.notes, Contains(HasSubstr("limits.memory = 1024TiB is not obeyed")));
    EXPECT_THAT(effective.notes, Contains(HasSubstr("isolation.landlock = optional is not obeyed")));
    EXPECT_THAT(effective.notes, Contains(HasSubstr("environment.pass = SECRET is not obeyed")));
    EXPECT_THAT(effective.notes, Contains(HasSubstr("network.mode = allow is not obeyed")));
    EXPECT_EQ(effective.notes.size(), 11U);  // cpus = all is what holds already
}

TEST_F(Layers, NoSettingIsLoosenedByAProjectWhateverItsType) {
    // Whatever row is added: from the tightest values, the loosest change nothing.
    std::string loosest;
    for (const Setting& setting : settings()) {
        session::LaunchOptions options;
        if (const auto* number = std::get_if<Number>(&setting.type)) {
            number->set(options, number->least);
            argument(std::string(setting.key), value_of(setting, options));
            number->set(options, number->most);
            const std::string quote = is_bare(number->unit) ? "" : "\"";
            loosest += std::string(setting.key) + " = " + quote + value_of(setting, options) + quote + "\n";
        } else if (const auto* choice = std::get_if<Choice>(&setting.type)) {
            argument(std::string(setting.key), std::string(choice->words.front()));
            loosest += std::string(setting.key) + " = \"" + std::string(choice->words.back()) + "\"\n";
        }
    }
    const auto before = resolved();
    project(loosest);
    const auto after = resolved();
    EXPECT_EQ(after.digest, before.digest);
    const auto texts = std::ranges::count_if(
        settings(), [](const Setting& setting) { return std::holds_alternative<Text>(setting.type); });
    EXPECT_EQ(after.notes.size(), before.lines.size() - static_cast<size_t>(texts));
}

TEST_F(Layers, AProjectTakesNetworkNamesAwayAndAddsNone) {
    argument("network.mode", "allow");
    argument("network.allow", "a.example:443,b.example:443");
    project("[network]\nallow = [\"b.example:443\", \"evil.example:443\"]\n");
    EXPECT_EQ(value("network.allow"), "b.example:443");
    EXPECT_EQ(value("network.mode"), "allow");
    EXPECT_EQ(resolved().notes.size(), 1U);
    system("[ceiling]\nnetwork.mode = \"localhost\"\n");
    EXPECT_EQ(value("network.mode"), "localhost");
}

TEST_F(Layers, WhoMakesTheJailIsNotForAProjectToSay) {
    for (const std::string backend : {"bwrap", "runsc"}) {
        project("isolation.backend = \"" + backend + "\"\n");
        EXPECT_EQ(value("isolation.backend"), "native");
        EXPECT_EQ(resolved().notes.size(), 1U);
    }
    // A kernel of the jail's own is not theirs to take away.
    argument("isolation.backend", "runsc");
    project("isolation.backend = \"native\"\n");
    EXPECT_EQ(value("isolation.backend"), "runsc");
    EXPECT_EQ(resolved().notes.size(), 1U);
}

TEST_F(Layers, ACeilingBindsTheBackend) {
    argument("isolation.backend", "bwrap");
    system("[ceiling]\nisolation.backend = \"runsc\"\n");
    EXPECT_EQ(value("isolation.backend"), "native") << "as tight as both";
    argument("isolation.backend", "runsc");
    EXPECT_EQ(value("isolation.backend"), "runsc");
    system("[ceiling]\nisolation.backend = \"native\"\n");
    EXPECT_EQ(value("isolation.backend"), "native");
}

TEST_F(Layers, WhatIsRecordedIsNotForStrangersToSay) {
    for (const std::string before : {"none", "default", "/var/log/cells"}) {
        argument("audit.path", before);
        for (const std::string asked : {"none", "default", "/tmp/elsewhere"}) {
            project("audit.path = \"" + asked + "\"\naudit.code = \"full\"\n");
            EXPECT_EQ(value("audit.path"), before) << asked;
            EXPECT_EQ(value("audit.code"), "hash");
            EXPECT_EQ(resolved().notes.size(), asked == before ? 1U : 2U);
        }
        notebook(R"({"audit": {"path": "none"}})");
        EXPECT_EQ(value("audit.path"), before);
        places_.notebook.clear();
    }
    system("[ceiling]\naudit.path = \"/var/log/all\"\n");
    EXPECT_EQ(value("audit.path"), "/var/log/all");
}

TEST_F(Layers, AVariableThatHidesAnotherStaysSet) {
    // Without it, the cell would get what the kernel process has under this name.
    argument("environment.set", "API_TOKEN=dummy;TZ=UTC");
    project("[environment]\nset = []\n");
    notebook(R"({"environment": {"set": []}})");
    EXPECT_EQ(value("environment.set"), "API_TOKEN=dummy;TZ=UTC");
    EXPECT_EQ(resolved().notes.size(), 2U);
}

TEST_F(Layers, PathsOfStrangersAreNotLookedAt) {
    for (const std::string path : {"/nowhere", "/etc", "relative", "none"}) {
        project("python.ipython_profile = \"" + path + "\"\n");
        EXPECT_EQ(complaint(), "") << path;
        EXPECT_EQ(value("python.ipython_profile"), "none");
    }
}

TEST_F(Layers, DirectoriesAboveCountAsFarAsTheyAreInTheSameHands) {
    write("home/notes/cellblock.toml", "limits.memory = \"1GiB\"\nlimits.processes = 100\n");
    write("home/cellblock.toml", "limits.cpus = 1\n");
    write("cellblock.toml", "limits.scratch = \"1MiB\"\n");  // above the home directory
    project("limits.processes = 200\n");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("limits.processes"), "100");  // an inner file does not loosen an outer
    EXPECT_EQ(value("limits.cpus"), "1");
    EXPECT_EQ(value("limits.scratch"), "512MiB");
    EXPECT_EQ(resolved().notes.size(), 1U);
    ASSERT_EQ(::chmod(at("home/notes").c_str(), 01777), 0);
    EXPECT_EQ(value("limits.memory"), "2GiB");
    EXPECT_EQ(value("limits.processes"), "200");
    EXPECT_EQ(value("limits.cpus"), "all");
}

TEST_F(Layers, ANotebookTightensAndDoesNotLoosen) {
    notebook(R"({"limits": {"memory": "1GiB", "processes": 1000}})");
    EXPECT_EQ(value("limits.memory"), "1GiB");
    EXPECT_EQ(value("limits.processes"), "256");
    EXPECT_THAT(resolved().notes,
                ElementsAre(HasSubstr(
                    "a.ipynb: metadata.cellblock.limits.processes: limits.processes = 1000 is not obeyed")));
    notebook(R"({"limits": {"memroy": "1GiB"}})");
    EXPECT_THAT(complaint(), HasSubstr("Did you mean limits.memory?"));
    places_.notebook = at("home/notes/project/absent.ipynb");
    EXPECT_EQ(complaint(), "");
    places_.notebook = at("home/notes/project/Console-1");
    EXPECT_EQ(complaint(), "");
}

TEST_F(Layers, ALargeNotebookIsSaidToBeSkipped) {
    notebook(R"({"limits": {"memory": "1GiB"}})");
    fs::resize_file(places_.notebook, kMaxNotebook + 1);
    EXPECT_EQ(value("limits.memory"), "2GiB");
    EXPECT_THAT(resolved().notes, ElementsAre(AllOf(HasSubstr("a.ipynb"), HasSubstr("not obeyed"))));
}

TEST_F(Layers, WhatCannotBeReadOrUnderstoodIsAnError) {
    project("[limits\n");
    EXPECT_THAT(complaint(), HasSubstr(at("home/notes/project/cellblock.toml") + ":1:"));
    fs::remove(at("home/notes/project/cellblock.toml"));
    user("x = 1\n");
    EXPECT_THAT(complaint(), HasSubstr(at("user/cellblock.toml") + ":1:1"));
}

TEST_F(Layers, ANotebookOfManyKeysOrBracketsIsNotReadForHours) {
    std::string keys;
    for (int i = 0; i < 100'000; ++i) keys += (i == 0 ? "" : ",") + ("\"k" + std::to_string(i) + "\":0");
    const std::string nested = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    const auto began = std::chrono::steady_clock::now();
    notebook("{" + keys + "}");
    EXPECT_THAT(complaint(), HasSubstr("too many values"));
    notebook(nested);
    EXPECT_THAT(complaint(), HasSubstr("nested too deeply"));
    // Beside the settings, many keys are nobody's business.
    notebook("{\"limits\": {\"processes\": 10}}, " + keys + ", \"x\": {");
    EXPECT_THAT(complaint(), HasSubstr("not JSON"));
    write("home/notes/project/a.ipynb",
          "{\"metadata\": {" + keys + ", \"cellblock\": {\"limits\": {\"processes\": 10}}}}");
    EXPECT_EQ(value("limits.processes"), "10");
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

TEST_F(Layers, QuotedValuesAndKeysDoNotSteerTerminalsOrForgeLines) {
    project("[environment]\nset = [\"A=\\u001b[2J\\u009b\\nnote: all is well\"]\n");
    const std::vector<std::string> notes = resolved().notes;
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_EQ(notes.front().find('\x1b'), std::string::npos);
    EXPECT_EQ(notes.front().find("\xc2\x9b"), std::string::npos);
    EXPECT_EQ(notes.front().find("\nnote"), std::string::npos);
    notebook("{\"\\u001b]0;x\\u0007\": 1}");
    EXPECT_EQ(complaint().find('\x1b'), std::string::npos);
}

TEST_F(Layers, OnlyRegularFilesAreOpened) {
    const std::string path = at("home/notes/project/cellblock.toml");
    ASSERT_EQ(::mkfifo(path.c_str(), 0666), 0);
    EXPECT_THAT(complaint(), HasSubstr("no regular file"));  // and does not wait for a writer
    fs::remove(path);
    fs::create_directory(path);
    EXPECT_THAT(complaint(), HasSubstr("no regular file"));
    fs::remove(path);
    fs::create_symlink("/dev/zero", path);
    EXPECT_THAT(complaint(), HasSubstr("symbolic link"));
    fs::remove(path);
    fs::create_symlink("/dev/zero", at("user/cellblock.toml"));
    EXPECT_THAT(complaint(), HasSubstr("no regular file"));
    fs::remove(at("user/cellblock.toml"));
    fs::create_symlink(at("nowhere"), at("user/cellblock.toml"));
    EXPECT_THAT(complaint(), HasSubstr("leads nowhere"));
    fs::remove(at("user/cellblock.toml"));
    write("dotfiles/cellblock.toml", "limits.memory = \"1GiB\"\n");
    fs::create_symlink(at("dotfiles/cellblock.toml"), at("user/cellblock.toml"));
    EXPECT_EQ(value("limits.memory"), "1GiB");  // a user's own link is his own business
}

TEST_F(Layers, WhatOthersCouldHaveWrittenIsNotTrusted) {
    user("limits.memory = \"8GiB\"\n");
    ASSERT_EQ(::chmod(at("user/cellblock.toml").c_str(), 0666), 0);
    EXPECT_THAT(complaint(), AllOf(HasSubstr("others may write to it"), HasSubstr("chmod go-w")));
    fs::remove(at("user/cellblock.toml"));
    system("limits.memory = \"8GiB\"\n");
    ASSERT_EQ(::chmod(at("etc/cellblock.toml").c_str(), 0664), 0);
    EXPECT_THAT(complaint(), HasSubstr("others may write to it"));
    ASSERT_EQ(::chmod(at("etc/cellblock.toml").c_str(), 0644), 0);
    EXPECT_EQ(complaint(), "");
    places_.system_owner = ::geteuid() + 1;
    EXPECT_THAT(complaint(), HasSubstr("belongs to another user"));
}

TEST_F(Layers, NamesThatNothingReachesAreNoted) {
    user("[network]\nallow = [\"db.example.org:5432\"]\n");
    EXPECT_THAT(resolved().notes,
                ElementsAre(at("user/cellblock.toml") +
                            ":2:9: network.allow = db.example.org:5432 has no effect: "
                            "network.mode is localhost (from default), and only allow reaches names"));
    argument("network.mode", "none");
    EXPECT_THAT(resolved().notes, ElementsAre(HasSubstr("network.mode is none (from --network), and")));
    argument("network.mode", "allow");
    EXPECT_THAT(resolved().notes, IsEmpty());
    arguments_.settings.clear();
    arguments_.profile = "strict";  // a whole: the user's names are not in it
    EXPECT_THAT(resolved().notes, IsEmpty());
}

TEST_F(Layers, ANetworkThatIsSwitchedOffOnPurposeIsNotNoted) {
    user("[network]\nmode = \"allow\"\nallow = [\"example.org\"]\n");
    EXPECT_THAT(resolved().notes, IsEmpty());
    argument("network.mode", "localhost");
    EXPECT_THAT(resolved().notes, IsEmpty());
    arguments_.settings.clear();
    project("[network]\nmode = \"none\"\n");
    EXPECT_THAT(resolved().notes, IsEmpty());
}

TEST_F(Layers, TheDigestIsThatOfTheValues) {
    const std::string before = resolved().digest;
    EXPECT_THAT(before, testing::MatchesRegex("sha256:[0-9a-f]+"));
    EXPECT_EQ(before.size(), 7U + 64U);
    argument("limits.memory", "2048MiB");  // another spelling of what holds
    EXPECT_EQ(resolved().digest, before);
    argument("limits.memory", "2049MiB");
    EXPECT_NE(resolved().digest, before);
}

TEST(Places, FollowTheEnvironment) {
    std::map<std::string, std::string> variables{{"HOME", "/home/ann"}, {"JPY_SESSION_NAME", "a.ipynb"}};
    const auto variable = [&](const std::string& name) { return variables[name]; };
    EXPECT_EQ(places_of(variable).user, "/home/ann/.config/cellblock");
    EXPECT_EQ(places_of(variable).notebook, fs::current_path() / "a.ipynb");
    variables["XDG_CONFIG_HOME"] = "/xdg";
    variables["JPY_SESSION_NAME"] = "/n/a.ipynb";
    EXPECT_EQ(places_of(variable).user, "/xdg/cellblock");
    EXPECT_EQ(places_of(variable).notebook, "/n/a.ipynb");
    variables["XDG_CONFIG_HOME"] = "relative";
    EXPECT_EQ(places_of(variable).user, "/home/ann/.config/cellblock");
    variables["HOME"] = "";
    EXPECT_EQ(places_of(variable).user, "");
}

}  // namespace
}  // namespace cellblock::profile
