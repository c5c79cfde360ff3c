// Numbers of settings as people write them, each with its unit, and back.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "profile/settings.hpp"

namespace cellblock::profile {

/// What numbers that may be "no limit" are then.
inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();
/// No duration is longer.
inline constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);

// The units of Number::get.
constexpr double bytes(Bytes size) {
    return static_cast<double>(size.count);
}
constexpr double ms(std::chrono::milliseconds duration) {
    return static_cast<double>(duration.count());
}

// LaunchOptions says "no limit" with zero.
inline double or_no_limit(double value) {
    return value == 0 ? kNoLimit : value;
}
inline double or_zero(double value) {
    return std::isinf(value) ? 0 : value;
}

/// The one form of a value; no limit is `number.unlimited`.
std::string written(const Number& number, double value);
/// In the unit of Number::get. The word for "no limit" is not for here, and the bounds are not checked.
Result<double> read_number(const Number& number, const std::string& text);
/// "a size from 64MiB to 1024TiB".
std::string range_text(const Number& number);

}  // namespace cellblock::profile
