#include "run/language.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/sys.hpp"
#include "run/languages/java_source.hpp"
#include "run/languages/toml_lines.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::string guessed(std::string_view file, std::string_view content = "") {
    const auto language = guess_language(file, content);
    return language ? std::string((*language)->name) : language.error().sentence();
}

TEST(Languages, HaveNamesAndSuffixesOfTheirOwn) {
    std::set<std::string_view> names;
    std::set<std::string_view> suffixes;
    for (const Language& language : languages()) {
        EXPECT_TRUE(names.insert(language.name).second) << language.name;
        for (const std::string_view suffix : language.suffixes)
            EXPECT_TRUE(suffixes.insert(suffix).second) << suffix;
        EXPECT_FALSE(language.suffixes.empty());
        EXPECT_NE(language.find, nullptr);
        EXPECT_NE(language.plan, nullptr);
    }
    EXPECT_EQ(names.size(), 5U);
}

TEST(Languages, AreGuessedByNameThenByTheFirstLine) {
    EXPECT_EQ(guessed("a/main.py"), "python");
    EXPECT_EQ(guessed("x.mjs"), "javascript");
    EXPECT_EQ(guessed("main.go"), "go");
    EXPECT_EQ(guessed("main.rs"), "rust");
    EXPECT_EQ(guessed("Main.java"), "java");
    EXPECT_EQ(guessed("tool", "#!/usr/bin/env python3\n"), "python");
    EXPECT_EQ(guessed("tool", "#! /usr/bin/python3.11 -u\n"), "python");
    EXPECT_EQ(guessed("", "#!/usr/bin/env -S node --harmony\n1"), "javascript");
    EXPECT_EQ(guessed("main.rs", "#!/usr/bin/env python3\n"), "rust");
}

TEST(Languages, ThatCannotBeGuessedAreAskedFor) {
    EXPECT_THAT(guessed("tool", "x = 1"), HasSubstr("--lang: python, javascript, go, rust, java"));
    EXPECT_THAT(guessed("tool", "#!/usr/bin/perl\n"), HasSubstr("\"perl\""));
    EXPECT_THAT(guessed(".py", ""), HasSubstr("cannot tell"));
    EXPECT_THAT(guessed("", "#!"), HasSubstr("the code"));
}

TEST(Languages, HaveOtherNamesAndNearMisses) {
    EXPECT_EQ((*language_named("node"))->name, "javascript");
    EXPECT_EQ((*language_named("golang"))->name, "go");
    EXPECT_THAT(language_named("pyhton").error().sentence(), HasSubstr("Did you mean python?"));
    EXPECT_THAT(language_named("cobol").error().sentence(), HasSubstr("Languages: python, javascript"));
}

TEST(Versions, AreComparedByNumbers) {
    EXPECT_TRUE(is_earlier_version("v20.9.1", "v20.10.0"));
    EXPECT_FALSE(is_earlier_version("v20.10.0", "v20.9.1"));
    EXPECT_FALSE(is_earlier_version("v1", "v1"));
    EXPECT_TRUE(is_earlier_version("v1", "v1.1"));
    EXPECT_TRUE(is_earlier_version("v01.2", "v1.3"));
}

TEST(TomlLines, FindPlainStringsOfATable) {
    constexpr std::string_view kText =
        "version = \"12\"\n[package]\nname = 'a'\n# name = \"c\"\nedition=\"2021\"\n[[bin]]\nname = \"b\"\n";
    EXPECT_EQ(toml_string(kText, "", "version"), "12");
    EXPECT_EQ(toml_string(kText, "package", "name"), "a");
    EXPECT_EQ(toml_string(kText, "package", "edition"), "2021");
    EXPECT_EQ(toml_string(kText, "[bin]", "name"), "b");
    EXPECT_EQ(toml_string(kText, "lib", "name"), "");
    EXPECT_EQ(toml_string("name = \"a\\n\"", "", "name"), "");
    EXPECT_EQ(toml_string("name = \"", "", "name"), "");
    EXPECT_EQ(toml_string("[", "", "name"), "");
}

