// Jupyter messages on the wire (Jupyter client documentation, "Messaging in Jupyter", protocol 5.4):
//   identities … | <IDS|MSG> | signature | header | parent_header | metadata | content | buffers …
// decode() verifies the signature before it looks into anything; what it returns are the bytes of the four
// JSON parts, validated, plus the few header fields that the kernel itself needs.
//
// The header is echoed to every front end as parent_header and is checked strictly; the other parts of a
// request go to the worker only and may contain what Python and JavaScript front ends really send
// (JsonDialect::lenient). So read them with scan_object, not with a library that rejects lone surrogates or
// NaN.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
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
inline constexpr size_t kMaxBuffers = 1020;      ///< with the JSON parts they fit into one worker frame
inline constexpr size_t kMaxNameSize = 256;      ///< msg_id, msg_type, session, subshell_id, each
inline constexpr Bytes kMaxHeaderPart = 64_KiB;  ///< header and parent header, each
inline constexpr Bytes kMaxMessage = 256_MiB;    ///< all frames together

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
    std::string msg_type;     ///< [a-z_]+
    std::string session;      ///< may be empty
    std::string subshell_id;  ///< header's subshell_id, empty when absent or null (JEP 91)
};

/// Signs and verifies with HMAC-SHA256 (Nettle). An empty key means that nothing is signed and the
/// signature frame is empty, as Jupyter does it. Any thread; below 1 µs for a small message.
class Signer {
  public:
    explicit Signer(std::string_view key);
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
    std::unique_ptr<State> state_;  ///< none without a key
};

/// Remembers the signatures of the newest messages: a signed message that comes a second time is a replay.
/// Bounded (2 MiB when full, next to nothing before), constant time a message.
class ReplayWindow {
  public:
    static constexpr size_t kSize = 65536;
    /// False when `signature`, which has been verified, was admitted within the last kSize messages. Empty
    /// signatures (no key) always pass.
    bool admit(std::string_view signature);

  private:
    // Half a signature: nobody without the key can choose it, and two of 2^128 do not meet by chance.
    using Digest = std::array<uint64_t, 2>;
    static Digest digest_of(std::string_view signature);
    [[nodiscard]] size_t find(const Digest& digest) const;
    void insert(size_t entry);
    void erase(const Digest& digest);
    void grow();

    std::vector<Digest> ring_;
    size_t oldest_ = 0;            ///< where the next one goes once the ring is full
    std::vector<uint32_t> table_;  ///< open addressing: index into ring_ plus one, 0 for a free slot
};

/// Frame list → Request. Order of checks: sizes and counts, delimiter, signature, replay, JSON, header
/// fields. `frames` stay the caller's. Errors are for the log: they quote nothing of the message. Without a
/// key the signature frame is not looked at, as Jupyter does it.
Result<Request> decode(std::span<const std::string_view> frames, const Signer& signer, ReplayWindow& replays);

/// Message → frames ready to send, in wire order.
std::vector<std::string> encode(Message message, const Signer& signer);

/// Now, as in headers and metadata: ISO 8601 in UTC with six digits of microseconds and Z.
std::string timestamp();

/// The kernel's own headers, as ipykernel writes them: unique ids ("<session>_<pid>_<n>"), this session's id,
/// ISO 8601 dates in UTC with six digits of microseconds and Z. Not copied: a copy would give ids a second
/// time.
class HeaderFactory {
  public:
    /// `session` is this kernel process's session id (a UUID).
    HeaderFactory(const std::string& session, const std::string& username);
    /// Thread-safe and cheap (well below 1 µs). `msg_type` must need no escaping.
    std::string make(std::string_view msg_type);
    [[nodiscard]] const std::string& session() const { return session_; }

  private:
    std::string session_;
    std::string before_number_;  ///< "<session>_<pid>_", with all that comes before the message's number
    std::string before_date_;    ///< what lies between message type and date
    std::atomic<uint64_t> count_ = 0;
};

/// A random (version 4) UUID from getrandom(2), e.g. "1c8e…-…".
std::string random_uuid();

}  // namespace cellblock::protocol
