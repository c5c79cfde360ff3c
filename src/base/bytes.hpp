// Byte counts as a type, and how people read them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cellblock {

/// A number of bytes. 0 … 2^63-1.
struct Bytes {
    uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
};

constexpr Bytes operator""_KiB(unsigned long long n) {
    return Bytes{n << 10};
}
constexpr Bytes operator""_MiB(unsigned long long n) {
    return Bytes{n << 20};
}
constexpr Bytes operator""_GiB(unsigned long long n) {
    return Bytes{n << 30};
}

/// "0 B", "512 B", "64.0 KiB", "2.0 GiB": binary units, one decimal.
std::string to_text(Bytes bytes);

/// Reads "512B", "64KiB", "2 GiB", "1.5GiB", "64MB" (decimal for kB, MB, GB). The unit is required;
/// "B" for single bytes. Errors name the text.
Result<Bytes> parse_bytes(std::string_view text);

}  // namespace cellblock
