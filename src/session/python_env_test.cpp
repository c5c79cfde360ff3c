// Environments of every maker, as trees of files in a temporary directory, and two real ones.
#include "session/python_env.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/sys.hpp"
#include "session/python_env_packages.hpp"
#include "session/python_env_shown.hpp"

namespace cellblock::session {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class PythonEnv : public testing::Test {
  protected:
    PythonEnv()
        : directory_(sys::TempDir::create("python-env-").value()), root_(fs::canonical(directory_.path())) {
        host_.working_directory = root_;
    }

    std::string at(const std::string& path) const { return (root_ / path).string(); }

    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    void write_program(const std::string& path, const std::string& text = "\177ELF") {
        write(path, text);
        ASSERT_EQ(::chmod(at(path).c_str(), 0755), 0);
    }
    void link(const std::string& target, const std::string& path) {
        fs::create_directories((root_ / path).parent_path());
        fs::create_symlink(target, root_ / path);
    }
    // A Python as `make install` leaves it.
    void make_base(const std::string& prefix, const std::string& version = "3.11") {
        write_program(prefix + "/bin/python" + version);
        link("python" + version, prefix + "/bin/python3");
        link("python3", prefix + "/bin/python");
        write(prefix + "/lib/python" + version + "/os.py", "");
        fs::create_directories(root_ / prefix / "lib" / ("python" + version) / "site-packages");
    }
    void make_venv(const std::string& prefix, const std::string& base,
                   const std::string& more = "include-system-site-packages = false\n",
                   const std::string& version = "3.11") {
        link(at(base + "/bin/python3"), prefix + "/bin/python");
        write(prefix + "/pyvenv.cfg", "home = " + at(base) + "/bin\n" + more);
        fs::create_directories(root_ / prefix / "lib" / ("python" + version) / "site-packages");
    }
    void add_ipython(const std::string& site_packages, const std::string& version = "9.1.0") {
        write(site_packages + "/IPython/__init__.py", "");
        write(site_packages + "/ipython-" + version + ".dist-info/METADATA",
              "Metadata-Version: 2.1\nName: ipython\nVersion: " + version + "\n\nVersion: not this\n");
    }
    PythonEnvironment resolved(const std::string& path) {
        auto environment = resolve_python(path, host_);
        EXPECT_TRUE(environment.ok()) << environment.error().sentence();
        return environment.ok() ? *std::move(environment) : PythonEnvironment{};
    }
    std::string refusal(const std::string& path) {
        const auto environment = resolve_python(path, host_);
        EXPECT_FALSE(environment.ok());
        return environment.ok() ? "" : environment.error().sentence();
    }

