// Frames between kernel and worker: docs/worker-protocol.md in code. Everything that comes up is hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cellblock::protocol {

inline constexpr int kWorkerProtocolVersion = 1;
inline constexpr size_t kMaxFrameHeader = 65536;
inline constexpr size_t kMaxFrameParts = 1024;
inline constexpr Bytes kMaxFrameBody = 256_MiB;
inline constexpr uint64_t kMaxRequestId = uint64_t{1} << 53;

/// What the worker may send.
enum class UpType { hello, publish, reply, input, awaits };

enum class ReplyStatus { ok, error, aborted };

/// A frame from the worker, its header understood and checked against kFrameRules and its JSON parts
/// validated. Whether it may come *now* (ids, once-only) is the session's business.
struct UpFrame {
    UpType type = UpType::hello;
    uint64_t id = 0;       ///< reply, input, awaits: the request; publish: the parent, 0: none
    int protocol = 0;      ///< hello
    std::string digest;    ///< hello, [0-9a-z]{1,64}
    std::string msg_type;  ///< publish: one of the allowed types
    std::string topic;     ///< publish: may be empty; [A-Za-z0-9._-]
    ReplyStatus status = ReplyStatus::ok;  ///< reply
    bool exit = false;  ///< reply: the user asked to end the kernel (`exit()`); optional, false when absent
    /// hello: info · publish, reply: metadata, content, buffers … · input, awaits: content
    std::vector<std::string> parts;
};

/// Row of the table of what may come up; tests walk it.
struct FrameRule {
    UpType type;
    std::string_view name;
    size_t min_parts;
    size_t max_parts;
    size_t json_parts;  ///< how many of the leading parts must be JSON objects
    std::string_view reason;
};
const std::vector<FrameRule>& frame_rules();

/// Row of the table of what a `publish` frame may send to iopub; tests walk it.
struct PublishRule {
    std::string_view msg_type;
    std::string_view reason;
};
const std::vector<PublishRule>& publish_rules();

/// Bytes in, frames out. Holds at most one frame of kMaxFrameBody plus what one feed() brought; allocates for
/// a part only as its bytes arrive, so an announced length costs nothing. Every rule is checked as soon as
/// the bytes that break it are there. Call next() after each feed() until it has nothing.
class FrameReader {
  public:
    /// Appends bytes. After an error the reader is dead: the stream has no next frame boundary.
    Result<void> feed(std::string_view bytes);
    /// The next complete frame, or nothing yet. An error means that the frame broke a rule.
    Result<std::optional<UpFrame>> next();
    /// Bytes held, for budgets.
    [[nodiscard]] size_t buffered() const;
    /// How many bytes the frame under way still misses (at least; 0 when unknown): lets the caller read big
    /// parts at once.
    [[nodiscard]] size_t wanted() const;

  private:
    Result<bool> begin_frame();
    Result<void> fill_parts(std::string_view& bytes);
    Error die(Error error);
    [[nodiscard]] std::string_view unread() const { return std::string_view(buffer_).substr(consumed_); }
    void consume(size_t count);

    std::string buffer_;  ///< What no frame has taken yet, from consumed_ on
    size_t consumed_ = 0;

    std::optional<UpFrame> frame_;  ///< The frame under way, once its header is understood
    std::vector<size_t> part_sizes_;
    size_t json_parts_ = 0;
    size_t part_ = 0;  ///< The part that the next byte belongs to
    size_t body_size_ = 0;
    size_t body_held_ = 0;
    bool dead_ = false;
};

/// Header and parts → bytes of the fixed prefix and header; the parts follow as they are. `header` is a JSON
/// object. The bounds above must hold (CHECK): decode() of messages keeps requests within them.
std::string encode_frame_prefix(std::string_view header, const std::vector<std::string_view>& parts);

}  // namespace cellblock::protocol
