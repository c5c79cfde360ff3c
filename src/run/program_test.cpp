#include "run/program.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "base/sys.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Programs : public ::testing::Test {
  protected:
    void SetUp() override {
        auto created = sys::TempDir::create("cellblock-program-");
        ASSERT_TRUE(created.ok());
        directory_ = std::make_unique<sys::TempDir>(*std::move(created));
    }
    [[nodiscard]] std::string at(const std::string& path) const { return directory_->path() + "/" + path; }
    void write(const std::string& path, const std::string& text = "x") const {
        fs::create_directories(fs::path(at(path)).parent_path());
        std::ofstream(at(path)) << text;
    }
    [[nodiscard]] Result<Program> read(const std::vector<std::string>& paths,
                                       const std::string& language = "") const {
        Source source;
        for (const std::string& path : paths) source.paths.push_back(at(path));
        source.language = language;
        return read_program(source);
    }
    [[nodiscard]] std::string refusal(const std::vector<std::string>& paths,
                                      const std::string& language = "") const {
        const auto program = read(paths, language);
        return program ? "accepted: " + program->entry : program.error().sentence();
    }
    static std::vector<std::string> names(const Program& program) {
        std::vector<std::string> result;
        for (const File& file : program.files) result.push_back(file.path);
        return result;
    }
    std::unique_ptr<sys::TempDir> directory_;
};

Result<Program> read_code(const std::string& code, const std::string& language) {
    Source source;
    source.code = code;
    source.language = language;
    return read_program(source);
}

TEST(Code, IsAProgramOfOneFile) {
    const auto program = read_code("print(1)", "python");
    ASSERT_TRUE(program.ok());
    EXPECT_EQ(program->language, "python");
    EXPECT_EQ(program->entry, "main.py");
    EXPECT_EQ(program->files.at(0).content, "print(1)");
    EXPECT_EQ(read_code("#!/usr/bin/env node\n1", "")->entry, "main.js");
    EXPECT_EQ(read_code("public class Hello {}", "java")->entry, "Hello.java");
}

TEST(Code, ThatIsEmptyOrOfNoLanguageIsRefused) {
    EXPECT_THAT(read_code("", "python").error().sentence(), HasSubstr("empty"));
    EXPECT_THAT(read_code(" \n\t", "python").error().sentence(), HasSubstr("empty"));
    EXPECT_THAT(read_code("x", "").error().sentence(), HasSubstr("--lang"));
    EXPECT_THAT(read_code("x", "cobol").error().sentence(), HasSubstr("cobol"));
    EXPECT_FALSE(read_program(Source{}).ok());
}

TEST(Code, FromADescriptorIsReadToItsBoundAndNoFurther) {
    auto pipe = sys::pipe();
    ASSERT_TRUE(pipe.ok());
    uint64_t written = 0;
    std::thread writer([&, fd = std::move(pipe->second)] {
        const std::string block(size_t{1} << 20U, '#');
        ssize_t n = 0;
        while ((n = ::write(fd.get(), block.data(), block.size())) > 0) written += static_cast<uint64_t>(n);
    });
    Source source;
    source.code_fd = pipe->first.get();
    source.language = "python";
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_THAT(read_program(source).error().sentence(), HasSubstr("64.0 MiB"));
    pipe->first.reset();
    writer.join();
    EXPECT_LT(written, kMaxProgram.count + (uint64_t{2} << 20U));
}

TEST_F(Programs, OfFilesKeepTheirPlacesAndBeginWithTheFirst) {
    write("p/src/main.py", "import data");
    write("p/data/x.txt");
    const auto one = read({"p/src/main.py"});
    ASSERT_TRUE(one.ok()) << one.error().sentence();
    EXPECT_EQ(one->entry, "main.py");
    const auto two = read({"p/src/main.py", "p/data/x.txt"});
    ASSERT_TRUE(two.ok()) << two.error().sentence();
    EXPECT_EQ(two->entry, "src/main.py");
    EXPECT_THAT(names(*two), ElementsAre("src/main.py", "data/x.txt"));
}

