// Nettle's SHA-256: nothing has to be looked up or set up before the first hash (docs/adr/0023).
#include "observe/hash.hpp"

#include "base/hex.hpp"

namespace cellblock::observe {

std::string to_hex(std::span<const unsigned char> bytes) {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const unsigned char byte : bytes) append_hex(text, byte);
    return text;
}

bool from_hex(std::string_view text, std::span<unsigned char> out) {
    if (text.size() != 2 * out.size()) return false;
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        return -1;
    };
    for (size_t i = 0; i < out.size(); ++i) {
        const int high = digit(text[2 * i]);
        const int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return true;
}

static_assert(std::tuple_size_v<Hash> == SHA256_DIGEST_SIZE);

Sha256::Sha256() {
    ::nettle_sha256_init(&context_);
}

void Sha256::add(std::string_view bytes) {
    ::nettle_sha256_update(&context_, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
}

Hash Sha256::finish() {
    Hash hash;
    // It begins anew by itself.
    ::nettle_sha256_digest(&context_, hash.size(), hash.data());
    return hash;
}

Hash Sha256::of(std::string_view bytes) {
    Sha256 hash;
    hash.add(bytes);
    return hash.finish();
}

}  // namespace cellblock::observe
