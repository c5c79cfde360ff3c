// What the scanner accepts, refuses and hands out; compared with nlohmann's parser where the two must agree.
#include "protocol/json_scan.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

namespace cellblock::protocol {
namespace {

bool strict(std::string_view text) {
    return check_json_object(text).ok();
}
bool lenient(std::string_view text) {
    return check_json_object(text, kMaxJsonDepth, JsonDialect::lenient).ok();
}

/// An object with one member of this value.
std::string with(std::string_view value) {
    return "{\"k\":" + std::string(value) + "}";
}

std::string nested(int depth) {
    std::string text;
    for (int i = 1; i < depth; ++i) text += i % 2 == 0 ? "[" : "{\"k\":";
    text += "{}";
    for (int i = depth - 1; i >= 1; --i) text += i % 2 == 0 ? "]" : "}";
    return text;
}

TEST(CheckJson, TakesObjectsOfEveryKindOfValue) {
    for (const char* text : {"{}", " \t\r\n{ \n} ", R"({"a":1})", R"({"a":[],"b":{},"c":[{},[[]],1,"x"]})",
                             R"({"a" : [ 1 , -0 , 0.5 , 1e9 , 1E+9 , -1.25e-9 , true , false , null ] } )",
                             R"({"":"","a":"b\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00"})",
                             R"({"big":123456789012345678901234567890,"huge":1e999})", R"({"a":1,"a":2})",
                             "{\"k\":\"é €\xF0\x9F\x98\x80\x7F\"}"})
        EXPECT_TRUE(strict(text)) << text;
}

TEST(CheckJson, RefusesWhatIsNotExactlyOneObject) {
    for (const char* text :
         {"", " ", "[]", "1", "\"a\"", "null", "{", "}", "{}{}", "{} x", "{}]", "\xEF\xBB\xBF{}"}) {
        EXPECT_FALSE(strict(text)) << text;
        EXPECT_FALSE(lenient(text)) << text;
    }
    EXPECT_FALSE(strict(std::string_view("{}\0", 3)));
}

TEST(CheckJson, RefusesBrokenStructure) {
    for (const char* text :
         {R"({"a"})",    R"({"a":})",      R"({"a":1,})",   R"({,"a":1})",    R"({"a":1 "b":2})",
          R"({a:1})",    R"({"a":[1,]})",  R"({"a":[,1]})", R"({"a":[1 2]})", R"({"a":[1})",
          R"({"a":{]})", R"({"a":(1)})",   R"({"a"::1})",   R"({1:1})",       R"({"a":1)",
          R"({"a)",      R"({"a":"b)",     R"({"a":"b\)",   R"({"a":tru})",   R"({"a":True})",
          R"({"a":nul)", R"({"a":nullx})", R"({"a":'b'})",  "{\"a\":1//x\n}"}) {
        EXPECT_FALSE(strict(text)) << text;
        EXPECT_FALSE(lenient(text)) << text;
    }
}

TEST(CheckJson, KnowsTheGrammarOfNumbers) {
    for (const char* number : {"0", "-0", "10", "1.0", "0.10", "1e0", "1E-05", "123e+4"})
        EXPECT_TRUE(strict(with(number))) << number;
    for (const char* number : {"-", "+1", "01", "-01", "1.", ".5", "1.e3", "1e", "1e+", "0x10", "1_000",
                               "--1", "1-", "NAN", "inf", "-inf", "Inf"})
        EXPECT_FALSE(lenient(with(number))) << number;
}

TEST(CheckJson, LetsPythonsNonNumbersPassInTheLenientDialectOnly) {
    for (const char* number : {"NaN", "Infinity", "-Infinity", "[NaN,-Infinity]"}) {
        EXPECT_TRUE(lenient(with(number))) << number;
        EXPECT_FALSE(strict(with(number))) << number;
    }
    EXPECT_FALSE(lenient(with("-NaN")));
    EXPECT_FALSE(lenient(with("Infinit")));
}

TEST(CheckJson, LetsLoneSurrogatesPassInTheLenientDialectOnly) {
    for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\n")",
                             R"("\ud800\ud800\udc00")", R"("\udc00\ud800")", R"("\uD800\u0041")"}) {
        EXPECT_TRUE(lenient(with(text))) << text;
        EXPECT_FALSE(strict(with(text))) << text;
    }
    EXPECT_TRUE(strict(with(R"("\ud83d\ude00")")));
    EXPECT_FALSE(lenient(with(R"("\ud83d\ude0")")));
}

TEST(CheckJson, RefusesEscapesAndControlCharactersThatJsonDoesNotHave) {
    for (const char* text : {R"("\a")", R"("\x41")", R"("\'")", R"("\u12")", R"("\u12G4")", R"("\u+123")",
                             R"("\U0041")", "\"\n\"", "\"\x1F\"", "\"0123456789abcdef\t\""}) {
        EXPECT_FALSE(lenient(with(text))) << text;
    }
    EXPECT_FALSE(lenient(with(std::string_view("\"\0\"", 3))));
}

