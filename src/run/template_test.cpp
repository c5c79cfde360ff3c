#include "run/template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/sys.hpp"
#include "run/language.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Program program_of(const std::string& language, const std::string& code) {
    Source source;
    source.code = code;
    source.language = language;
    auto program = read_program(source);
    EXPECT_TRUE(program.ok());
    return *std::move(program);
}

Filled filled(const std::string& text, const std::string& code, const Values& values = {},
              const std::string& language = "python") {
    auto result = fill({"t", text}, program_of(language, code), values);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().sentence());
    return *std::move(result);
}

std::string refusal(const std::string& text, const Values& values = {}) {
    const auto result = fill({"t", text}, program_of("python", "1"), values);
    return result ? "accepted" : result.error().sentence();
}

TEST(Templates, PutCodeWhereItBelongs) {
    const Filled result = filled("a\n{{code}}\nb\n", "x\ny\n");
    EXPECT_EQ(result.program.entry, "main.py");
    EXPECT_EQ(result.program.files.at(0).content, "a\nx\ny\nb\n");
}

TEST(Templates, IndentWhatStandsAloneInItsLine) {
    const Filled result = filled("def f():\n    {{code}}\nf({{n}}, {{n}})\n", "x\n\ny", {{"n", "1"}});
    EXPECT_EQ(result.program.files.at(0).content, "def f():\n    x\n\n    y\nf(1, 1)\n");
}

TEST(Templates, TakeNothingElseForAPlaceholder) {
    const std::string rest = "int[][] a = {{1, 2}, {3}}; {{}} {{Code}} {{ code }} {{code} }}\n";
    EXPECT_EQ(filled(rest + "{{code}}", "{{n}}").program.files.at(0).content, rest + "{{n}}\n");
}

TEST(Templates, ListWhatIsMissingAndWhatIsTooMuch) {
    EXPECT_THAT(refusal("{{code}} {{b}} {{a}}", {{"b", ""}}),
                AllOf(HasSubstr("values for: a"), HasSubstr("--set")));
    EXPECT_THAT(refusal("{{code}}", {{"x", ""}}), HasSubstr("no {{x}}"));
    EXPECT_THAT(refusal("nothing"), HasSubstr("no {{code}}"));
    EXPECT_THAT(refusal(""), HasSubstr("no {{code}}"));
}

TEST(Templates, MakeSeveralFiles) {
    const Filled result = filled("==> a.py <==\nimport b\n==> sub/b.py <==\n{{code}}\n", "1");
    EXPECT_EQ(result.program.entry, "a.py");
    ASSERT_EQ(result.program.files.size(), 2U);
    EXPECT_EQ(result.program.files[1].path, "sub/b.py");
    EXPECT_EQ(result.program.files[1].content, "1\n");
    EXPECT_THAT(refusal("==> ../a.py <==\n{{code}}"), HasSubstr("does not lie"));
    EXPECT_THAT(refusal("==> a <==\n==> a <==\n{{code}}"), HasSubstr("two files"));
    EXPECT_EQ(filled("==> A.java <==\nclass A {}\n==> * <==\n{{code}}", "public class Q {}", {}, "java")
                  .program.files[1]
                  .path,
              "Q.java");
}

TEST(Templates, KeepTheOtherFilesOfAProgram) {
    Program program = program_of("python", "1");
    program.files.push_back({"data.txt", "d", false});
    EXPECT_EQ(fill({"t", "{{code}}"}, program, {})->program.files.at(1).path, "data.txt");
    EXPECT_THAT(fill({"t", "==> data.txt <==\n{{code}}"}, program, {}).error().sentence(),
                HasSubstr("data.txt"));
}

TEST(Templates, AreNoUseForProjects) {
    Program program;
    program.language = "go";
    program.entry = "go.mod";
    program.files = {{"go.mod", "module x", false}};
    EXPECT_THAT(fill({"t", "{{code}}"}, program, {}).error().sentence(), HasSubstr("go.mod"));
}

TEST(Templates, ShipTestsForEveryLanguage) {
    for (const Language& language : languages()) {
        const auto found = find_template("tests", language.name);
        ASSERT_TRUE(found.ok()) << found.error().sentence();
        const auto result =
            fill(*found, program_of(std::string(language.name), "code"), {{"tests", "check"}});
        ASSERT_TRUE(result.ok()) << result.error().sentence();
    }
    EXPECT_EQ(shipped_templates().size(), languages().size());
    EXPECT_THAT(find_template("test", "go").error().sentence(), HasSubstr("There is: tests"));
    EXPECT_THAT(find_template("./gone", "go").error().sentence(), HasSubstr("gone"));
}