TEST(JavaSources, SayTheirPackagePublicTypeAndMainMethods) {
    const JavaSource source = read_java_source(
        "/* class No { */ package a . b;\nimport java.util.*;\n"
        "@Deprecated(since = \"class X {\")\npublic final class Tool<T extends Object> {\n"
        "  String s = \"\"\"\n } public class Fake { \"\"\"; char c = '}'; // }\n"
        "  static class Inner { public static void main(String[] a) {} }\n"
        "  public static void main(final String... args) { int x; }\n}\n"
        "record Point(int x) { static void main(String[] a) {} }\nclass Other { void main() {} }");
    EXPECT_EQ(source.package, "a.b");
    EXPECT_EQ(source.public_type, "Tool");
    EXPECT_THAT(source.types_with_main, ElementsAre("Tool", "Point"));
}

TEST(JavaSources, ThatRepeatThemselvesAreNoMoreThanTheyAre) {
    std::string code = "class " + std::string(100'000, 'x') + " {";
    for (int i = 0; i < 1000; ++i) code += " static void main() {}";
    EXPECT_EQ(read_java_source(code).types_with_main.size(), 1U);
    EXPECT_THAT(read_java_source(std::string(kMaxUnderstood.count, ';') + code).types_with_main, IsEmpty());
}

TEST(JavaSources, ThatMakeNoSenseAreRead) {
    for (const char* text :
         {"", "}", "\"", "/*", "package", "class", "public class", "'\\", "\"\"\"\\", "static void main"}) {
        const JavaSource source = read_java_source(text);
        EXPECT_TRUE(source.types_with_main.empty()) << text;
    }
}

/// A host of files.
class Toolchains : public ::testing::Test {
  protected:
    void SetUp() override {
        auto created = sys::TempDir::create("cellblock-languages-");
        ASSERT_TRUE(created.ok());
        directory_ = std::make_unique<sys::TempDir>(*std::move(created));
        search_.home = at("home");
        search_.path = {at("path")};
        fs::create_directories(search_.home);
    }
    [[nodiscard]] std::string at(const std::string& path) const { return directory_->path() + "/" + path; }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(at(path)).parent_path());
        std::ofstream(at(path)) << text;
    }
    void write_program(const std::string& path, const std::string& text = "\177ELF....") const {
        write(path, text);
        ::chmod(at(path).c_str(), 0755);
    }
    static Result<Toolchain> find(const char* language, const Search& search) {
        return (*language_named(language))->find(search);
    }

    std::unique_ptr<sys::TempDir> directory_;
    Search search_;
};

TEST_F(Toolchains, OfNodeIsTheFirstThatIsNoScript) {
    write_program("path/node", "#!/bin/sh\n");
    write_program("home/.nvm/versions/node/v9.0.0/bin/node");
    write_program("home/.nvm/versions/node/v20.1.0/bin/node");
    search_.path.push_back(at("home/.nvm/versions/node/v20.1.0/bin"));
    const auto toolchain = find("javascript", search_);
    ASSERT_TRUE(toolchain.ok()) << toolchain.error().sentence();
    EXPECT_EQ(toolchain->path, at("home/.nvm/versions/node/v20.1.0/bin/node"));
    ASSERT_EQ(toolchain->mounts.size(), 1U);
    EXPECT_EQ(toolchain->mounts[0].source, toolchain->path);
    EXPECT_EQ(toolchain->mounts[0].target, toolchain->path);
    EXPECT_EQ(toolchain->mounts[0].access, jail::Access::read_only);
}

TEST_F(Toolchains, OfLaterVersionsComeFirst) {
    write_program("home/v/9/bin/p");
    write_program("home/v/10/bin/p");
    constexpr std::array<std::string_view, 1> kPlaces{"~/v/*/bin"};
    const auto found = find_programs(search_, "p", kPlaces);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].named, at("home/v/10/bin/p"));
}

TEST_F(Toolchains, ThatAreMissingAreToldWithThePlacesAndTheRemedy) {
    constexpr std::array<std::string_view, 1> kPlaces{"~/v/*/bin"};
    const std::string sentence = no_toolchain(search_, "Thing (thing)", kPlaces, "Install it.").sentence();
    EXPECT_THAT(sentence, HasSubstr("Thing (thing)"));
    EXPECT_THAT(sentence, HasSubstr(at("path")));
    EXPECT_THAT(sentence, HasSubstr("~/v/*/bin"));
    EXPECT_THAT(sentence, HasSubstr("Install it."));
}

TEST_F(Toolchains, InRelativeDirectoriesAreNotLookedAt) {
    search_.path = {"", ".", "bin"};
    EXPECT_THAT(find_programs(search_, "node", {}), IsEmpty());
}