TEST(CheckJson, RefusesBytesThatAreNotUtf8) {
    for (const char* bytes : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF",
                              "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
                              "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xF0\x9F\x98"}) {
        EXPECT_FALSE(lenient(with("\"" + std::string(bytes) + "\"")));
        EXPECT_FALSE(lenient("{\"" + std::string(bytes) + "\":1}"));
    }
    for (const char* bytes : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                              "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
        EXPECT_TRUE(strict(with("\"" + std::string(bytes) + "\"")));
}

TEST(CheckJson, FindsABadByteAtEveryOffset) {
    // The block-wise skip must not jump over anything, wherever the byte lies in its block.
    for (size_t length = 1; length < 70; ++length) {
        for (size_t at = 0; at < length; ++at) {
            for (const char bad : {'\x01', '\x1F', '\x80', '\xFF', '"', '\\'}) {
                std::string text(length, 'a');
                EXPECT_TRUE(strict(with("\"" + text + "\"")));
                text[at] = bad;
                EXPECT_FALSE(strict(with("\"" + text + "\""))) << length << " " << at;
            }
        }
    }
}

TEST(CheckJson, BoundsTheDepth) {
    EXPECT_TRUE(strict(nested(kMaxJsonDepth - 1)));
    EXPECT_TRUE(strict(nested(kMaxJsonDepth)));
    EXPECT_FALSE(strict(nested(kMaxJsonDepth + 1)));
    EXPECT_FALSE(strict("{\"k\":" + std::string(10'000'000, '[')));
    EXPECT_TRUE(check_json_object("{}", 1).ok());
    EXPECT_FALSE(check_json_object("{\"a\":{}}", 1).ok());
    EXPECT_TRUE(check_json_object(nested(1024), 1024).ok());
}

TEST(CheckJson, BoundsTheDigitsOfANumber) {
    const std::string most(kMaxDigits, '1');
    EXPECT_TRUE(strict("{\"a\": " + most + "}"));
    EXPECT_TRUE(strict("{\"a\": -" + most + "." + most + "e1}"));
    EXPECT_FALSE(strict("{\"a\": " + most + "1}"));
}

TEST(CheckJson, SaysWhereAndWhat) {
    EXPECT_EQ(check_json_object(R"({"a":01})").error().what(),
              "invalid JSON at byte 6: a comma or the closing bracket is expected");
    EXPECT_EQ(check_json_object("{\"k\":\"\xFF\"}").error().what(),
              "invalid JSON at byte 6: bytes that are not UTF-8");
    EXPECT_EQ(check_json_object(R"({"k":"ab\ud800"})").error().what(),
              "invalid JSON at byte 8: a lone surrogate escape");
}

TEST(CheckJson, AgreesWithNlohmannOnMutatedDocuments) {
    const std::vector<std::string> seeds{
        R"({"a":[1,-2.5e3,true,null],"b":{"c":"d\n\u00e9\ud83d\ude00"},"":[[],{}]})",
        "{\"code\":\"print('é €')\",\"silent\":false,\"x\":[0.1,1E+2,{\"y\":[]}]}"};
    const std::string_view alphabet = "{}[]\",:\\u0123456789abdeflnrst.+-E \n\x01\x80\xC3\xED\xF0";
    std::mt19937 random(20261121);
    int accepted = 0;
    for (int round = 0; round < 60'000; ++round) {
        std::string text = seeds[random() % seeds.size()];
        for (size_t edits = 1 + random() % 2; edits > 0; --edits) {
            const size_t at = random() % text.size();
            if (random() % 3 == 0)
                text.erase(at, 1);
            else if (random() % 2 == 0)
                text[at] = alphabet[random() % alphabet.size()];
            else
                text.insert(at, 1, alphabet[random() % alphabet.size()]);
        }
        const bool expected = nlohmann::json::accept(text) && text.find('{') == text.find_first_not_of(" \n");
        ASSERT_EQ(strict(text), expected) << text;
        ASSERT_EQ(scan_object(text).ok(), lenient(text)) << text;
        accepted += expected ? 1 : 0;
    }
    EXPECT_GT(accepted, 1000);
}

TEST(CheckJson, IsFastOnBase64) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    constexpr double kFloor = 1e9;
#else
    constexpr double kFloor = 5e7;
#endif
    const std::string text = with("\"" + std::string(50'000'000, 'A') + "\"");
    double best = 0;
    for (int round = 0; round < 5; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        ASSERT_TRUE(strict(text));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        best = std::max(best, static_cast<double>(text.size()) / took.count());
    }
    RecordProperty("bytes_per_second", std::to_string(best));
    EXPECT_GT(best, kFloor);
}

