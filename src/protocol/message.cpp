// Jupyter messages: the codec, signatures, the replay window, headers. Nothing in here parses a byte of a
// message whose signature has not been verified.
#include "protocol/message.hpp"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>

#include "base/hex.hpp"
#include "protocol/frame.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::protocol {
namespace {

constexpr std::string_view kDelimiter = "<IDS|MSG>";
constexpr size_t kJsonParts = 4;
constexpr size_t kDigestSize = 32;
constexpr size_t kSignatureSize = 2 * kDigestSize;
constexpr size_t kMaxHeaderMembers = 256;

// Every message that decode() lets in fits into one frame to the worker: header, metadata, content and
// buffers.
static_assert(kMaxBuffers + 3 <= kMaxFrameParts);
static_assert(kMaxMessage <= kMaxFrameBody);

/// The frames of a message, told apart but not looked into.
struct Split {
    std::span<const std::string_view> identities;
    std::string_view signature;
    std::array<std::string_view, kJsonParts> json;  ///< header, parent header, metadata, content
    std::span<const std::string_view> buffers;
};

Result<Split> split(std::span<const std::string_view> frames) {
    uint64_t size = 0;
    for (const std::string_view frame : frames) size += frame.size();
    if (size > kMaxMessage.count)
        return Error("a message of " + to_text(Bytes{size}) + ", at most " + to_text(kMaxMessage) +
                     " are allowed");

    const auto searched = frames.first(std::min(frames.size(), kMaxIdentities + 1));
    const auto delimiter = std::find(searched.begin(), searched.end(), kDelimiter);
    if (delimiter == searched.end()) return Error("no <IDS|MSG> delimiter after at most 8 identities");
    const auto at = static_cast<size_t>(delimiter - searched.begin());
    const auto identities = frames.first(at);
    const auto is_long = [](std::string_view identity) { return identity.size() > kMaxIdentitySize; };
    if (std::any_of(identities.begin(), identities.end(), is_long))
        return Error("an identity of more than 1,024 bytes");

    const auto rest = frames.subspan(at + 1);
    if (rest.size() < 1 + kJsonParts)
        return Error(std::to_string(rest.size()) + " frames after the delimiter, at least 5 are expected");
    Split message{identities, rest[0], {rest[1], rest[2], rest[3], rest[4]}, rest.subspan(1 + kJsonParts)};
    if (message.buffers.size() > kMaxBuffers)
        return Error(std::to_string(message.buffers.size()) + " buffers, at most " +
                     std::to_string(kMaxBuffers) + " are allowed");
    if (message.json[0].size() > kMaxHeaderPart.count || message.json[1].size() > kMaxHeaderPart.count)
        return Error("a header of more than " + to_text(kMaxHeaderPart));
    return message;
}

Result<void> check_json(const std::array<std::string_view, kJsonParts>& parts) {
    static constexpr std::array<const char*, kJsonParts> kNames{"header", "parent_header", "metadata",
                                                                "content"};
    for (size_t i = 0; i < kJsonParts; ++i) {
        const auto dialect = i == 0 ? JsonDialect::strict : JsonDialect::lenient;
        if (auto checked = check_json_object(parts[i], kMaxJsonDepth, dialect); !checked)
            return std::move(checked).error().context(kNames[i]);
    }
    return {};
}

/// A string of the header; "" when it is absent or null.
Result<std::string> optional_name(const std::vector<JsonMember>& header, const std::string& name) {
    const auto value = find_member(header, name);
    if (!value || *value == "null") return std::string();
    auto text = as_string(*value);
    if (!text || text->size() > kMaxNameSize)
        return Error("header: \"" + name + "\" is no string of at most 256 bytes");
    return *std::move(text);
}

Result<std::string> required_name(const std::vector<JsonMember>& header, const std::string& name) {
    std::string text = TRY(optional_name(header, name));
    if (text.empty()) return Error("header: \"" + name + "\" is missing or empty");
    return text;
}

Result<Request> read_header(std::string_view text) {
    const std::vector<JsonMember> header = TRY(scan_object(text, kMaxHeaderMembers));
    Request request;
    request.msg_id = TRY(required_name(header, "msg_id"));
    request.msg_type = TRY(required_name(header, "msg_type"));
    // It becomes part of the kernel's own headers and frames, where it must need no escaping.
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    if (!std::all_of(request.msg_type.begin(), request.msg_type.end(), allowed))
        return Error("header: \"msg_type\" has characters other than a-z and _");
    request.session = TRY(optional_name(header, "session"));
    request.subshell_id = TRY(optional_name(header, "subshell_id"));
    return request;
}

/// `value` in exactly `width` digits.
void append_padded(std::string& out, uint64_t value, size_t width) {
    const size_t end = out.size() + width;
    out.resize(end, '0');
    for (size_t i = 1; i <= width; ++i, value /= 10) out[end - i] = static_cast<char>('0' + value % 10);
}

/// "2026-11-21T08:02:39.809967Z". Arithmetic only: strftime and gmtime take a lock and read the time zone.
void append_date(std::string& out, std::chrono::system_clock::time_point now) {
    using namespace std::chrono;
    const auto day = floor<days>(now);
    const year_month_day date(day);
    const hh_mm_ss time(floor<microseconds>(now - day));
    append_padded(out, static_cast<uint64_t>(static_cast<int>(date.year())), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    append_padded(out, static_cast<uint64_t>(time.hours().count()), 2);
    out += ':';
    append_padded(out, static_cast<uint64_t>(time.minutes().count()), 2);
    out += ':';
    append_padded(out, static_cast<uint64_t>(time.seconds().count()), 2);
    out += '.';
    append_padded(out, static_cast<uint64_t>(time.subseconds().count()), 6);
    out += 'Z';
}

}  // namespace

/// The key, padded and hashed, from which each signature goes on.
struct Signer::State {
    hmac_sha256_ctx keyed;
};

Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;
Signer::~Signer() = default;

Signer::Signer(std::string_view key) {
    if (key.empty()) return;
    state_ = std::make_unique<State>();
    ::nettle_hmac_sha256_set_key(&state_->keyed, key.size(), reinterpret_cast<const uint8_t*>(key.data()));
}

bool Signer::enabled() const {
    return state_ != nullptr;
}

std::string Signer::sign(const std::array<std::string_view, 4>& parts) const {
    if (!enabled()) return "";
    hmac_sha256_ctx context = state_->keyed;
    for (const std::string_view part : parts)
        ::nettle_hmac_sha256_update(&context, part.size(), reinterpret_cast<const uint8_t*>(part.data()));
    std::array<unsigned char, kDigestSize> digest;
    ::nettle_hmac_sha256_digest(&context, digest.size(), digest.data());
    std::string text;
    text.reserve(kSignatureSize);
    for (const unsigned char byte : digest) append_hex(text, byte);
    return text;
}

bool Signer::verify(const std::array<std::string_view, 4>& parts, std::string_view signature) const {
    if (!enabled()) return true;
    if (signature.size() != kSignatureSize) return false;
    return ::nettle_memeql_sec(sign(parts).data(), signature.data(), kSignatureSize) == 1;
}

bool ReplayWindow::admit(std::string_view signature) {
    if (signature.empty()) return true;
    const Digest digest = digest_of(signature);
    if (!table_.empty() && table_[find(digest)] != 0) return false;
    if (ring_.size() < kSize) {
        ring_.push_back(digest);
        grow();
        insert(ring_.size() - 1);
    } else {
        erase(ring_[oldest_]);
        ring_[oldest_] = digest;
        insert(oldest_);
        oldest_ = (oldest_ + 1) % kSize;
    }
    return true;
}

ReplayWindow::Digest ReplayWindow::digest_of(std::string_view signature) {
    CHECK(signature.size() == kSignatureSize);
    Digest digest{};
    for (size_t i = 0; i < digest.size(); ++i) {
        const char* const first = signature.data() + 16 * i;
        const auto [rest, error] = std::from_chars(first, first + 16, digest[i], 16);
        CHECK(error == std::errc{} && rest == first + 16);
    }
    return digest;
}

/// The slot that refers to `digest`, else the free slot where it belongs.
size_t ReplayWindow::find(const Digest& digest) const {
    const size_t mask = table_.size() - 1;
    // Signatures are as good as random: their bits are the hash. At most half of the slots are taken.
    for (size_t slot = digest[0] & mask;; slot = (slot + 1) & mask)
        if (table_[slot] == 0 || ring_[table_[slot] - 1] == digest) return slot;
}

void ReplayWindow::insert(size_t entry) {
    table_[find(ring_[entry])] = static_cast<uint32_t>(entry + 1);
}

void ReplayWindow::erase(const Digest& digest) {
    const size_t mask = table_.size() - 1;
    size_t hole = find(digest);
    // Entries behind the hole that only got there because its slot was taken move up, or find() would miss
    // them.
    for (size_t slot = (hole + 1) & mask; table_[slot] != 0; slot = (slot + 1) & mask) {
        const size_t home = ring_[table_[slot] - 1][0] & mask;
        if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
        table_[hole] = table_[slot];
        hole = slot;
    }
    table_[hole] = 0;
}

/// Keeps at least half of the slots free, for a ring whose last entry is not in the table yet.
void ReplayWindow::grow() {
    if (2 * ring_.size() <= table_.size()) return;
    table_.assign(std::max<size_t>(64, 2 * table_.size()), 0);
    for (size_t entry = 0; entry + 1 < ring_.size(); ++entry) insert(entry);
}

Result<Request> decode(std::span<const std::string_view> frames, const Signer& signer,
                       ReplayWindow& replays) {
    const Split message = TRY(split(frames));
    if (signer.enabled()) {
        if (message.signature.empty()) return Error("an unsigned message");
        if (!signer.verify(message.json, message.signature)) return Error("a wrong signature");
        if (!replays.admit(message.signature)) return Error("a replay: this signature was seen before");
    }
    TRY(check_json(message.json));
    Request request = TRY(read_header(message.json[0]));
    request.identities.assign(message.identities.begin(), message.identities.end());
    request.header = message.json[0];
    request.parent_header = message.json[1];
    request.metadata = message.json[2];
    request.content = message.json[3];
    request.buffers.assign(message.buffers.begin(), message.buffers.end());
    return request;
}

std::vector<std::string> encode(Message message, const Signer& signer) {
    std::vector<std::string> frames = std::move(message.identities);
    frames.reserve(frames.size() + 2 + kJsonParts + message.buffers.size());
    frames.emplace_back(kDelimiter);
    frames.push_back(signer.sign({message.header, message.parent_header, message.metadata, message.content}));
    frames.push_back(std::move(message.header));
    frames.push_back(std::move(message.parent_header));
    frames.push_back(std::move(message.metadata));
    frames.push_back(std::move(message.content));
    std::move(message.buffers.begin(), message.buffers.end(), std::back_inserter(frames));
    return frames;
}

HeaderFactory::HeaderFactory(const std::string& session, const std::string& username) : session_(session) {
    const std::string literal = json_string(session);
    before_number_ =
        "{\"msg_id\": " + literal.substr(0, literal.size() - 1) + "_" + std::to_string(::getpid()) + "_";
    before_date_ =
        "\", \"username\": " + json_string(username) + ", \"session\": " + literal + ", \"date\": \"";
}

std::string HeaderFactory::make(std::string_view msg_type) {
    std::string header;
    header.reserve(before_number_.size() + before_date_.size() + msg_type.size() + 96);
    header += before_number_;
    // Relaxed: only the numbers must differ, nothing is published through them.
    header += std::to_string(count_.fetch_add(1, std::memory_order_relaxed));
    header += "\", \"msg_type\": \"";
    header += msg_type;
    header += before_date_;
    append_date(header, std::chrono::system_clock::now());
    header += "\", \"version\": \"5.4\"}";
    return header;
}

std::string timestamp() {
    std::string text;
    append_date(text, std::chrono::system_clock::now());
    return text;
}

std::string random_uuid() {
    std::array<unsigned char, 16> bytes;
    ssize_t taken = 0;
    do taken = ::getrandom(bytes.data(), bytes.size(), 0);
    while (taken < 0 && errno == EINTR);
    // Up to 256 bytes come whole or not at all, and there is no kernel that we run on without the call.
    CHECK(taken == static_cast<ssize_t>(bytes.size()));
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);  // version 4: random
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);  // the variant of RFC 4122
    std::string text;
    for (size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        append_hex(text, bytes[i]);
    }
    return text;
}

}  // namespace cellblock::protocol
