// Jupyter messages on the wire (Jupyter client documentation, "Messaging in Jupyter", protocol 5.4):
//   identities … | <IDS|MSG> | signature | header | parent_header | metadata | content | buffers …
// decode() verifies the signature before it looks into anything; what it returns are the bytes of the four JSON
// parts, validated, plus the few header fields that the kernel itself needs.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cellblock::protocol {

// Bounds of one incoming message; beyond them it is dropped before it is copied.
inline constexpr size_t kMaxIdentities = 8;
inline constexpr size_t kMaxIdentitySize = 1024;
inline constexpr size_t kMaxBuffers = 1024;
inline constexpr Bytes kMaxHeaderPart = 64_KiB;     ///< header and parent header, each
inline constexpr Bytes kMaxMessage = 256_MiB;       ///< all frames together

/// A message as its parts. JSON parts are texts of one JSON object each.
struct Message {
    std::vector<std::string> identities;
    std::string header;
    std::string parent_header = "{}";
    std::string metadata = "{}";
    std::string content = "{}";
    std::vector<std::string> buffers;
};

/// A received message: the parts and the header fields that routing needs.
struct Request : Message {
    std::string msg_id;
    std::string msg_type;
    std::string session;     ///< may be empty
    std::string subshell_id; ///< header's subshell_id, empty when absent or null (JEP 91)
};

/// Signs and verifies with HMAC-SHA256 (OpenSSL EVP_MAC). An empty key means that nothing is signed and the
/// signature frame is empty, as Jupyter does it. Used by one thread at a time; contexts are copied, so it is cheap.
class Signer {
  public:
    static Result<Signer> create(std::string_view key);
    Signer(Signer&&) noexcept;
    Signer& operator=(Signer&&) noexcept;
    ~Signer();

    [[nodiscard]] bool enabled() const;
    /// 64 lower-case hexadecimal digits over header, parent_header, metadata, content; "" without a key.
    [[nodiscard]] std::string sign(const std::array<std::string_view, 4>& parts) const;
    /// Constant-time comparison.
    [[nodiscard]] bool verify(const std::array<std::string_view, 4>& parts, std::string_view signature) const;

  private:
    struct State;
    explicit Signer(State* state);
    State* state_;
};

/// Remembers the signatures of the newest messages: a signed message that comes a second time is a replay. Bounded.
class ReplayWindow {
  public:
    static constexpr size_t kSize = 65536;
    /// False when `signature` was seen within the last kSize messages. Empty signatures (no key) always pass.
    bool admit(std::string_view signature);

  private:
    std::vector<std::string> ring_;
    size_t next_ = 0;
    struct Seen;
    // See message.cpp: a set over the ring's entries.
    std::vector<uint64_t> table_;
};

/// Frame list → Request. Order of checks: sizes and counts, delimiter, signature, replay, JSON, header fields.
/// `frames` stay the caller's. Errors are for the log: they quote nothing of the message.
Result<Request> decode(std::span<const std::string_view> frames, const Signer& signer, ReplayWindow& replays);

/// Message → frames ready to send, in wire order.
std::vector<std::string> encode(Message message, const Signer& signer);

/// The kernel's own headers: unique ids, this session's id, ISO 8601 dates with microseconds and Z.
class HeaderFactory {
  public:
    /// `session` is this kernel process's session id (a UUID), `username` as in replies ("kernel" in ipykernel: "username").
    HeaderFactory(std::string session, std::string username);
    /// Thread-safe. `msg_type` must need no escaping.
    std::string make(std::string_view msg_type);
    [[nodiscard]] const std::string& session() const { return session_; }

  private:
    std::string session_;
    std::string prefix_;
    std::string suffix_;
    uint64_t count_ = 0;
};

/// A random (version 4) UUID from getrandom(2), e.g. "1c8e…-…".
std::string random_uuid();

}  // namespace cellblock::protocol
