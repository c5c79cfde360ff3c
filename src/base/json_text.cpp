// Reading and writing the inside of JSON strings.
#include "base/json_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace cellblock {

bool is_plain(char c) {
    return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
}

const char* skip_plain(const char* p, const char* end) {
    using Block = signed char __attribute__((vector_size(16)));
    while (end - p >= static_cast<ptrdiff_t>(sizeof(Block))) {
        Block bytes;
        std::memcpy(&bytes, p, sizeof bytes);
        // Signed: bytes from 0x80 on are negative, so one comparison finds them and the control characters.
        const auto special = (bytes < 0x20) | (bytes == '"') | (bytes == '\\');
        std::array<uint64_t, 2> words;
        static_assert(sizeof special == sizeof words);
        std::memcpy(words.data(), &special, sizeof words);
        if ((words[0] | words[1]) != 0) break;
        p += sizeof bytes;
    }
    while (p != end && is_plain(*p)) ++p;
    return p;
}

Utf8Run utf8_run(const char* p, const char* end) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(p[i]); };
    const unsigned char lead = byte(0);
    size_t size = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        size = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    } else {
        return {1, false};
    }
    for (size_t i = 1; i < size; ++i) {
        if (p + i == end || byte(i) < low || byte(i) > high) return {i, false};
        low = 0x80;
        high = 0xBF;
    }
    return {size, true};
}

std::string_view whole_prefix(std::string_view text, size_t most) {
    size_t size = std::min(text.size(), most);
    while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U)
        --size;
    return text.substr(0, size);
}

size_t whole_characters(std::string_view bytes) {
    for (size_t back = 1; back <= std::min(bytes.size(), kMaxCharacter - 1); ++back) {
        const auto lead = static_cast<unsigned char>(bytes[bytes.size() - back]);
        if ((lead & 0xc0U) == 0x80U) continue;  // goes on a character
        const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
        return size > back ? bytes.size() - back : bytes.size();
    }
    return bytes.size();
}

void append_utf8(std::string& out, uint32_t code_point) {
    const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0 | code_point >> 6);
        put(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        put(0xE0 | code_point >> 12);
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    } else {
        put(0xF0 | code_point >> 18);
        put(0x80 | (code_point >> 12 & 0x3F));
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    }
}

std::string json_string(std::string_view text) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out;
    out.reserve(text.size() + 2);
    out.push_back('"');
    const char* p = text.data();
    const char* const end = p + text.size();
    while (true) {
        const char* const plain_end = skip_plain(p, end);
        out.append(p, plain_end);
        p = plain_end;
        if (p == end) break;
        if (const auto byte = static_cast<unsigned char>(*p); byte >= 0x80) {
            const Utf8Run run = utf8_run(p, end);
            out.append(run.valid ? std::string_view(p, run.size) : kReplacement);
            p += run.size;
            continue;
        }
        switch (*p) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += "\\u00";
                out.push_back(kHex[static_cast<unsigned char>(*p) >> 4]);
                out.push_back(kHex[static_cast<unsigned char>(*p) & 15]);
        }
        ++p;
    }
    out.push_back('"');
    return out;
}

}  // namespace cellblock
