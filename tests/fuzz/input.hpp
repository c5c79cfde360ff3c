// How fuzz targets see their input: text, and text cut into pieces.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cellblock::fuzz {

inline std::string_view as_text(const uint8_t* data, size_t size) {
    const void* const bytes = data;
    return {static_cast<const char*>(bytes), size};
}

/// "a\nb" → "a", "b". Always at least one piece.
inline std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (true) {
        const size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return lines;
        text.remove_prefix(end + 1);
    }
}

}  // namespace cellblock::fuzz
