// The hash of a cell's outputs: the same for what front ends make of messages when they save them, another
// one for everything else.
#include "session/outputs.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

#include "base/json_text.hpp"

namespace cellblock::session {
namespace {

using Messages = std::initializer_list<std::pair<std::string_view, std::string>>;

std::string text(const std::string& name, const std::string& json) {
    return R"({"name":")" + name + R"(","text":)" + json + "}";
}

Outputs shown(Messages messages) {
    Outputs outputs;
    Displays displays;
    for (const auto& [type, content] : messages) outputs.add(type, content, displays);
    return outputs;
}

Outputs saved(std::initializer_list<std::string> list) {
    Outputs outputs;
    for (const std::string& output : list) EXPECT_TRUE(outputs.add_saved(output)) << output;
    return outputs;
}

std::string plain(const Outputs& outputs) {
    return observe::to_hex(outputs.hashes().plain);
}

TEST(Outputs, AreTheHashOfNothingAtFirst) {
    EXPECT_EQ(plain(Outputs()), observe::to_hex(observe::Sha256::of("")));
}

TEST(Outputs, JoinTextAsFrontEndsDo) {
    const Outputs messages = shown({{"stream", text("stdout", R"("a\n")")},
                                    {"stream", text("stdout", R"("b")")},
                                    {"stream", text("stderr", R"("c")")}});
    EXPECT_EQ(plain(messages), plain(saved({R"({"output_type":"stream","name":"stdout","text":["a\n","b"]})",
                                            R"({"text":"\u0063","name":"stderr","output_type":"stream"})"})));
    EXPECT_NE(plain(messages), plain(saved({R"({"output_type":"stream","name":"stdout","text":["a\n","B"]})",
                                            R"({"output_type":"stream","name":"stderr","text":"c"})"})));
    EXPECT_NE(plain(messages), plain(saved({R"({"output_type":"stream","name":"stdout","text":"a\nbc"})"})));
}

TEST(Outputs, LeaveOutWhatFrontEndsChange) {
    const Outputs messages =
        shown({{"execute_result",
                R"({"data":{"text/plain":"a\nb","application/json":{"x":1.0,"b":["x"]}},"metadata":{"m":1e3},
                    "execution_count":3,"transient":{}})"}});
    EXPECT_EQ(plain(messages), plain(saved({R"({"output_type":"execute_result","metadata":{"m":1000},
        "execution_count":null,"data":{"application/json":{"b":["x"],"x":1},"text/plain":["a\n","b"]}})"})));
    for (const char* other : {R"({"output_type":"display_data","metadata":{"m":1000},
        "data":{"application/json":{"b":["x"],"x":1},"text/plain":["a\n","b"]}})",
                              R"({"output_type":"execute_result","metadata":{"m":1001},
        "data":{"application/json":{"b":["x"],"x":1},"text/plain":["a\n","b"]}})",
                              R"({"output_type":"execute_result","metadata":{"m":1000},
        "data":{"application/json":{"b":["x"],"x":2},"text/plain":["a\n","b"]}})",
                              R"({"output_type":"execute_result","metadata":{"m":1000},
        "data":{"text/plain":["a\n","b"]}})"})
        EXPECT_NE(plain(messages), plain(saved({other}))) << other;
}

TEST(Outputs, HaveErrorsWithTheirTracebacks) {
    const std::string error = R"({"ename":"E","evalue":"v","traceback":["one","two"]})";
    EXPECT_EQ(
        plain(shown({{"error", error}})),
        plain(saved({R"({"output_type":"error","evalue":"v","ename":"E","traceback":["one","two"]})"})));
    EXPECT_NE(plain(shown({{"error", error}})),
              plain(saved({R"({"output_type":"error","evalue":"v","ename":"E","traceback":["one"]})"})));
}

TEST(Outputs, EndWhereTheyAreCleared) {
    const std::string a = text("stdout", R"("a")");
    const std::string b = text("stdout", R"("b")");
    EXPECT_EQ(plain(shown({{"stream", a}, {"clear_output", R"({"wait":false})"}, {"stream", b}})),
              plain(shown({{"stream", b}})));
    EXPECT_EQ(plain(shown({{"stream", a}, {"clear_output", R"({"wait":true})"}, {"stream", b}})),
              plain(shown({{"stream", b}})));
    EXPECT_EQ(plain(shown({{"stream", a}, {"clear_output", R"({"wait":true})"}})),
              plain(shown({{"stream", a}})))
        << "nothing came that would have cleared it";
}

TEST(Outputs, FollowUpdatesOfDisplaysInWhateverCell) {
    const auto display = [](const std::string& value, bool with_id) {
        return R"({"data":{"text/plain":")" + value + R"("},"metadata":{})" +
               (with_id ? R"(,"transient":{"display_id":"d"}})" : "}");
    };
    Displays displays;
    Outputs first;
    first.add("display_data", display("old", true), displays);
    const std::string before = plain(first);
    Outputs second;
    second.add("update_display_data", display("new", true), displays);
    EXPECT_NE(plain(first), before);
    EXPECT_EQ(plain(first), plain(shown({{"display_data", display("new", false)}})));
    EXPECT_EQ(plain(second), plain(Outputs()));
    EXPECT_EQ(displays.changes(), 1U);
    second.add("display_data", display("again", true), displays);
    EXPECT_EQ(plain(first), plain(shown({{"display_data", display("again", false)}})));
}