    sys::TempDir directory_;
    fs::path root_;
    HostFacts host_;
};

TEST_F(PythonEnv, AVenvKeepsItsSymlinkAndShowsItsBase) {
    make_base("opt/python");
    make_venv("project/.venv", "opt/python");
    add_ipython("project/.venv/lib/python3.11/site-packages");
    const auto environment = resolved(at("project/.venv/bin/python"));
    EXPECT_EQ(environment.interpreter, at("project/.venv/bin/python"));
    EXPECT_EQ(environment.prefix, at("project/.venv"));
    EXPECT_EQ(environment.base_prefix, at("opt/python"));
    EXPECT_EQ(environment.version, "3.11");
    EXPECT_THAT(environment.mounts, UnorderedElementsAre(at("project/.venv"), at("opt/python")));
    EXPECT_THAT(environment.site_packages, ElementsAre(at("project/.venv/lib/python3.11/site-packages")));
    EXPECT_TRUE(environment.has_ipython);
    EXPECT_EQ(environment.ipython_version, "9.1.0");
    EXPECT_THAT(environment.warnings, IsEmpty());
    EXPECT_TRUE(require_ipython(environment).ok());
}

TEST_F(PythonEnv, RelativeNamesAreMadeAbsoluteButNotResolved) {
    make_base("opt/python");
    make_venv("project/.venv", "opt/python");
    EXPECT_EQ(resolved("project/.venv/bin/python").interpreter, at("project/.venv/bin/python"));
    EXPECT_EQ(resolved("./project/../project/.venv/bin/python").interpreter, at("project/.venv/bin/python"));
}

TEST_F(PythonEnv, AVenvBelowASymlinkedDirectoryIsShownUnderBothNames) {
    make_base("opt/python");
    make_venv("data/project/.venv", "opt/python");
    link("data/project", "work");
    const auto environment = resolved(at("work/.venv/bin/python"));
    EXPECT_EQ(environment.interpreter, at("work/.venv/bin/python"));
    EXPECT_EQ(environment.prefix, at("work/.venv"));
    EXPECT_THAT(environment.mounts,
                UnorderedElementsAre(at("work/.venv"), at("data/project/.venv"), at("opt/python")));
}

// uv names its interpreters through a symlink to the patch version: python-3.12 -> python-3.12.7.
TEST_F(PythonEnv, ABaseBehindASymlinkIsShownUnderBothNames) {
    make_base("uv/python-3.12.7", "3.12");
    link("python-3.12.7", "uv/python-3.12");
    make_venv(".venv", "uv/python-3.12",
              "include-system-site-packages = False\nversion_info = 3.12.7\nuv = 0.5.0\n", "3.12");
    const auto environment = resolved(at(".venv/bin/python"));
    EXPECT_EQ(environment.version, "3.12");
    EXPECT_EQ(environment.base_prefix, at("uv/python-3.12"));
    EXPECT_THAT(environment.mounts,
                UnorderedElementsAre(at(".venv"), at("uv/python-3.12"), at("uv/python-3.12.7")));
}

TEST_F(PythonEnv, ANameOnTheWayThatLiesOutsideIsShownByItself) {
    make_base("opt/python");
    link(at("opt/python/bin/python3.11"), "alternatives/python");
    make_venv(".venv", "opt/python");
    fs::remove(root_ / ".venv/bin/python");
    link(at("alternatives/python"), ".venv/bin/python");
    EXPECT_THAT(resolved(at(".venv/bin/python")).mounts,
                UnorderedElementsAre(at(".venv"), at("opt/python"), at("alternatives/python")));
}

TEST_F(PythonEnv, OutsideOfAVenvASymlinkFromElsewhereIsFollowed) {
    make_base("opt/python");
    link(at("opt/python/bin/python3"), "home/bin/python3");
    const auto environment = resolved(at("home/bin/python3"));
    EXPECT_EQ(environment.interpreter, at("opt/python/bin/python3.11"));
    EXPECT_THAT(environment.mounts, ElementsAre(at("opt/python")));
}

TEST_F(PythonEnv, AVenvMadeFromAVenvFindsTheLibraryOfTheBase) {
    make_base("opt/python");
    make_venv("first", "opt/python");
    make_venv("second", "opt/python");
    fs::remove(root_ / "second/bin/python");
    link(at("first/bin/python"), "second/bin/python");
    write("second/pyvenv.cfg", "home = " + at("first") + "/bin\n");
    const auto environment = resolved(at("second/bin/python"));
    EXPECT_EQ(environment.prefix, at("second"));
    EXPECT_EQ(environment.base_prefix, at("opt/python"));
    EXPECT_THAT(environment.mounts,
                UnorderedElementsAre(at("second"), at("opt/python"), at("first/bin/python")));
}

TEST_F(PythonEnv, AVenvWithinAnotherIsMountedOnce) {
    make_base("opt/python");
    make_venv("opt/python/envs/inner", "opt/python");
    EXPECT_THAT(resolved(at("opt/python/envs/inner/bin/python")).mounts, ElementsAre(at("opt/python")));
}

TEST_F(PythonEnv, ARelativeHomeIsTakenFromTheFileAndMentioned) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    write(".venv/pyvenv.cfg", "HOME = ../opt/python/bin\n");
    const auto environment = resolved(at(".venv/bin/python"));
    EXPECT_EQ(environment.base_prefix, at("opt/python"));
    EXPECT_THAT(environment.warnings, ElementsAre(HasSubstr("relative")));
}

TEST_F(PythonEnv, SystemSitePackagesAreAddedUnlessTheyAreRefused) {
    make_base("opt/python");
    add_ipython("opt/python/lib/python3.11/site-packages");
    make_venv("without", "opt/python", "include-system-site-packages = false\n");
    make_venv("with", "opt/python", "include-system-site-packages = true\n");
    make_venv("unsaid", "opt/python", "");
    EXPECT_FALSE(resolved(at("without/bin/python")).has_ipython);
    EXPECT_TRUE(resolved(at("unsaid/bin/python")).has_ipython);
    const auto environment = resolved(at("with/bin/python"));
    EXPECT_TRUE(environment.has_ipython);
    EXPECT_THAT(environment.site_packages, ElementsAre(at("with/lib/python3.11/site-packages"),
                                                       at("opt/python/lib/python3.11/site-packages")));
}

