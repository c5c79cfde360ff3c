// The program as a person meets it: arguments in, text and exit status out.
#include "cli/commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/sys.hpp"
#include "cli/help.hpp"
#include "cli/kernelspec.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Program : public testing::Test {
  protected:
    Program() : directory_(sys::TempDir::create("cli-").value()), root_(fs::canonical(directory_.path())) {
        variables_ = {{"HOME", root_ / "home"}, {"PATH", (root_ / "path").string()}};
        fs::create_directories(root_ / "lib");
        fs::create_directory_symlink(CELLBLOCK_SOURCE_DIR "/kernelspec", root_ / "lib/kernelspec");
        write_program("bin/cellblock", "");
        make_environment("env");
    }

    std::string at(const std::string& path) const { return (root_ / path).string(); }
    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    void write_program(const std::string& path, const std::string& text) {
        write(path, text);
        ASSERT_EQ(::chmod(at(path).c_str(), 0755), 0);
    }
    void make_environment(const std::string& prefix) {
        write_program(prefix + "/bin/python3.11", "\177ELF");
        fs::create_symlink("python3.11", root_ / prefix / "bin/python");
        write(prefix + "/lib/python3.11/os.py", "");
        write(prefix + "/lib/python3.11/site-packages/IPython/__init__.py", "");
    }

    int run(const std::vector<std::string>& arguments) {
        out_.str("");
        err_.str("");
        const auto variable = [this](const std::string& name) { return variables_[name]; };
        return cli::run(
            commands(), arguments,
            Context{out_, err_, variable, [this] { return probes_; }, at("bin/cellblock"), at("lib")});
    }
    nlohmann::json kernel_json(const std::string& kernels, const std::string& name = "cellblock") {
        return nlohmann::json::parse(std::ifstream(root_ / kernels / name / "kernel.json"));
    }

    sys::TempDir directory_;
    fs::path root_;
    std::map<std::string, std::string> variables_;
    std::vector<jail::Probe> probes_{{jail::kFullJailProbe, jail::Probe::Status::ok, "made", ""},
                                     {jail::kNamespacedJailProbe, jail::Probe::Status::ok, "made", ""},
                                     {jail::kLandlockProbe, jail::Probe::Status::ok, "ABI 6", ""}};
    std::ostringstream out_;
    std::ostringstream err_;
    const std::string user_kernels_ = "home/.local/share/jupyter/kernels";
};

TEST_F(Program, SaysItsVersion) {
    EXPECT_EQ(run({"--version"}), 0);
    EXPECT_THAT(out_.str(), testing::MatchesRegex("cellblock [0-9.]+\n"));
}

TEST_F(Program, HelpNamesEveryCommandAndGivesExamples) {
    EXPECT_EQ(run({"--help"}), 0);
    for (const Command& command : commands())
        EXPECT_THAT(out_.str(),
                    AllOf(HasSubstr(std::string(command.name)), HasSubstr(std::string(command.summary))));
    EXPECT_THAT(out_.str(), HasSubstr("Examples:"));
}

TEST_F(Program, HelpOfEveryCommandFitsATerminal) {
    for (const Command& command : commands()) {
        EXPECT_EQ(run({std::string(command.name), "--help"}), 0);
        std::istringstream lines(out_.str());
        for (std::string line; std::getline(lines, line);)
            EXPECT_LE(line.size(), 105U) << command.name << ": " << line;
    }
}

TEST_F(Program, WithoutCommandThereIsHelpAndAFailure) {
    EXPECT_EQ(run({}), kUsage);
    EXPECT_THAT(err_.str(), HasSubstr("Commands:"));
}

TEST_F(Program, WrongUsageIsNamedWithStatusTwo) {
    const std::map<std::string, std::vector<std::string>> cases{
        {"there is no command \"frob\"", {"frob"}},
        {"--frob", {"--frob"}},
        {"not expected: frob", {"install", "frob"}},
        {"not expected: list", {"list", "list"}},
        {"there is no option --memroy. Did you mean --memory?", {"install", "--memroy", "4GiB"}},
        {"Did you mean --json?", {"list", "--jsn"}},
        {"excludes", {"install", "--user", "--sys-prefix"}},
        {"--memory", {"install", "--memory", "4"}},
        {"--connection-file is required", {"kernel", "--python", "/usr/bin/python3"}},
        {"NAME is required", {"uninstall"}},
        {"one of full, namespaced", {"doctor", "--isolation", "x"}},
    };
    for (const auto& [expected, arguments] : cases) {
        EXPECT_EQ(run(arguments), kUsage) << expected;
        EXPECT_THAT(err_.str(), HasSubstr(expected));
        EXPECT_THAT(out_.str(), IsEmpty());
    }
}

