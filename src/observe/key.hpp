// The Ed25519 keys that sign checkpoints. The private key lies in a directory of the user's configuration,
// which no jail shows; public keys lie beside it, one file for each key there ever was, and may be given to
// anybody.
//
// KEYS/key.pem          private, PKCS #8, mode 0600
// KEYS/<id>.pub.pem     public, SubjectPublicKeyInfo; the id is the first 16 hexadecimal digits of the
// SHA-256 of the
//                       raw public key
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cellblock::observe {

/// 32 bytes, as RFC 8032 has them.
using KeyBytes = std::array<unsigned char, 32>;

class SigningKey {
  public:
    /// Makes a key in `directory` (created with mode 0700). Fails when there is one, unless `replace`: the
    /// public part of the old one is kept, so that its checkpoints can still be checked.
    static Result<SigningKey> create(const std::string& directory, bool replace);
    /// Nothing when there is none. A key that others can read or that cannot be read is an error.
    static Result<std::optional<SigningKey>> load(const std::string& directory);

    ~SigningKey();
    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;

    [[nodiscard]] const std::string& id() const { return id_; }
    /// 128 hexadecimal digits (RFC 8032).
    [[nodiscard]] std::string sign(std::string_view message) const;

  private:
    explicit SigningKey(const KeyBytes& secret);

    KeyBytes secret_;  ///< overwritten when it is not needed any more
    KeyBytes public_;
    std::string id_;
};

/// The public keys that are trusted.
class PublicKeys {
  public:
    /// All of a keys directory; none when there is no such directory.
    static Result<PublicKeys> load(const std::string& directory);
    Result<void> add_file(const std::string& path);

    [[nodiscard]] bool empty() const { return keys_.empty(); }
    [[nodiscard]] bool knows(const std::string& id) const;
    [[nodiscard]] bool verify(const std::string& id, std::string_view message,
                              std::string_view signature) const;

  private:
    std::map<std::string, KeyBytes> keys_;
};

}  // namespace cellblock::observe