TEST_F(PythonEnv, DistPackagesOfADistributionAreFound) {
    make_base("usr");
    add_ipython("usr/lib/python3/dist-packages", "8.5.0");
    fs::create_directories(root_ / "usr/local/lib/python3.11/dist-packages");
    const auto environment = resolved(at("usr/bin/python3"));
    EXPECT_THAT(environment.site_packages,
                ElementsAre(at("usr/local/lib/python3.11/dist-packages"),
                            at("usr/lib/python3.11/site-packages"), at("usr/lib/python3/dist-packages")));
    EXPECT_EQ(environment.ipython_version, "8.5.0");
}

TEST_F(PythonEnv, Lib64ThatLeadsToLibCountsOnce) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    link("lib", ".venv/lib64");
    EXPECT_EQ(resolved(at(".venv/bin/python")).site_packages.size(), 1U);
}

TEST_F(PythonEnv, FreeThreadedLibrariesHaveTheirOwnDirectory) {
    make_base("opt/python", "3.13t");
    add_ipython("opt/python/lib/python3.13t/site-packages");
    const auto environment = resolved(at("opt/python/bin/python3"));
    EXPECT_EQ(environment.version, "3.13");
    EXPECT_TRUE(environment.has_ipython);
}

TEST_F(PythonEnv, AProgramWithoutVersionInItsNameIsKnownByItsLibrary) {
    write_program("opt/python/bin/python");
    write("opt/python/lib/python3.12/os.py", "");
    EXPECT_EQ(resolved(at("opt/python/bin/python")).version, "3.12");
    write("opt/python/lib/python3.11/os.py", "");
    EXPECT_THAT(refusal(at("opt/python/bin/python")), HasSubstr("no CPython that we recognise"));
}

// ---- refusals

TEST_F(PythonEnv, AMissingInterpreterIsNamed) {
    fs::create_directories(root_ / "env/bin");
    EXPECT_EQ(refusal(at("env/bin/python")).find("there is no Python interpreter " + at("env/bin/python")),
              0U);
}

TEST_F(PythonEnv, AVanishedEnvironmentIsCalledSo) {
    EXPECT_THAT(refusal(at("env/bin/python")), HasSubstr("the environment " + at("env") + " has vanished"));
}

TEST_F(PythonEnv, ABaseThatWasRemovedIsNamedWithTheRemedy) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    fs::remove_all(root_ / "opt");
    const std::string sentence = refusal(at(".venv/bin/python"));
    EXPECT_THAT(sentence, HasSubstr(at("opt/python/bin/python3")));
    EXPECT_THAT(sentence, HasSubstr("was removed or upgraded. Make the environment again"));
}

TEST_F(PythonEnv, AnUpgradeBehindAVenvIsNoticed) {
    make_base("opt/python", "3.12");
    make_venv(".venv", "opt/python", "", "3.11");
    EXPECT_THAT(refusal(at(".venv/bin/python")),
                HasSubstr("was made for Python 3.11, but its interpreter is Python 3.12 now"));
}

TEST_F(PythonEnv, AFileThatIsNotExecutableIsRefused) {
    make_base("opt/python");
    ASSERT_EQ(::chmod(at("opt/python/bin/python3.11").c_str(), 0644), 0);
    EXPECT_THAT(refusal(at("opt/python/bin/python")), HasSubstr("execute "));
    EXPECT_THAT(refusal(at("opt/python/bin/python")), HasSubstr("EACCES"));
}

TEST_F(PythonEnv, DirectoriesAndOtherFilesAreRefused) {
    fs::create_directories(root_ / "env/bin");
    EXPECT_THAT(refusal(at("env/bin")), HasSubstr("is not a program"));
    write_program("env/bin/python", "MZ");
    EXPECT_THAT(refusal(at("env/bin/python")), HasSubstr("is not a program for Linux"));
    write_program("env/bin/python3", "");
    EXPECT_THAT(refusal(at("env/bin/python3")), HasSubstr("is not a program for Linux"));
    write_program("env/bin/script", "#!/bin/sh\n");
    EXPECT_THAT(refusal(at("env/bin/script")), HasSubstr("is a script"));
}

