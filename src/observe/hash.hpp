// SHA-256, and how hashes are written in records: 64 lower-case hexadecimal digits.
#pragma once

#include <nettle/sha2.h>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cellblock::observe {

using Hash = std::array<unsigned char, 32>;

std::string to_hex(std::span<const unsigned char> bytes);
/// Exactly `out.size()` bytes, lower-case; false for everything else.
bool from_hex(std::string_view text, std::span<unsigned char> out);

/// One hash after the other; an object is used by one thread at a time. A copy goes on by itself.
class Sha256 {
  public:
    Sha256();

    void add(std::string_view bytes);
    /// The hash of all that was added; the next add() begins anew.
    Hash finish();
    /// Of what was added so far; the next add() goes on.
    [[nodiscard]] Hash so_far() const { return Sha256(*this).finish(); }
    static Hash of(std::string_view bytes);

  private:
    sha256_ctx context_;
};

}  // namespace cellblock::observe