TEST(TemplateValues, AreNamesAndTextsOrFiles) {
    const auto directory = sys::TempDir::create("cellblock-template-");
    ASSERT_TRUE(directory.ok());
    std::ofstream(directory->path() + "/v") << "from a file";
    const auto values = parse_values({"a=1=2", "b_2=@" + directory->path() + "/v", "c="});
    ASSERT_TRUE(values.ok()) << values.error().sentence();
    EXPECT_EQ(*values, (Values{{"a", "1=2"}, {"b_2", "from a file"}, {"c", ""}}));
    for (const char* wrong : {"a", "=1", "A=1", "a b=1", "code=1", "a}}=1", "a=@/gone"})
        EXPECT_FALSE(parse_values({wrong}).ok()) << wrong;
    EXPECT_THAT(parse_values({"a=1", "a=2"}).error().sentence(), HasSubstr("two values"));
}

/// Lines 3 and 4 of main.py, indented, are the code; line 7 is a test.
class LineMaps : public ::testing::Test {
  protected:
    static std::string mapped(const std::string& text) {
        return filled("# one\ndef f():\n    {{code}}\n# five\n# six\n{{tests}}\n# eight\n", "x\ny",
                      {{"tests", "t"}})
            .map.apply(text);
    }
    static std::string of_file(const std::string& file, const std::string& text) {
        const LineMap map({{file, 11, 3, 4, "code"}});
        return map.apply(text);
    }
};

TEST_F(LineMaps, KnowPythonsTracebacks) {
    EXPECT_EQ(mapped("  File \"/home/cell/main.py\", line 4, in f\n"), "  File \"code\", line 2, in f\n");
    EXPECT_EQ(mapped("  File \"main.py\", line 7"), "  File \"tests\", line 1");
    EXPECT_EQ(mapped("  File \"/usr/lib/python3/main.py\", line 4"),
              "  File \"/usr/lib/python3/main.py\", line 4");
}

TEST_F(LineMaps, LeaveTheTemplatesOwnLines) {
    for (const char* line :
         {"File \"main.py\", line 2", "File \"main.py\", line 5", "File \"main.py\", line 8",
          "main.py:", "main.py", "xmain.py:3", "main.pyc:3", "main.py:x", "a/main.py:3"})
        EXPECT_EQ(mapped(line), line);
}

TEST_F(LineMaps, KnowNode) {
    EXPECT_EQ(of_file("main.js", "/home/cell/main.js:12\n    throw 1\n"), "code:2\n    throw 1\n");
    EXPECT_EQ(of_file("main.js", "    at f (/home/cell/main.js:13:9)\n"), "    at f (code:3:5)\n");
    EXPECT_EQ(of_file("main.mjs", "at file:///home/cell/main.mjs:11:5"), "at code:1:1");
}

TEST_F(LineMaps, KnowGo) {
    EXPECT_EQ(of_file("main.go", "./main.go:11:6: undefined: x\n"), "code:1:2: undefined: x\n");
    EXPECT_EQ(of_file("main.go", "\tmain.go:12 +0x1d\n"), "\tcode:2 +0x1d\n");
}

TEST_F(LineMaps, KnowRust) {
    EXPECT_EQ(
        of_file("main.rs",
                "error: x\n  --> main.rs:12:9\n   |\n12 |     let y = x;\n   |     ^\n9  | a\n13 | b\n"),
        "error: x\n  --> code:2:5\n   |\n 2 |     let y = x;\n   |     ^\n9  | a\n 3 | b\n");
    EXPECT_EQ(of_file("main.rs", "thread 'main' panicked at main.rs:11:5:"),
              "thread 'main' panicked at code:1:1:");
}

TEST_F(LineMaps, KnowJava) {
    EXPECT_EQ(of_file("Main.java", "Main.java:12: error: ';' expected"), "code:2: error: ';' expected");
    EXPECT_EQ(of_file("Main.java", "\tat Main.main(Main.java:13)"), "\tat Main.main(code:3)");
}

TEST_F(LineMaps, TakeTextInPieces) {
    const LineMap map({{"main.go", 11, 3, 0, "code"}});
    const std::string text = "a main.go:12 b\nmain.go:13";
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        MappedLines lines(map);
        std::string out = lines.add(text.substr(0, cut));
        out += lines.add(text.substr(cut));
        EXPECT_EQ(out + lines.finish(), "a code:2 b\ncode:3") << cut;
    }
}

TEST_F(LineMaps, PassOnLinesThatAreTooLong) {
    const LineMap map({{"main.go", 1, 3, 0, "code"}});
    const std::string length(MappedLines::kMaxLine, 'x');
    EXPECT_EQ(map.apply(length + " main.go:1\nmain.go:1\n"), length + " main.go:1\ncode:1\n");
    EXPECT_EQ(map.apply(std::string("\xff\0main.go:2", 11)),
              std::string("\xff\0main.go:2", 11).substr(0, 2) + "code:2");
}

}  // namespace
}  // namespace cellblock::run