TEST_F(PythonEnv, APyenvShimIsRefusedWithTheInterpreterBehindIt) {
    make_base(".pyenv/versions/3.11.7");
    make_base(".pyenv/versions/3.12.1", "3.12");
    write_program(".pyenv/shims/python", "#!/usr/bin/env bash\nexec pyenv exec\n");
    EXPECT_THAT(refusal(at(".pyenv/shims/python")), HasSubstr("pyenv which python"));
    write(".pyenv/version", "3.11.7\n");
    EXPECT_THAT(refusal(at(".pyenv/shims/python")), HasSubstr(at(".pyenv/versions/3.11.7/bin/python") + "."));
    write(".python-version", "3.12.1\n");
    EXPECT_THAT(refusal(at(".pyenv/shims/python")), HasSubstr(at(".pyenv/versions/3.12.1/bin/python") + "."));
    host_.pyenv_version = "nothing:3.11.7";
    EXPECT_THAT(refusal(at(".pyenv/shims/python")), HasSubstr(at(".pyenv/versions/3.11.7/bin/python") + "."));
    EXPECT_EQ(interpreter_behind_shim(at(".pyenv/shims/python"), host_),
              at(".pyenv/versions/3.11.7/bin/python"));
    EXPECT_EQ(interpreter_behind_shim(at(".pyenv/versions/3.11.7/bin/python"), host_), "");
}

TEST_F(PythonEnv, OldPythonsAndOtherPythonsAreRefused) {
    make_base("old", "3.8");
    EXPECT_THAT(refusal(at("old/bin/python3")), HasSubstr("is Python 3.8, which is too old"));
    make_base("oldest", "2.7");
    EXPECT_THAT(refusal(at("oldest/bin/python2.7")), HasSubstr("is Python 2.7, which is too old"));
    make_base("enough", "3.9");
    EXPECT_EQ(resolved(at("enough/bin/python3")).version, "3.9");
    write_program("pypy/bin/pypy3.10");
    link("pypy3.10", "pypy/bin/python3");
    EXPECT_THAT(refusal(at("pypy/bin/python3")), HasSubstr("no CPython"));
}

TEST_F(PythonEnv, WithoutStandardLibraryThereIsNoPython) {
    write_program("opt/python/bin/python3.11");
    EXPECT_THAT(refusal(at("opt/python/bin/python3.11")), HasSubstr("python3.11/os.py"));
}

TEST_F(PythonEnv, AHomeDirectoryIsNeverShownAsAWhole) {
    make_base("home/ann");
    host_.homes = {at("home/ann")};
    EXPECT_THAT(refusal(at("home/ann/bin/python3")),
                HasSubstr("all of " + at("home/ann") + ", which is somebody's home"));
    host_.homes = {at("home/ann/deeper")};
    EXPECT_THAT(refusal(at("home/ann/bin/python3")), HasSubstr("which contains somebody's home directory"));
    host_.homes = {at("home/an")};
    EXPECT_EQ(resolved(at("home/ann/bin/python3")).prefix, at("home/ann"));
}

TEST_F(PythonEnv, AHomeThatIsReachedThroughASymlinkIsNotShownEither) {
    make_base("opt/python");
    make_venv("home/ann", "opt/python");
    link("home/ann", "innocent");
    host_.homes = {at("home/ann")};
    EXPECT_THAT(refusal(at("innocent/bin/python")), HasSubstr("somebody's home directory"));
}

TEST_F(PythonEnv, APackageDirectoryCannotSmuggleAHomeIn) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    fs::create_directories(root_ / "home/ann");
    fs::remove(root_ / ".venv/lib/python3.11/site-packages");
    link(at("home/ann"), ".venv/lib/python3.11/site-packages");
    host_.homes = {at("home/ann")};
    EXPECT_THAT(refusal(at(".venv/bin/python")), HasSubstr("somebody's home directory"));
}

