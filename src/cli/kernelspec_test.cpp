// Kernelspecs in a temporary directory: all or nothing, and never somebody else's.
#include "cli/kernelspec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/sys.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kTemplates = CELLBLOCK_SOURCE_DIR "/kernelspec";

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

class KernelspecFiles : public testing::Test {
  protected:
    KernelspecFiles() : directory_(sys::TempDir::create("kernelspec-").value()), root_(directory_.path()) {
        spec_.display_name = "Python (sandboxed)";
        spec_.argv = {"/opt/cellblock", "kernel", "-f", "{connection_file}"};
        spec_.version = "1.2.3";
        spec_.isolation = "full";
        spec_.python = "/venv/bin/python";
    }
    std::string at(const std::string& path) const { return (root_ / path).string(); }
    std::vector<std::string> entries(const fs::path& directory) const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
        std::sort(names.begin(), names.end());
        return names;
    }
    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }

    sys::TempDir directory_;
    fs::path root_;
    Kernelspec spec_;
};

TEST_F(KernelspecFiles, SayWhatFrontEndsNeed) {
    spec_.debugger = true;
    ASSERT_TRUE(write_kernelspec(at("share/kernels/cellblock"), kTemplates, spec_).ok());
    EXPECT_THAT(entries(root_ / "share/kernels"), ElementsAre("cellblock"));
    EXPECT_THAT(entries(root_ / "share/kernels/cellblock"),
                ElementsAre("kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"));
    const auto json = nlohmann::json::parse(read(root_ / "share/kernels/cellblock/kernel.json"));
    EXPECT_EQ(json["argv"], spec_.argv);
    EXPECT_EQ(json["display_name"], "Python (sandboxed)");
    EXPECT_EQ(json["language"], "python");
    EXPECT_EQ(json["interrupt_mode"], "message");
    EXPECT_EQ(json["kernel_protocol_version"], "5.5");
    EXPECT_EQ(json["metadata"]["debugger"], true);
    EXPECT_EQ(json["metadata"]["cellblock"]["isolation"], "full");
    EXPECT_EQ(json["metadata"]["cellblock"]["python"], "/venv/bin/python");
}

TEST_F(KernelspecFiles, AreReadBackAsWritten) {
    spec_.display_name = "\"q\" \\ @PYTHON@ \n é";
    spec_.python = "@ARGV@/{x}";
    ASSERT_TRUE(write_kernelspec(at("k"), kTemplates, spec_).ok());
    const auto back = read_kernelspec(at("k"));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->display_name, spec_.display_name);
    EXPECT_EQ(back->argv, spec_.argv);
    EXPECT_EQ(back->version, spec_.version);
    EXPECT_EQ(back->isolation, spec_.isolation);
    EXPECT_EQ(back->python, spec_.python);
}

TEST_F(KernelspecFiles, InstallingAgainReplacesOurs) {
    ASSERT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
    write("kernels/k/stale", "");
    spec_.display_name = "Another";
    ASSERT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
    EXPECT_EQ(read_kernelspec(at("kernels/k"))->display_name, "Another");
    EXPECT_FALSE(fs::exists(root_ / "kernels/k/stale"));
    EXPECT_THAT(entries(root_ / "kernels"), ElementsAre("k"));
}

TEST_F(KernelspecFiles, WhatIsNotOursStays) {
    const std::string theirs = R"({"argv": ["python"], "metadata": {"debugger": true}})";
    write("kernels/theirs/kernel.json", theirs);
    write("kernels/files/notes.txt", "x");
    write("kernels/broken/kernel.json", "{");
    write("kernels/file", "x");
    for (const char* name : {"theirs", "files", "broken", "file"}) {
        const std::string directory = at("kernels/") + name;
        const auto written = write_kernelspec(directory, kTemplates, spec_);
        ASSERT_FALSE(written.ok()) << name;
        EXPECT_THAT(written.error().sentence(), HasSubstr("was not made by Cellblock"));
        EXPECT_FALSE(remove_kernelspec(directory).ok()) << name;
    }
    EXPECT_EQ(read(root_ / "kernels/theirs/kernel.json"), theirs);
    EXPECT_THAT(entries(root_ / "kernels"), ElementsAre("broken", "file", "files", "theirs"));
    EXPECT_THAT(our_kernels_in(at("kernels")), IsEmpty());
}

TEST_F(KernelspecFiles, AnEmptyDirectoryIsNobodys) {
    fs::create_directories(root_ / "kernels/k");
    EXPECT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
}

TEST_F(KernelspecFiles, AFailureInTheMiddleLeavesNothing) {
    // A template directory that lacks its last logo: everything else has been written when that is noticed.
    fs::create_directories(root_ / "templates");
    for (const char* file : {"kernel.json.in", "logo-svg.svg", "logo-32x32.png"})
        fs::copy_file(fs::path(kTemplates) / file, root_ / "templates" / file);
    const auto written = write_kernelspec(at("new/share/kernels/k"), at("templates"), spec_);
    ASSERT_FALSE(written.ok());
    EXPECT_THAT(written.error().sentence(), HasSubstr("logo-64x64.png"));
    EXPECT_THAT(entries(root_), ElementsAre("templates"));
}

