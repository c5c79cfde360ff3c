// Bytes as two lower-case digits each.
#pragma once

#include <string>
#include <string_view>

namespace cellblock {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

inline void append_hex(std::string& out, unsigned char byte) {
    out.push_back(kHexDigits[byte >> 4U]);
    out.push_back(kHexDigits[byte & 15U]);
}

}  // namespace cellblock