TEST_F(Programs, OfFilesThatCannotBeRead) {
    write("empty.py", "\n");
    write("a.py");
    EXPECT_THAT(refusal({"gone.py"}), AllOf(HasSubstr("gone.py"), HasSubstr("ENOENT")));
    EXPECT_THAT(refusal({"empty.py"}), HasSubstr("empty"));
    EXPECT_THAT(refusal({"a.py", "a.py"}), HasSubstr("twice"));
    EXPECT_THAT(refusal({"a"}), HasSubstr("ENOENT"));
}

TEST_F(Programs, OfFilesThatAreTooLargeAreNotRead) {
    write("a.py");
    fs::resize_file(at("a.py"), kMaxProgram.count + 1);
    EXPECT_THAT(refusal({"a.py"}), HasSubstr("--volume"));
    fs::resize_file(at("a.py"), kMaxProgram.count);
    EXPECT_TRUE(read({"a.py"}).ok());
    write("b.txt");
    EXPECT_THAT(refusal({"a.py", "b.txt"}), HasSubstr("--volume"));
}

TEST_F(Programs, OfDirectoriesBeginWhereTheirLanguageSays) {
    const auto entry = [&](const std::vector<std::string>& files, const std::string& language = "") {
        fs::remove_all(at("d"));
        for (const std::string& file : files) write("d/" + file);
        const auto program = read({"d"}, language);
        return program ? program->language + " " + program->entry : program.error().sentence();
    };
    EXPECT_EQ(entry({"main.py", "other.py"}), "python main.py");
    EXPECT_EQ(entry({"__main__.py", "main.py"}), "python __main__.py");
    EXPECT_EQ(entry({"tool.py", "notes.txt"}), "python tool.py");
    EXPECT_EQ(entry({"package.json", "main.py"}), "javascript package.json");
    EXPECT_EQ(entry({"package.json", "main.py"}, "python"), "python main.py");
    EXPECT_EQ(entry({"index.js"}), "javascript index.js");
    EXPECT_EQ(entry({"go.mod", "x.go"}), "go go.mod");
    EXPECT_EQ(entry({"a.go", "b.go"}), "go a.go");
    EXPECT_EQ(entry({"Cargo.toml", "src/main.rs"}), "rust Cargo.toml");
    EXPECT_EQ(entry({"src/main.rs"}), "rust src/main.rs");
    EXPECT_EQ(entry({"com/x/App.java", "com/x/Other.java"}), "java com/x/App.java");
    EXPECT_THAT(entry({"a.py", "b.py"}), AllOf(HasSubstr("__main__.py, main.py"), HasSubstr("go.mod")));
    EXPECT_THAT(entry({"notes.txt"}, "python"),
                AllOf(HasSubstr("__main__.py"), testing::Not(HasSubstr("go.mod"))));
}

TEST_F(Programs, OfDirectoriesBeginWithTheFileThatIsNamed) {
    write("d/a.py");
    write("d/b.py");
    write("e.py");
    const auto program = read({"d", "d/b.py"});
    ASSERT_TRUE(program.ok()) << program.error().sentence();
    EXPECT_EQ(program->entry, "b.py");
    EXPECT_THAT(names(*program), ElementsAre("a.py", "b.py"));
    EXPECT_THAT(refusal({"d", "e.py"}), HasSubstr("not a file of the program"));
    EXPECT_THAT(refusal({"d", "d"}), HasSubstr("second one"));
}

TEST_F(Programs, LeaveOutWhatToolsHaveMade) {
    for (const char* file : {".git/config", "__pycache__/x.pyc", "target/debug/x", "env/pyvenv.cfg",
                             "env/bin/x", "sub/target/kept", "Cargo.toml", "main.rs"})
        write(std::string("d/") + file);
    const auto program = read({"d"});
    ASSERT_TRUE(program.ok()) << program.error().sentence();
    EXPECT_THAT(names(*program), ElementsAre("Cargo.toml", "main.rs", "sub/target/kept"));
}