TEST_F(KernelspecFiles, AFailureInTheMiddleLeavesTheOldOne) {
    ASSERT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
    const std::string before = read(root_ / "kernels/k/kernel.json");
    fs::create_directories(root_ / "templates");
    fs::copy_file(fs::path(kTemplates) / "kernel.json.in", root_ / "templates/kernel.json.in");
    spec_.display_name = "Another";
    ASSERT_FALSE(write_kernelspec(at("kernels/k"), at("templates"), spec_).ok());
    EXPECT_EQ(read(root_ / "kernels/k/kernel.json"), before);
    EXPECT_THAT(entries(root_ / "kernels"), ElementsAre("k"));
}

TEST_F(KernelspecFiles, WhatIsNotConfirmedIsTakenBack) {
    std::vector<std::string> when_asked;
    const auto refuse = [&]() -> Result<void> {
        when_asked = our_kernels_in(at("kernels"));
        return Error("record it: the disk is full");
    };
    const auto refused = write_kernelspec(at("kernels/k"), kTemplates, spec_, refuse);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.error().sentence(), HasSubstr("the disk is full"));
    EXPECT_THAT(when_asked, ElementsAre("k")) << "it was there when it was asked for";
    EXPECT_FALSE(fs::exists(root_ / "kernels"));

    ASSERT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
    const std::string before = read(root_ / "kernels/k/kernel.json");
    spec_.display_name = "Another";
    EXPECT_FALSE(write_kernelspec(at("kernels/k"), kTemplates, spec_, refuse).ok());
    EXPECT_EQ(read(root_ / "kernels/k/kernel.json"), before);
    EXPECT_FALSE(remove_kernelspec(at("kernels/k"), refuse).ok());
    EXPECT_THAT(when_asked, IsEmpty()) << "it was gone when it was asked for";
    EXPECT_EQ(read(root_ / "kernels/k/kernel.json"), before);
    EXPECT_THAT(entries(root_ / "kernels"), ElementsAre("k"));
}

TEST_F(KernelspecFiles, DirectoriesThatCannotBeMadeAreNamed) {
    write("file", "");
    const auto written = write_kernelspec(at("file/kernels/k"), kTemplates, spec_);
    ASSERT_FALSE(written.ok());
    EXPECT_THAT(written.error().sentence(), HasSubstr(at("file/kernels")));
}

TEST_F(KernelspecFiles, RemovingTakesTheDirectoryAndNothingElse) {
    ASSERT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
    ASSERT_TRUE(write_kernelspec(at("kernels/other"), kTemplates, spec_).ok());
    EXPECT_THAT(our_kernels_in(at("kernels")), ElementsAre("k", "other"));
    ASSERT_TRUE(remove_kernelspec(at("kernels/k")).ok());
    EXPECT_THAT(entries(root_ / "kernels"), ElementsAre("other"));
    EXPECT_FALSE(remove_kernelspec(at("kernels/k")).ok());
}

TEST_F(KernelspecFiles, OfASymlinkOnlyTheLinkIsRemovedOrReplaced) {
    ASSERT_TRUE(write_kernelspec(at("elsewhere/k"), kTemplates, spec_).ok());
    fs::create_directories(root_ / "kernels");
    fs::create_directory_symlink(root_ / "elsewhere/k", root_ / "kernels/k");
    ASSERT_TRUE(write_kernelspec(at("kernels/k"), kTemplates, spec_).ok());
    EXPECT_FALSE(fs::is_symlink(root_ / "kernels/k"));
    EXPECT_TRUE(read_kernelspec(at("elsewhere/k")).ok());
    fs::create_directory_symlink(root_ / "elsewhere/k", root_ / "kernels/k2");
    ASSERT_TRUE(remove_kernelspec(at("kernels/k2")).ok());
    EXPECT_TRUE(read_kernelspec(at("elsewhere/k")).ok());
    EXPECT_THAT(entries(root_ / "kernels"), ElementsAre("k"));
}

TEST(KernelName, IsAsJupyterHasIt) {
    for (const char* name : {"cellblock", "Python_3.11-x", "a"})
        EXPECT_TRUE(check_kernel_name(name).ok()) << name;
    for (const char* name : {"", ".", "..", ".hidden", "a/b", "a b", "é", "a\n"})
        EXPECT_FALSE(check_kernel_name(name).ok()) << name;
    EXPECT_TRUE(check_kernel_name(std::string(100, 'a')).ok());
    EXPECT_FALSE(check_kernel_name(std::string(101, 'a')).ok());
}

TEST(RenderKernelJson, RefusesWhatJsonCannotSay) {
    Kernelspec spec;
    spec.python = "/venv\xff/bin/python";
    EXPECT_THAT(render_kernel_json("{\"a\": @PYTHON@}", spec).error().sentence(), HasSubstr("UTF-8"));
}

TEST(RenderKernelJson, RefusesABrokenTemplate) {
    const Kernelspec spec;
    for (const char* text : {"{\"a\": @PYTHON}", "{\"a\": @WHAT@}", "{\"a\": @PYTHON@", "@@"})
        EXPECT_FALSE(render_kernel_json(text, spec).ok()) << text;
}

}  // namespace
}  // namespace cellblock::cli
