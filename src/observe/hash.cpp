// OpenSSL's EVP interface: the algorithm is fetched once, because that is most of the cost of small hashes.
#include "observe/hash.hpp"

#include <openssl/evp.h>

#include "base/check.hpp"
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

struct Sha256::State {
    EVP_MD_CTX* context = ::EVP_MD_CTX_new();
    bool begun = false;

    State() {
        // Without memory or without the default provider nothing of ours works.
        CHECK(algorithm() != nullptr && context != nullptr);
    }
    ~State() { ::EVP_MD_CTX_free(context); }
    /// Never freed: threads may hash until the process ends.
    static const EVP_MD* algorithm() {
        static const EVP_MD* const fetched = ::EVP_MD_fetch(nullptr, "SHA256", nullptr);
        return fetched;
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) {
    if (!state_->begun) {
        CHECK(::EVP_DigestInit_ex(state_->context, State::algorithm(), nullptr) == 1);
        state_->begun = true;
    }
    CHECK(::EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Hash Sha256::finish() {
    if (!state_->begun) add({});
    Hash hash;
    CHECK(::EVP_DigestFinal_ex(state_->context, hash.data(), nullptr) == 1);
    state_->begun = false;
    return hash;
}

Sha256 Sha256::copy() const {
    Sha256 copy;
    if (state_->begun) {
        CHECK(::EVP_MD_CTX_copy_ex(copy.state_->context, state_->context) == 1);
        copy.state_->begun = true;
    }
    return copy;
}

Hash Sha256::of(std::string_view bytes) {
    CHECK(!state_->begun);
    add(bytes);
    return finish();
}

}  // namespace cellblock::observe