TEST_F(Toolchains, HaveAnotherIdWhenTheyAreReplaced) {
    write_program("path/node");
    const auto before = find("javascript", search_);
    ASSERT_TRUE(before.ok());
    EXPECT_EQ(find("javascript", search_)->id, before->id);
    write_program("new", "\177ELF another");
    fs::rename(at("new"), at("path/node"));
    EXPECT_NE(find("javascript", search_)->id, before->id);
}

TEST_F(Toolchains, OfGoAreTheRootThatTheProgramBelongsTo) {
    for (const char* program :
         {"sdk/bin/go", "sdk/pkg/tool/linux_amd64/compile", "sdk/pkg/tool/linux_amd64/link"})
        write_program(program);
    fs::create_directories(at("path"));
    fs::create_symlink(at("sdk/bin/go"), at("path/go"));
    const auto toolchain = find("go", search_);
    ASSERT_TRUE(toolchain.ok()) << toolchain.error().sentence();
    EXPECT_EQ(toolchain->path, at("sdk/bin/go"));
    EXPECT_EQ(toolchain->mounts.at(0).source, at("sdk"));
}

class Rustup : public Toolchains {
  protected:
    void SetUp() override {
        Toolchains::SetUp();
        write_program("home/.cargo/bin/rustup");
        fs::create_symlink("rustup", at("home/.cargo/bin/rustc"));
        search_.path = {at("home/.cargo/bin")};
        for (const char* name : {"stable-x86_64-unknown-linux-gnu", "1.70.0-x86_64-unknown-linux-gnu"})
            write_program("home/.rustup/toolchains/" + std::string(name) + "/bin/rustc");
        write("home/.rustup/settings.toml",
              "default_toolchain = \"stable-x86_64-unknown-linux-gnu\"\n[overrides]\n");
    }
};

TEST_F(Rustup, IsResolvedToItsDefaultToolchain) {
    const auto toolchain = find("rust", search_);
    ASSERT_TRUE(toolchain.ok()) << toolchain.error().sentence();
    EXPECT_EQ(toolchain->path, at("home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc"));
    EXPECT_EQ(toolchain->mounts.at(0).source, at("home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu"));
}

TEST_F(Rustup, IsResolvedToWhatTheProjectAsksFor) {
    Program program;
    program.files = {{"rust-toolchain.toml", "[toolchain]\nchannel = \"1.70.0\"\n", false}};
    search_.program = &program;
    EXPECT_THAT(find("rust", search_)->path, HasSubstr("/1.70.0-x86_64"));
    program.files = {{"rust-toolchain", "1.70.0\n", false}};
    EXPECT_THAT(find("rust", search_)->path, HasSubstr("/1.70.0-x86_64"));
    program.files = {{"rust-toolchain", "nightly-2020-01-01\n", false}};
    EXPECT_THAT(find("rust", search_).error().sentence(),
                HasSubstr("rustup toolchain install nightly-2020-01-01"));
    program.files = {{"rust-toolchain", "../../../etc", false}};
    EXPECT_FALSE(find("rust", search_).ok());
}

TEST_F(Rustup, WithoutADefaultSaysSo) {
    write("home/.rustup/settings.toml", "version = \"12\"\n");
    EXPECT_THAT(find("rust", search_).error().sentence(), HasSubstr("rustup default stable"));
}

TEST_F(Toolchains, OfJavaNeedACompiler) {
    write_program("jdk/bin/java");
    write("jdk/lib/modules", "");
    search_.path = {at("jdk/bin")};
    const auto none = find("java", search_);  // the host may have one in a well-known place
    EXPECT_THAT(none.ok() ? none->path : "", Not(HasSubstr(at("jdk"))));
    write_program("jdk/bin/javac");
    const auto toolchain = find("java", search_);
    ASSERT_TRUE(toolchain.ok()) << toolchain.error().sentence();
    EXPECT_EQ(toolchain->path, at("jdk/bin/java"));
}

Program program_of(const char* language, std::vector<File> files) {
    Program program;
    program.language = language;
    program.entry = files.front().path;
    program.files = std::move(files);
    return program;
}

Result<Recipe> planned(const Program& program, const Toolchain& toolchain = {"/sdk/bin/tool", "id", {}, {}}) {
    return (*language_named(program.language))->plan(toolchain, program, jail::Limits{});
}

