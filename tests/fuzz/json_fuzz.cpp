// The scanner against nlohmann's parser, and against itself: strict and lenient, checking and scanning,
// writing strings and reading them.
#include <nlohmann/json.hpp>

#include "input.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::protocol {
namespace {

enum class Opinion { object, other, refused, out_of_range };

Opinion nlohmann_says(std::string_view text) {
    try {
        return nlohmann::json::parse(text).is_object() ? Opinion::object : Opinion::other;
    } catch (const nlohmann::json::out_of_range&) {
        return Opinion::out_of_range;
    } catch (const nlohmann::json::exception&) {
        return Opinion::refused;
    }
}

bool is_utf8(std::string_view text) {
    // The dump throws at anything else.
    try {
        return !nlohmann::json(text).dump().empty();
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

/// Where the two define the same language, they accept the same texts.
void compare_with_nlohmann(std::string_view text, const Result<void>& ours) {
    // To nlohmann a NUL is the end of the text and a byte order mark is nothing.
    if (text.find('\0') != std::string_view::npos || text.substr(0, 3) == "\xEF\xBB\xBF") return;
    const Opinion theirs = nlohmann_says(text);
    // 1e999 is JSON, but no double.
    if (ours.ok()) CHECK(theirs == Opinion::object || theirs == Opinion::out_of_range);
    // It has no bound on the depth.
    if (theirs == Opinion::object)
        CHECK(ours.ok() || ours.error().what().find("nested too deep") != std::string::npos);
}

void compare_members(std::string_view text, const std::vector<JsonMember>& members) {
    const auto theirs = nlohmann::json::parse(text, nullptr, false);
    for (const JsonMember& member : members) {
        CHECK(text.find(member.value) != std::string_view::npos);
        const std::string_view value = *find_member(members, member.key);
        const auto string = as_string(value);
        const auto integer = as_integer(value);
        const auto boolean = as_bool(value);
        CHECK(int{string.has_value()} + int{integer.has_value()} + int{boolean.has_value()} <= 1);
        if (string) CHECK(is_utf8(*string));
        if (!theirs.is_object()) continue;
        const auto& same = theirs.at(member.key);
        CHECK(string.has_value() == same.is_string() && (!string || *string == same.get<std::string>()));
        CHECK(boolean.has_value() == same.is_boolean() && (!boolean || *boolean == same.get<bool>()));
        if (integer) CHECK(same.is_number_integer() && same.get<int64_t>() == *integer);
    }
}

}  // namespace
}  // namespace cellblock::protocol

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace cellblock::protocol;
    const std::string_view text = cellblock::fuzz::as_text(data, size);
    const auto strict = check_json_object(text);
    const auto lenient = check_json_object(text, kMaxJsonDepth, JsonDialect::lenient);
    const auto members = scan_object(text, SIZE_MAX);
    CHECK(!strict.ok() || lenient.ok());
    CHECK(lenient.ok() == members.ok());
    compare_with_nlohmann(text, strict);
    if (members && strict) compare_members(text, *members);

    const std::string literal = json_string(text);
    CHECK(check_json_object("{\"k\":" + literal + "}").ok());
    const auto back = as_string(literal);
    CHECK(back && is_utf8(*back));
    CHECK((*back == text) == is_utf8(text));
    as_string(text);
    as_integer(text);
    return 0;
}
