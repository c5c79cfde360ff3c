// Units, and the words for them.
#include "profile/numbers.hpp"

#include <array>
#include <charconv>
#include <span>

#include "base/printable.hpp"

namespace cellblock::profile {
namespace {

using std::chrono::milliseconds;
using Unit = Number::Unit;

// clang-format off
struct Scale {
    std::string_view name;
    double factor;
};
constexpr std::array kDurations{Scale{"ms", 1}, Scale{"s", 1000}, Scale{"m", 60'000}, Scale{"h", 3'600'000}};
constexpr std::array kSizes{Scale{"B", 1}, Scale{"KiB", 1024.0}, Scale{"MiB", 1048576.0},
                            Scale{"GiB", 1073741824.0}, Scale{"TiB", 1099511627776.0}};
// clang-format on

/// The largest unit in which it is a whole number: exact, and the same for every spelling of one value.
std::string scaled(double value, std::span<const Scale> scales) {
    const Scale* best = &scales.front();
    for (const Scale& scale : scales)
        if (value >= scale.factor && std::fmod(value, scale.factor) == 0) best = &scale;
    return std::to_string(static_cast<int64_t>(value / best->factor)) + std::string(best->name);
}

Result<double> read_plain(const std::string& text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (error != std::errc{} || rest != end) return Error(in_quotes(text) + " is not a number");
    return number;
}

Result<double> read_whole(const std::string& text) {
    const double value = TRY(read_plain(text));
    if (value != std::floor(value)) return Error(in_quotes(text) + " is not a whole number");
    return value;
}

std::string_view unit_text(Unit unit) {
    switch (unit) {
        case Unit::size:
            return "a size";
        case Unit::duration:
            return "a duration";
        case Unit::count:
            return "a whole number";
        case Unit::cores:
            return "a number of cores";
        case Unit::percent:
            return "a percentage";
    }
    UNREACHABLE();
}

}  // namespace

std::string written(const Number& number, double value) {
    if (std::isinf(value)) return std::string(number.unlimited);
    switch (number.unit) {
        case Unit::size:
            return scaled(value, kSizes);
        case Unit::duration:
            return scaled(value, kDurations);
        case Unit::count:
            return std::to_string(static_cast<int64_t>(value));
        case Unit::percent:
            return std::to_string(static_cast<int64_t>(value)) + "%";
        case Unit::cores: {
            char text[32];
            const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value);
            CHECK(error == std::errc{});
            return {std::begin(text), end};
        }
    }
    UNREACHABLE();
}

Result<double> read_number(const Number& number, const std::string& text) {
    switch (number.unit) {
        case Unit::size:
            return bytes(TRY(parse_bytes(text)));
        case Unit::duration: {
            const milliseconds duration = TRY(parse_duration(text));
            return or_no_limit(ms(duration));
        }
        case Unit::count:
            return read_whole(text);
        case Unit::cores:
            return read_plain(text);
        case Unit::percent:
            if (!text.ends_with('%')) return Error(in_quotes(text) + " is not a percentage");
            return read_whole(text.substr(0, text.size() - 1));
    }
    UNREACHABLE();
}

std::string range_text(const Number& number) {
    std::string text = std::string(unit_text(number.unit)) + " from " + written(number, number.least) +
                       " to " + written(number, number.most);
    if (!number.unlimited.empty()) text += ", or " + std::string(number.unlimited);
    return text;
}

Result<milliseconds> parse_duration(std::string_view text) {
    if (text == "none") return milliseconds::zero();
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    const std::string_view unit_name(rest, static_cast<size_t>(end - rest));
    for (const Scale& scale : kDurations) {
        const double total = number * scale.factor;
        // Not zero: that would silently mean "no limit".
        if (error == std::errc{} && scale.name == unit_name && total >= 1 && total <= ms(kLongest))
            return milliseconds(std::llround(total));
    }
    return Error("read the duration " + in_quotes(text) + ": a positive number and a unit are expected")
        .with_remedy("Write for example 500ms, 60s, 5m or 2h; \"none\" means no limit.");
}

std::string to_text(milliseconds duration) {
    return duration == milliseconds::zero() ? "none" : scaled(ms(duration), kDurations);
}

}  // namespace cellblock::profile