TEST(Recipes, OfPythonRunTheFile) {
    const auto recipe = planned(program_of("python", {{"main.py", "1"}}));
    EXPECT_THAT(recipe->run.argv, ElementsAre("/sdk/bin/tool", "/home/cell/main.py"));
    EXPECT_THAT(recipe->build, IsEmpty());
}

TEST(Recipes, OfNodeProjectsFollowPackageJson) {
    const auto words = [](const std::string& json, std::vector<File> more) {
        std::vector<File> files{{"package.json", json}};
        files.insert(files.end(), more.begin(), more.end());
        auto recipe = planned(program_of("javascript", files));
        if (!recipe) return recipe.error().sentence();
        std::string text;
        for (size_t i = 2; i < recipe->run.argv.size(); ++i) text += (i > 2 ? " " : "") + recipe->run.argv[i];
        return text;
    };
    EXPECT_EQ(words("{}", {{"index.js", ""}}), "/home/cell/index.js");
    EXPECT_EQ(words(R"({"main": "./lib/app"})", {{"lib/app.js", ""}}), "/home/cell/lib/app.js");
    EXPECT_EQ(words(R"({"main": "lib"})", {{"lib/index.js", ""}}), "/home/cell/lib/index.js");
    EXPECT_EQ(
        words(R"({"main": "x.js", "scripts": {"start": "node server.js --port 1"}})", {{"server.js", ""}}),
        "/home/cell/server.js --port 1");
    EXPECT_EQ(words(R"({"main": "x.js", "scripts": {"start": "tsc && node x.js"}})", {{"x.js", ""}}),
              "/home/cell/x.js");
    EXPECT_THAT(words(R"({"scripts": {"start": "tsc && node x.js"}})", {}), HasSubstr("for a shell"));
    EXPECT_THAT(words(R"({"main": "gone.js"})", {}), HasSubstr("not there: gone.js"));
    EXPECT_THAT(words("{}", {}), HasSubstr("no index.js"));
    EXPECT_THAT(words("[", {}), HasSubstr("not a JSON object"));
}

TEST(Recipes, OfSingleGoFilesSkipTheGoCommand) {
    const auto build = [](std::vector<File> files) {
        const auto recipe = planned(program_of("go", std::move(files)));
        return recipe->build.at(0).argv.at(1);
    };
    EXPECT_NE(build({{"main.go", "package main\nimport \"fmt\"\n"}}), "build");
    EXPECT_NE(build({{"a.go", "package main"}, {"b.go", "package main"}, {"data.txt", ""}}), "build");
    EXPECT_EQ(build({{"go.mod", "module x"}, {"main.go", ""}}), "build");
    EXPECT_EQ(build({{"main.go", "//go:embed x\n"}}), "build");
    EXPECT_EQ(build({{"main.go", ""}, {"x_windows.go", ""}}), "build");
    EXPECT_EQ(build({{"main.go", "import (\n\t\"C\"\n)"}}), "build");
}

TEST(Recipes, TakeNoFilesNameForAnOption) {
    const auto builds = [](const char* language, std::vector<File> files, std::string entry) {
        Program program = program_of(language, std::move(files));
        program.entry = std::move(entry);
        std::vector<std::string> arguments;
        const auto recipe = planned(program);
        for (const Invocation& step : recipe->build)
            arguments.insert(arguments.end(), step.argv.begin(), step.argv.end());
        return arguments;
    };
    const std::string java = "class X { public static void main(String[] x) {} }";
    EXPECT_THAT(builds("go", {{"-V=full.go", ""}, {"@a.go", ""}}, "@a.go"),
                IsSupersetOf({"./-V=full.go", "./@a.go"}));
    EXPECT_THAT(builds("go", {{"-o.go", "//go:embed x"}, {"@a.go", ""}}, "-o.go"),
                IsSupersetOf({"./-o.go", "./@a.go"}));
    EXPECT_THAT(builds("rust", {{"-h.rs", ""}}, "-h.rs"), Contains("./-h.rs"));
    EXPECT_THAT(builds("rust", {{"@a.rs", ""}}, "@a.rs"), Contains("./@a.rs"));
    EXPECT_THAT(builds("java", {{"@a.java", java}, {"-b.java", ""}}, "@a.java"),
                IsSupersetOf({"./@a.java", "./-b.java"}));
    EXPECT_THAT(
        builds("rust", {{"Cargo.toml", "[package]\nname = \"-h\"\n"}, {"src/main.rs", ""}}, "Cargo.toml"),
        Contains("--bin=-h"));
}