TEST(ShownPaths, RefusesWhatHoldsMoreThanAnEnvironment) {
    for (const char* directory : {"/", "/etc", "/home", "/proc/self", "/tmp", "/var"}) {
        ShownPaths shown({});
        EXPECT_FALSE(shown.show(directory).ok()) << directory;
    }
}

TEST(ShownPaths, TheBaseSystemNeedsNoMount) {
    ShownPaths shown({});
    ASSERT_TRUE(shown.show("/usr/lib").ok());
    ASSERT_TRUE(shown.show("/bin/sh").ok());
    EXPECT_THAT(shown.mounts(), IsEmpty());
    EXPECT_TRUE(shown.shows("/bin/sh"));
}

TEST(ShownPaths, BelowIsByWholeNames) {
    EXPECT_TRUE(is_below("/a/b", "/a"));
    EXPECT_TRUE(is_below("/a", "/a"));
    EXPECT_TRUE(is_below("/a", "/"));
    EXPECT_FALSE(is_below("/ab", "/a"));
    EXPECT_FALSE(is_below("/a", "/a/b"));
}

TEST_F(PythonEnv, ALoopOfSymlinksIsAnErrorAndEnds) {
    link("two", "env/bin/one");
    link("one", "env/bin/two");
    EXPECT_THAT(refusal(at("env/bin/one")), Not(IsEmpty()));
}

// ---- IPython

TEST_F(PythonEnv, WithoutIPythonTheRemedyIsACommand) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    fs::create_directories(root_ / ".venv/lib/python3.11/site-packages/pip");
    const auto environment = resolved(at(".venv/bin/python"));
    const auto required = require_ipython(environment);
    ASSERT_FALSE(required.ok());
    const std::string python = at(".venv/bin/python");
    EXPECT_EQ(required.error().sentence(),
              python + " has no IPython. Run " + python + " -m pip install ipython.");
}

TEST_F(PythonEnv, WhereThereIsNoPipTheRemedyDoesNotNeedIt) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    EXPECT_THAT(require_ipython(resolved(at(".venv/bin/python"))).error().remedy(),
                HasSubstr("uv pip install --python"));
}

TEST_F(PythonEnv, ForTheSystemsPythonTheRemedyIsAVenv) {
    make_base("usr");
    write("usr/lib/python3.11/EXTERNALLY-MANAGED", "[externally-managed]\n");
    const auto environment = resolved(at("usr/bin/python3"));
    EXPECT_TRUE(environment.externally_managed);
    EXPECT_THAT(require_ipython(environment).error().remedy(), HasSubstr(" -m venv DIRECTORY"));
}

TEST_F(PythonEnv, IPythonThatTheJailWouldNotShowIsNone) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    write("cache/IPython/__init__.py", "");
    link(at("cache/IPython"), ".venv/lib/python3.11/site-packages/IPython");
    const auto environment = resolved(at(".venv/bin/python"));
    EXPECT_FALSE(environment.has_ipython);
    EXPECT_THAT(environment.warnings, ElementsAre(HasSubstr(at("cache/IPython"))));
}

// ---- packages that live elsewhere

TEST_F(PythonEnv, EditableInstallsOutsideAreReportedAndNotShown) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    fs::create_directories(root_ / "project/src");
    const std::string site = ".venv/lib/python3.11/site-packages/";
    write(site + "__editable__.project.pth", at("project/src") + "\n");
    write(site + "project-1.0.dist-info/direct_url.json",
          R"({"dir_info": {"editable": true}, "url": "file://)" + at("project") + R"("})");
    const auto environment = resolved(at(".venv/bin/python"));
    EXPECT_THAT(environment.warnings,
                ElementsAre(testing::AllOf(HasSubstr("project"), HasSubstr(at("project")))));
    EXPECT_THAT(environment.mounts, Not(Contains(HasSubstr("project"))));
}

TEST_F(PythonEnv, EditableInstallsInsideNeedNoWord) {
    make_base("opt/python");
    make_venv(".venv", "opt/python");
    add_ipython(".venv/src/ipython");
    write(".venv/lib/python3.11/site-packages/ipython.pth", "../../../src/ipython\n");
    const auto environment = resolved(at(".venv/bin/python"));
    EXPECT_THAT(environment.warnings, IsEmpty());
    EXPECT_TRUE(environment.has_ipython);
}