TEST(Outputs, AreTakenFromNotebooksOnlyWhereTheyAreOutputs) {
    for (const char* wrong :
         {"1", "{}", R"({"output_type":"clear_output","wait":false})",
          R"({"output_type":"update_display_data"})",
          R"({"output_type":"stream","name":"stdout","text":[1]})", R"({"output_type":"stream","text":"a"})",
          R"({"output_type":"error","ename":"E"})", R"({"output_type":"display_data","data":[]})"})
        EXPECT_FALSE(Outputs().add_saved(wrong)) << wrong;
    // Ids of displays that a notebook claims to have join nothing.
    const auto claimed = [](const std::string& value) {
        return R"({"output_type":"display_data","data":{"text/plain":")" + value +
               R"("},"metadata":{},"transient":{"display_id":"d"}})";
    };
    EXPECT_NE(plain(saved({claimed("forged"), claimed("b")})), plain(saved({claimed("b"), claimed("b")})));
}

TEST(Outputs, HaveASecondHashWhereTextGoesBack) {
    const auto obeyed = [](const std::string& json) {
        const auto hashes = shown({{"stream", text("stdout", json)}}).hashes();
        return hashes.obeyed ? observe::to_hex(*hashes.obeyed) : "";
    };
    const auto as_saved = [](const std::string& json) {
        return plain(saved({R"({"output_type":"stream","name":"stdout","text":)" + json + "}"}));
    };
    EXPECT_EQ(obeyed(R"("plain\n")"), "");
    EXPECT_EQ(obeyed(R"("first\n10%\r20%\r100%\nlast")"), as_saved(R"("first\n100%\nlast")"));
    EXPECT_EQ(obeyed(R"("abc\rX\r\nd")"), as_saved(R"("Xbc\nd")"));
    EXPECT_EQ(obeyed(R"("abc\b\bX")"), as_saved(R"("aX")"));
    EXPECT_EQ(obeyed(R"("\b\nabc\r")"), as_saved(R"("\nabc")"));
    const Outputs pieces =
        shown({{"stream", text("stdout", R"("10%")")}, {"stream", text("stdout", R"("\r20%")")}});
    EXPECT_EQ(observe::to_hex(*pieces.hashes().obeyed), as_saved(R"("20%")"));
}

TEST(Outputs, AreTheSameWhereverTextIsSplit) {
    const std::string whole = "ab\ncd\rX\nef\ngh\nij\b\bk\nlm";
    const auto pieces = [](std::initializer_list<std::string> parts) {
        Outputs outputs;
        Displays displays;
        for (const std::string& part : parts)
            outputs.add("stream", text("stdout", json_string(part)), displays);
        return outputs.hashes();
    };
    const auto expected = pieces({whole});
    ASSERT_TRUE(expected.obeyed);
    for (size_t first = 0; first <= whole.size(); ++first)
        for (size_t second = first; second <= whole.size(); ++second) {
            const auto hashes =
                pieces({whole.substr(0, first), whole.substr(first, second - first), whole.substr(second)});
            EXPECT_EQ(hashes.plain, expected.plain) << first << ", " << second;
            EXPECT_EQ(hashes.obeyed, expected.obeyed) << first << ", " << second;
        }
}

TEST(Outputs, SayWhyTheyCannotBeCompared) {
    const std::string just = std::string(kMaxOutputLine - 1, 'a') + "\\r";
    EXPECT_EQ(shown({{"stream", text("stdout", '"' + just + '"')}}).trouble(), "");
    EXPECT_EQ(shown({{"stream", text("stdout", "\"aa" + just + '"')}}).trouble(), "long_line");
    EXPECT_EQ(shown({{"comm_msg", R"({"data":{"method":"update","state":{"msg_id":"x"}}})"}}).trouble(),
              "output_widget");
    EXPECT_EQ(shown({{"display_data", R"({"data":{"application/json":1e999}})"}}).trouble(), "json");
    Outputs many;
    Displays displays;
    for (size_t i = 0; i <= kMaxOutputs; ++i) {
        EXPECT_EQ(many.trouble(), "");
        many.add("error", R"({"ename":"E","evalue":"v","traceback":[]})", displays);
    }
    EXPECT_EQ(many.trouble(), "many_outputs");
}

TEST(CanonicalJson, IsTheSameForTheSameValue) {
    EXPECT_EQ(canonical_json(R"({"b": [1.0, true, null], "a": "\u00e9"})"),
              canonical_json(R"({"a":"é","b":[1,true,null]})"));
    EXPECT_EQ(canonical_json("-0"), canonical_json("0"));
    EXPECT_NE(canonical_json(R"(["1"])"), canonical_json("[1]"));
    EXPECT_NE(canonical_json(R"(["a","b"])"), canonical_json(R"(["as1:b"])"));
    EXPECT_FALSE(canonical_json("NaN"));
    EXPECT_FALSE(canonical_json('"' + std::string(kMaxOutputJson, 'a') + '"'));
}

}  // namespace
}  // namespace cellblock::session