TEST_F(Programs, ShowPackagesInsteadOfCopyingThem) {
    write("d/package.json");
    write("d/node_modules/a/index.js");
    const auto program = read({"d"});
    ASSERT_TRUE(program.ok()) << program.error().sentence();
    EXPECT_THAT(names(*program), ElementsAre("package.json"));
    ASSERT_EQ(program->directories.size(), 1U);
    EXPECT_EQ(program->directories[0].path, "node_modules");
    EXPECT_EQ(program->directories[0].source, fs::canonical(at("d/node_modules")).string());
    struct stat status {};
    ASSERT_EQ(::stat(at("d/node_modules").c_str(), &status), 0);
    EXPECT_EQ(program->directories[0].inode, (jail::Inode{status.st_dev, status.st_ino}));
}

// Two links in each of a few directories to the next one: more paths than anybody could follow.
TEST_F(Programs, OfManyPathsAndFewFilesAreRefused) {
    write("d/main.py");
    for (int i = 0; i < 24; ++i) {
        const std::string here = at("d/" + std::to_string(i));
        fs::create_directories(here);
        for (const char* name : {"/a", "/b"})
            fs::create_directory_symlink("../" + std::to_string(i + 1), here + name);
    }
    fs::create_directories(at("d/24"));
    EXPECT_THAT(refusal({"d"}), HasSubstr("files, directories and links"));
}

TEST_F(Programs, FollowLinksWithinAndRefuseThoseThatLeadOut) {
    write("secret");
    write("d/main.py");
    write("d/sub/x.txt", "inner");
    fs::create_symlink("sub", at("d/again"));
    fs::create_symlink("sub/x.txt", at("d/y.txt"));
    const auto program = read({"d"});
    ASSERT_TRUE(program.ok()) << program.error().sentence();
    EXPECT_THAT(names(*program), ElementsAre("again/x.txt", "main.py", "sub/x.txt", "y.txt"));
    EXPECT_EQ(program->files[3].content, "inner");

    fs::create_symlink("../secret", at("d/out"));
    EXPECT_THAT(refusal({"d"}), HasSubstr("leads out"));
    fs::remove(at("d/out"));
    fs::create_directory_symlink("/etc", at("d/node_modules"));
    EXPECT_THAT(refusal({"d"}), HasSubstr("leads out"));
    fs::remove(at("d/node_modules"));
    fs::create_symlink("gone", at("d/dangling"));
    EXPECT_THAT(refusal({"d"}), HasSubstr("dangling"));
    fs::remove(at("d/dangling"));
    fs::create_symlink(".", at("d/sub/self"));
    EXPECT_THAT(refusal({"d"}), HasSubstr("32 directories"));
}

TEST_F(Programs, HaveNoFilesThatAreNone) {
    write("d/main.py");
    ASSERT_EQ(::mkfifo(at("d/pipe").c_str(), 0600), 0);
    EXPECT_THAT(refusal({"d"}), HasSubstr("neither a file nor a directory"));
}

TEST_F(Programs, HaveABoundedNumberOfFiles) {
    write("d/main.py");
    for (size_t i = 0; i < kMaxFiles; ++i) write("d/s/" + std::to_string(i), "");
    EXPECT_THAT(refusal({"d"}), HasSubstr("4096 files"));
    fs::remove(at("d/s/0"));
    EXPECT_TRUE(read({"d"}).ok());
}

TEST_F(Programs, DoNotCallTheirFilesAsBuildsCallTheirs) {
    write("d/main.py");
    write("d/.cellblock-program");
    EXPECT_THAT(refusal({"d"}), HasSubstr(".cellblock-program"));
}

TEST_F(Programs, KeepTheBitThatMakesFilesExecutable) {
    write("d/main.py");
    ::chmod(at("d/main.py").c_str(), 0755);
    EXPECT_TRUE(read({"d"})->files.at(0).is_executable);
    EXPECT_FALSE(read_code("1", "python")->files.at(0).is_executable);
}

}  // namespace
}  // namespace cellblock::run