TEST_F(Program, InstallListAndUninstall) {
    ASSERT_EQ(run({"install", "--python", at("env/bin/python")}), 0) << err_.str();
    EXPECT_THAT(err_.str(), IsEmpty());
    EXPECT_THAT(out_.str(), HasSubstr(at(user_kernels_ + "/cellblock")));
    EXPECT_EQ(kernel_json(user_kernels_)["argv"],
              (std::vector<std::string>{at("bin/cellblock"), "kernel", "-f", "{connection_file}", "--python",
                                        at("env/bin/python")}));

    EXPECT_EQ(run({"list"}), 0);
    EXPECT_THAT(out_.str(),
                AllOf(HasSubstr("Python (sandboxed)"), HasSubstr(at("env/bin/python")), HasSubstr("yes")));

    EXPECT_EQ(run({"uninstall", "cellblock"}), 0) << err_.str();
    EXPECT_TRUE(fs::is_empty(root_ / user_kernels_));
    EXPECT_EQ(run({"uninstall", "cellblock"}), kFailed);
    EXPECT_EQ(run({"list"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("No sandboxed kernels"));
}

TEST_F(Program, InstallingTwiceIsInstallingOnce) {
    ASSERT_EQ(run({"install", "--python", at("env/bin/python")}), 0);
    const auto before = kernel_json(user_kernels_);
    ASSERT_EQ(run({"install", "--python", at("env/bin/python")}), 0);
    EXPECT_EQ(kernel_json(user_kernels_), before);
    EXPECT_THAT(our_kernels_in(at(user_kernels_)), ElementsAre("cellblock"));
}

TEST_F(Program, InstallRecordsWhatWasAskedFor) {
    ASSERT_EQ(
        run({"install", "--python", at("env/bin/python"), "--prefix", at("p"), "--name", "big",
             "--display-name", "Big \"one\"", "--memory", "4GiB", "--isolation", "namespaced", "--profile",
             "default", "--kernel-arg=--debug", "--kernel-arg=--InteractiveShell.colors=NoColor"}),
        0)
        << err_.str();
    const auto json = kernel_json("p/share/jupyter/kernels", "big");
    EXPECT_EQ(json["display_name"], "Big \"one\"");
    EXPECT_EQ(json["metadata"]["cellblock"]["isolation"], "namespaced");
    const auto argv = json["argv"].get<std::vector<std::string>>();
    EXPECT_THAT(std::vector<std::string>(argv.begin() + 6, argv.end()),
                ElementsAre("--profile", "default", "--memory", "4GiB", "--isolation", "namespaced",
                            "--debug", "--InteractiveShell.colors=NoColor"));
    EXPECT_EQ(run({"list", "--prefix", at("p"), "--json"}), 0);
    EXPECT_EQ(nlohmann::json::parse(out_.str())[0]["name"], "big");
}

TEST_F(Program, SysPrefixIsTheEnvironmentItself) {
    ASSERT_EQ(run({"install", "--python", at("env/bin/python"), "--sys-prefix"}), 0) << err_.str();
    EXPECT_EQ(kernel_json("env/share/jupyter/kernels")["language"], "python");
}

TEST_F(Program, WithoutPythonTheActiveEnvironmentIsTaken) {
    variables_["VIRTUAL_ENV"] = at("env");
    ASSERT_EQ(run({"install"}), 0) << err_.str();
    EXPECT_EQ(kernel_json(user_kernels_)["metadata"]["cellblock"]["python"], at("env/bin/python"));
    variables_.erase("VIRTUAL_ENV");
    EXPECT_EQ(run({"install"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("no program python3 in PATH"));
    fs::create_directories(root_ / "path");
    fs::create_symlink(root_ / "env/bin/python", root_ / "path/python3");
    ASSERT_EQ(run({"install"}), 0) << err_.str();
    ASSERT_EQ(run({"install", "--python", "python3"}), 0) << err_.str();
    EXPECT_EQ(run({"install", "--python", "python4"}), kFailed);
}

TEST_F(Program, InstallChecksBeforeItWrites) {
    EXPECT_EQ(run({"install", "--python", at("nowhere/python")}), kFailed);
    EXPECT_EQ(run({"install", "--python", at("env/bin/python"), "--name", "a/b"}), kFailed);
    EXPECT_EQ(run({"install", "--python", at("env/bin/python"), "--kernel-arg=--memroy=4GiB"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("Did you mean --memory?"));
    fs::remove_all(root_ / "env/lib/python3.11/site-packages/IPython");
    EXPECT_EQ(run({"install", "--python", at("env/bin/python")}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("has no IPython"));
    EXPECT_FALSE(fs::exists(root_ / "home"));
}

TEST_F(Program, SomebodyElsesKernelIsNeitherReplacedNorRemoved) {
    write(user_kernels_ + "/python3/kernel.json", R"({"argv": ["python"], "display_name": "Python 3"})");
    EXPECT_EQ(run({"install", "--python", at("env/bin/python"), "--name", "python3"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("Choose another --name"));
    EXPECT_EQ(run({"uninstall", "python3"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("was not made by Cellblock"));
    EXPECT_EQ(kernel_json(user_kernels_, "python3")["display_name"], "Python 3");
}

TEST_F(Program, UninstallAsksWhichOfTwo) {
    variables_["VIRTUAL_ENV"] = at("env");
    ASSERT_EQ(run({"install"}), 0);
    ASSERT_EQ(run({"install", "--sys-prefix"}), 0);
    EXPECT_EQ(run({"uninstall", "cellblock"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("in several places"));
    EXPECT_EQ(run({"uninstall", "cellblock", "--prefix", at("env")}), 0) << err_.str();
    EXPECT_EQ(run({"uninstall", "cellblock", "--user"}), 0) << err_.str();
}

TEST_F(Program, ListSaysWhyAKernelWouldNotStart) {
    ASSERT_EQ(run({"install", "--python", at("env/bin/python")}), 0);
    fs::rename(root_ / "env", root_ / "moved");
    ASSERT_EQ(run({"list"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("the environment " + at("env") + " has vanished"));
    ASSERT_EQ(run({"list", "--json"}), 0);
    const auto kernels = nlohmann::json::parse(out_.str());
    EXPECT_EQ(kernels[0]["healthy"], false);
    EXPECT_THAT(kernels[0]["reason"].get<std::string>(), HasSubstr("has vanished"));

    fs::rename(root_ / "moved", root_ / "env");
    fs::remove(root_ / "bin/cellblock");
    ASSERT_EQ(run({"list"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("execute " + at("bin/cellblock")));
}

TEST_F(Program, ListShowsControlCharactersOfOthersHarmlessly) {
    ASSERT_EQ(run({"install", "--python", at("env/bin/python"), "--display-name", "a\x1b[2Jb"}), 0);
    ASSERT_EQ(run({"list"}), 0);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("a\\x1b[2Jb"), Not(HasSubstr("\x1b"))));
}

// With a Python that runs: the worker is compiled for it, without site.
TEST_F(Program, InstallCompilesTheWorker) {
    ASSERT_EQ(std::system(("/usr/bin/python3 -m venv --without-pip " + at("venv")).c_str()), 0);
    for (const auto& library : fs::directory_iterator(root_ / "venv/lib")) {
        const std::string site = "venv/lib/" + library.path().filename().string() + "/site-packages/";
        write(site + "IPython/__init__.py", "");
        write(site + "spy.pth", "import pathlib; pathlib.Path('" + at("executed") + "').touch()\n");
    }
    write("lib/cellblock_worker/__main__.py", "print()\n");
    ASSERT_EQ(run({"install", "--python", at("venv/bin/python")}), 0);
    EXPECT_THAT(err_.str(), IsEmpty());
    EXPECT_FALSE(fs::is_empty(root_ / "lib/cellblock_worker/__pycache__"));
    EXPECT_FALSE(fs::exists(root_ / "executed"));

    write("lib/cellblock_worker/broken.py", "def\n");
    ASSERT_EQ(run({"install", "--python", at("venv/bin/python")}), 0);
    EXPECT_THAT(err_.str(), HasSubstr("warning: the kernel will start more slowly"));
}

TEST_F(Program, InstallWarnsOfALevelThatTheHostCannotEnforce) {
    probes_[0].status = jail::Probe::Status::missing;
    ASSERT_EQ(run({"install", "--python", at("env/bin/python")}), 0);
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("\"full\""), HasSubstr("cellblock doctor")));
    ASSERT_EQ(run({"install", "--python", at("env/bin/python"), "--isolation", "namespaced"}), 0);
    EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(Program, DoctorsStatusIsThatOfTheLevelAskedFor) {
    write("lib/cellblock_worker/__main__.py", "");
    EXPECT_EQ(run({"doctor"}), 0) << out_.str();
    probes_[0].status = jail::Probe::Status::missing;
    EXPECT_EQ(run({"doctor"}), kFailed);
    EXPECT_EQ(run({"doctor", "--isolation", "namespaced"}), 0);
}

TEST_F(Program, DoctorReportsAnIncompleteInstallation) {
    EXPECT_EQ(run({"doctor", "--json"}), kFailed);
    const auto report = nlohmann::json::parse(out_.str());
    EXPECT_EQ(report["probes"].back()["name"], "installation");
    EXPECT_EQ(report["probes"].back()["status"], "missing");
}

TEST_F(Program, DoctorAnswersForAProfile) {
    write("lib/cellblock_worker/__main__.py", "");
    write("home/.config/cellblock/profiles/weak.toml",
          "[isolation]\nlevel = \"namespaced\"\nlandlock = \"optional\"\n");
    probes_[0].status = jail::Probe::Status::missing;
    probes_[2].status = jail::Probe::Status::missing;
    EXPECT_EQ(run({"doctor", "--profile", "strict"}), kFailed);
    EXPECT_THAT(out_.str(), HasSubstr("the profile strict, which means --isolation full would not start"));
    EXPECT_EQ(run({"doctor", "--profile", "weak"}), 0) << out_.str();
    EXPECT_EQ(run({"doctor", "--profile", "weak", "--isolation", "full"}), kFailed);
    EXPECT_EQ(run({"doctor", "--profile", "absent"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("there is no profile \"absent\""));
}

TEST_F(Program, InstallChecksTheProfileAndRecordsIt) {
    write("home/.config/cellblock/profiles/mine.toml", "profile = \"strict\"\nlimits.memory = \"1GiB\"\n");
    ASSERT_EQ(run({"install", "--python", at("env/bin/python"), "--profile", "mine"}), 0) << err_.str();
    EXPECT_THAT(out_.str(), HasSubstr("profile    mine"));
    const auto argv = kernel_json(user_kernels_)["argv"].get<std::vector<std::string>>();
    EXPECT_THAT(std::vector<std::string>(argv.begin() + 6, argv.end()), ElementsAre("--profile", "mine"));
    EXPECT_EQ(run({"install", "--python", at("env/bin/python"), "--profile", "absent"}), kFailed);
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("there is no profile \"absent\""), HasSubstr("data-science")));
    write("home/.config/cellblock/profiles/mine.toml", "limits.memroy = \"1GiB\"\n");
    EXPECT_EQ(run({"install", "--python", at("env/bin/python"), "--profile", "mine"}), kFailed);
    EXPECT_THAT(err_.str(),
                HasSubstr("mine.toml:1:8: there is no key limits.memroy. Did you mean limits.memory?"));
}

TEST_F(Program, ProfileShowsWhereValuesComeFrom) {
    write("home/.config/cellblock/cellblock.toml", "profile = \"data-science\"\n");
    write("project/cellblock.toml", "[limits]\nmemory = \"1GiB\"\noutput = \"none\"\n");
    ASSERT_EQ(run({"profile", "--directory", at("project"), "--json", "--processes", "100"}), 0)
        << err_.str();
    const auto report = nlohmann::json::parse(out_.str());
    EXPECT_EQ(report["profile"], "data-science");
    EXPECT_EQ(report["settings"]["limits.memory"]["value"], "1GiB");
    EXPECT_EQ(report["settings"]["limits.memory"]["from"], at("project/cellblock.toml") + ":2:10");
    EXPECT_EQ(report["settings"]["limits.processes"]["from"], "--processes");
    EXPECT_EQ(report["settings"]["limits.wall_time"]["from"], "profile data-science");
    EXPECT_THAT(report["notes"].dump(), HasSubstr("limits.output = none is not obeyed"));
    ASSERT_EQ(run({"profile", "--directory", at("project")}), 0);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("limits.memory"), HasSubstr("sha256:"), HasSubstr("note: ")));
    EXPECT_EQ(run({"profile", "--directory", at("nowhere")}), kFailed);
    EXPECT_EQ(run({"profile", "--notebook", at("nowhere.ipynb")}), kFailed);
    ASSERT_EQ(run({"profile", "--print", "strict"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("memory = \"512MiB\""));
}

TEST_F(Program, TheDocumentedSettingsAreThose) {
    std::ostringstream page;
    page << std::ifstream(CELLBLOCK_SOURCE_DIR "/docs/profiles.md").rdbuf();
    ASSERT_EQ(run({"explain", "settings", "--markdown"}), 0);
    // The page ends with the table, the output with an empty line.
    EXPECT_NE((page.str() + "\n").find(out_.str()), std::string::npos)
        << "docs/profiles.md must contain what \"cellblock explain settings --markdown\" prints:\n"
        << out_.str();
}

TEST_F(Program, DelegateNamesAUserThatDoesNotExist) {
    EXPECT_EQ(run({"delegate", "no-such-user-here"}), kFailed);
    EXPECT_THAT(err_.str(), HasSubstr("no-such-user-here"));
}

// ---- docs/configuration.md

std::string reference_of(const Command& command, const Context& context) {
    CLI::App app;
    command.declare(app, context);
    std::string text = "| option | meaning |\n|---|---|\n";
    for (const CLI::Option* option : app.get_options()) {
        if (option == app.get_help_ptr()) continue;
        text += "| `" + option_syntax(*option) + "` | " + option->get_description() + " |\n";
    }
    return text;
}

TEST_F(Program, TheReferenceInTheDocumentsIsComplete) {
    std::ostringstream page;
    page << std::ifstream(CELLBLOCK_SOURCE_DIR "/docs/configuration.md").rdbuf();
    const Context context{
        out_, err_, [](const std::string&) { return std::string(); }, [this] { return probes_; }, "", ""};
    for (const Command& command : commands()) {
        EXPECT_THAT(page.str(), HasSubstr("## cellblock " + std::string(command.name) + "\n"));
        const std::string reference = reference_of(command, context);
        EXPECT_NE(page.str().find(reference), std::string::npos)
            << "docs/configuration.md must contain, for cellblock " << command.name << ":\n"
            << reference;
    }
    for (const Command& command : audit_commands()) {
        EXPECT_THAT(page.str(), HasSubstr("### cellblock audit " + std::string(command.name) + "\n"));
        const std::string reference = reference_of(command, context);
        EXPECT_NE(page.str().find(reference), std::string::npos)
            << "docs/configuration.md must contain, for cellblock audit " << command.name << ":\n"
            << reference;
    }
}

TEST_F(Program, TheDocumentedPolicyIsTheOneInForce) {
    std::ifstream file(CELLBLOCK_SOURCE_DIR "/docs/policy/policy.md");
    const std::string documented((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    ASSERT_EQ(run({"explain", "--markdown"}), 0);
    EXPECT_EQ(documented, out_.str())
        << "docs/policy/policy.md is stale: cellblock explain --markdown > docs/policy/policy.md";
}

TEST_F(Program, OneTableOfThePolicyCanBeChosen) {
    ASSERT_EQ(run({"explain", "landlock"}), 0);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("/dev/shm"), Not(HasSubstr("ptrace"))));
    EXPECT_EQ(run({"explain", "nonsense"}), kFailed);
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("no table \"nonsense\""), HasSubstr("refused-calls")));
}

}  // namespace
}  // namespace cellblock::cli