TEST_F(PythonEnv, PthLinesThatAreCodeAreNeverRunNorTakenForPaths) {
    write("site/evil.pth", "import os; os.system('touch " + at("executed") +
                               "')\n"
                               "import\tos\n"
                               "# " +
                               at("site") +
                               "\n"
                               "\n"
                               "missing\n"
                               "there  \r\n");
    fs::create_directories(root_ / "site/there");
    write("site/.hidden.pth", at("site") + "\n");
    EXPECT_THAT(directories_in_pth_files(at("site")), ElementsAre(at("site/there")));
    EXPECT_FALSE(fs::exists(root_ / "executed"));
}

TEST_F(PythonEnv, BrokenRecordsArePassedOver) {
    write("site/a-1.dist-info/direct_url.json", "{");
    write("site/b-1.dist-info/direct_url.json", "[1]");
    write("site/c-1.dist-info/direct_url.json", R"({"dir_info": 1, "url": 2})");
    write("site/d-1.dist-info/direct_url.json", R"({"dir_info": {"editable": 1}, "url": "file:///x"})");
    write("site/e-1.dist-info/direct_url.json",
          R"({"dir_info": {"editable": true}, "url": "file:///a%20b%zz%"})");
    const auto found = linked_packages(at("site"));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].name, "e");
    EXPECT_EQ(found[0].path, "/a b%zz%");
}

TEST_F(PythonEnv, EggInfoTellsTheVersionToo) {
    write("file/ipython-7.1.egg-info", "Name: ipython\nVersion: 7.1\n");
    write("directory/ipython-7.2.egg-info/PKG-INFO", "Name: ipython\nVersion: 7.2\r\n");
    write("neither/ipython_genutils-0.2.dist-info/METADATA", "Version: 0.2\n");
    EXPECT_EQ(ipython_version_in(at("file")), "7.1");
    EXPECT_EQ(ipython_version_in(at("directory")), "7.2");
    EXPECT_EQ(ipython_version_in(at("neither")), "");
}

// ---- real ones: what Python itself says is what was found

class RealPython : public PythonEnv {
  protected:
    // `what` is an expression; -S, because the paths are known without site.
    static std::string ask(const std::string& python, const std::string& what) {
        const std::string command = python + " -I -c 'import sys, site; print(" + what + ")'";
        FILE* pipe = ::popen(command.c_str(), "r");
        char answer[4096] = {};
        const size_t n = std::fread(answer, 1, sizeof answer - 1, pipe);
        EXPECT_EQ(::pclose(pipe), 0) << command;
        return std::string(answer, n > 0 ? n - 1 : 0);
    }
};

TEST_F(RealPython, AVenvOfTheSystemsPython) {
    ASSERT_EQ(std::system(("/usr/bin/python3 -m venv --without-pip " + at("venv")).c_str()), 0);
    const std::string python = at("venv/bin/python");
    const auto environment = resolved(python);
    EXPECT_EQ(environment.prefix, ask(python, "sys.prefix"));
    EXPECT_EQ(environment.base_prefix, ask(python, "sys.base_prefix"));
    EXPECT_EQ(environment.interpreter, ask(python, "sys.executable"));
    EXPECT_EQ(environment.version, ask(python, "\"%d.%d\" % sys.version_info[:2]"));
    EXPECT_EQ(environment.site_packages.at(0), ask(python, "site.getsitepackages()[0]"));
    EXPECT_THAT(environment.mounts, ElementsAre(at("venv")));
}

TEST_F(RealPython, TheSystemsPythonNeedsNoMount) {
    const auto environment = resolved("/usr/bin/python3");
    EXPECT_EQ(environment.prefix, ask("/usr/bin/python3", "sys.prefix"));
    EXPECT_THAT(environment.mounts, IsEmpty());
    for (const std::string& directory : environment.site_packages)
        EXPECT_EQ(ask("/usr/bin/python3", "\"" + directory + "\" in sys.path"), "True");
}

TEST(HostFacts, KnowsTheHomeOfWhoeverRunsThis) {
    const HostFacts facts = read_host_facts();
    ASSERT_NE(std::getenv("HOME"), nullptr);
    EXPECT_THAT(facts.homes, Contains(fs::canonical(std::getenv("HOME")).string()));
    EXPECT_THAT(facts.homes, Not(Contains("/")));
}

}  // namespace
}  // namespace cellblock::session