TEST(ScanObject, GivesMembersInOrderWithTheirBytes) {
    const std::string text =
        R"( { "b" : 1.50 , "a\u00e9\n":[1, 2],"b":"x y", "big":123456789012345678901 } )";
    const auto members = scan_object(text);
    ASSERT_TRUE(members.ok());
    ASSERT_EQ(members->size(), 4U);
    EXPECT_EQ((*members)[0].key, "b");
    EXPECT_EQ((*members)[0].value, "1.50");
    EXPECT_EQ((*members)[1].key, "aé\n");
    EXPECT_EQ((*members)[1].value, "[1, 2]");
    EXPECT_EQ((*members)[3].value, "123456789012345678901");
    EXPECT_EQ(find_member(*members, "b"), "\"x y\"") << "the last of two members of one name counts";
    EXPECT_EQ(find_member(*members, "B"), std::nullopt);
}

TEST(ScanObject, BoundsTheMembers) {
    const std::string three = R"({"a":1,"b":2,"c":3})";
    EXPECT_TRUE(scan_object(three, 3).ok());
    EXPECT_FALSE(scan_object(three, 2).ok());
    EXPECT_TRUE(scan_object("{}", 0).ok());
}

TEST(ScanArray, GivesValuesInOrderWithTheirBytes) {
    const auto values = scan_array(R"( [1, "a,]", [2], {"k": [3]} ] )", 4);
    ASSERT_TRUE(values);
    EXPECT_EQ(*values, (std::vector<std::string_view>{"1", R"("a,]")", "[2]", R"({"k": [3]})"}));
    EXPECT_TRUE(scan_array("[]", 0)->empty());
    for (const char* wrong : {"", "{}", "[", "[1", "[1,]", "[1 2]", "[1]x", "[1,2,3,4,5]"})
        EXPECT_FALSE(scan_array(wrong, 4)) << wrong;
}

TEST(ScanObject, HasTheDepthBoundOfTheCheck) {
    EXPECT_TRUE(scan_object(nested(kMaxJsonDepth)).ok());
    EXPECT_FALSE(scan_object(nested(kMaxJsonDepth + 1)).ok());
}

TEST(AsString, UndoesEscapes) {
    EXPECT_EQ(as_string(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00é")"), "a\"\\/\b\f\n\r\tAé€😀é");
    EXPECT_EQ(as_string(R"("\u0000")"), std::string(1, '\0'));
    EXPECT_EQ(as_string(R"("")"), "");
    EXPECT_EQ(as_plain_string(R"("a é")"), "a é");
    EXPECT_EQ(as_plain_string(R"("")"), "");
    for (const char* other : {R"("a\n")", R"(["a"])", "1", "", "\""})
        EXPECT_FALSE(as_plain_string(other)) << other;
}

TEST(AsString, ReplacesLoneSurrogates) {
    EXPECT_EQ(as_string(R"("a\ud800b")"), "a\uFFFDb");
    EXPECT_EQ(as_string(R"("\udc00\ud800")"), "\uFFFD\uFFFD");
    EXPECT_EQ(as_string(R"("\ud800\ud83d\ude00")"), "\uFFFD😀");
}

TEST(AsString, GivesNothingForOtherKinds) {
    for (const char* value : {"", "1", "null", "[\"a\"]", "\"", "\"a", "\"a\"b", "a\""})
        EXPECT_EQ(as_string(value), std::nullopt) << value;
}

TEST(AsInteger, TakesIntegersInRangeOnly) {
    EXPECT_EQ(as_integer("0"), 0);
    EXPECT_EQ(as_integer("-0"), 0);
    EXPECT_EQ(as_integer("9223372036854775807"), INT64_MAX);
    EXPECT_EQ(as_integer("-9223372036854775808"), INT64_MIN);
    for (const char* value :
         {"9223372036854775808", "1.0", "1e3", "\"1\"", "true", "null", "", "-", "+1", " 1"})
        EXPECT_EQ(as_integer(value), std::nullopt) << value;
}

TEST(AsBool, TakesBooleansOnly) {
    EXPECT_EQ(as_bool("true"), true);
    EXPECT_EQ(as_bool("false"), false);
    for (const char* value : {"1", "0", "\"true\"", "null", "True", ""})
        EXPECT_EQ(as_bool(value), std::nullopt);
}

TEST(JsonString, IsUndoneByAsString) {
    std::string all;
    for (int c = 0; c < 0x80; ++c) all.push_back(static_cast<char>(c));
    all += "é€😀";
    const std::string literal = json_string(all);
    EXPECT_TRUE(strict(with(literal)));
    EXPECT_EQ(as_string(literal), all);
    EXPECT_EQ(json_string("a\"\\\n\x01"), R"("a\"\\\n\u0001")");
}

TEST(JsonString, ReplacesBytesThatAreNotUtf8) {
    EXPECT_EQ(json_string("a\xFFz"), "\"a\uFFFDz\"");
    EXPECT_EQ(json_string("\xE2\x82"), "\"\uFFFD\"") << "a truncated sequence is one mistake";
    EXPECT_EQ(json_string("\xE2\x82z\xC3\xA9"), "\"\uFFFDzé\"");
    EXPECT_EQ(json_string("\xED\xA0\x80"), "\"\uFFFD\uFFFD\uFFFD\"")
        << "as Python's errors=\"replace\" does it";
}

}  // namespace
}  // namespace cellblock::protocol