TEST(Recipes, LookAtNoMoreThanIsNeeded) {
    const std::string much(kMaxUnderstood.count + 1, '[');
    EXPECT_THAT(planned(program_of("javascript", {{"package.json", much}})).error().sentence(),
                HasSubstr("package.json is larger than"));
    // Too long to look for imports: prepared for all, and left to the go command.
    const auto go = planned(program_of("go", {{"main.go", "package main\n//" + much}}));
    EXPECT_EQ(go->build.at(0).argv.at(1), "build");
    EXPECT_NE(go->preparation->key, planned(program_of("go", {{"main.go", ""}}))->preparation->key);
}

TEST(Recipes, OfGoPrepareNoMoreThanIsImported) {
    const auto key = [](const std::string& code) {
        return planned(program_of("go", {{"main.go", code}}))->preparation->key;
    };
    const std::string common = key("package main\nimport (\n\t\"fmt\"\n\tx \"os\" // \"net\"?\n)");
    EXPECT_EQ(key("package main\nimport \"strings\"; import \"time\"\nvar x = \"net/http\""), common);
    EXPECT_NE(key("package main\nimport \"net/http\""), common);
    EXPECT_EQ(key("package main\nimport \"example.com/x\""), common);
}

TEST(Recipes, OfCargoProjectsKnowTheBinary) {
    const auto built = [](const std::string& manifest, std::vector<File> more) {
        std::vector<File> files{{"Cargo.toml", manifest}};
        files.insert(files.end(), more.begin(), more.end());
        auto recipe = planned(program_of("rust", files));
        return recipe ? recipe->artifacts.at(0) : recipe.error().sentence();
    };
    EXPECT_EQ(built("[package]\nname = \"tool\"\n", {{"src/main.rs", ""}}), "target/release/tool");
    EXPECT_EQ(built("[package]\nname = \"tool\"\n[[bin]]\nname = \"b\"\n", {}), "target/release/b");
    EXPECT_EQ(built("[package]\nname = \"tool\"\n", {{"src/bin/x.rs", ""}}), "target/release/x");
    EXPECT_THAT(built("[workspace]\n", {}), HasSubstr("workspace"));
    EXPECT_THAT(built("[package]\nname = \"tool\"\n", {{"src/lib.rs", ""}}), HasSubstr("nothing to run"));
}

TEST(Recipes, OfWhatIsMachineCodeShowTheProgramNoToolchain) {
    EXPECT_FALSE(planned(program_of("go", {{"main.go", ""}}))->needs_toolchain);
    EXPECT_FALSE(planned(program_of("rust", {{"main.rs", ""}}))->needs_toolchain);
    EXPECT_TRUE(planned(program_of("java", {{"Main.java", ""}}))->needs_toolchain);
}

TEST(Recipes, OfJavaStartTheRightClass) {
    const auto started = [](std::vector<File> files, const std::string& entry) {
        Program program = program_of("java", std::move(files));
        program.entry = entry;
        auto recipe = planned(program);
        return recipe ? recipe->run.argv.back() : recipe.error().sentence();
    };
    const File tool{"a/Tool.java", "package a; public class Tool { public static void main(String[] x) {} }"};
    const File other{"Other.java", "class Other { static void main(String[] x) {} }"};
    const File plain{"Plain.java", "class Plain { }"};
    EXPECT_EQ(started({tool}, "a/Tool.java"), "a.Tool");
    EXPECT_EQ(started({tool, other}, "Other.java"), "Other");
    EXPECT_EQ(started({plain, tool}, "Plain.java"), "a.Tool");
    EXPECT_THAT(started({plain, tool, other}, "Plain.java"), HasSubstr("a.Tool, Other"));
    EXPECT_EQ(started({plain}, "Plain.java"), "Plain");
}

TEST(CodeWithoutAName, IsCalledAsItsCompilerWantsIt) {
    EXPECT_EQ((*language_named("java"))->name_of("public class Hello {}"), "Hello.java");
    EXPECT_EQ((*language_named("java"))->name_of("class Hello {}"), "Main.java");
    EXPECT_EQ((*language_named("javascript"))->name_of("import fs from 'fs'\n"), "main.mjs");
    EXPECT_EQ((*language_named("javascript"))->name_of("const fs = require('fs')\nimport x"), "main.js");
    EXPECT_EQ((*language_named("javascript"))->name_of(""), "main.js");
}

}  // namespace
}  // namespace cellblock::run
