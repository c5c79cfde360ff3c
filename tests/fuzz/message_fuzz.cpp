// Jupyter messages: nothing without a valid signature gets in, what gets in is unchanged and fit for routing,
// and it gets in once. The first byte: bit 0, the kernel has a key; bit 1, the message is given a valid
// signature. The rest are the frames, one a line.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "input.hpp"
#include "protocol/json_scan.hpp"
#include "protocol/message.hpp"

namespace cellblock::protocol {
namespace {

const Signer& signer(bool with_key) {
    static const Signer key("key");
    static const Signer none("");
    return with_key ? key : none;
}

/// Puts the right signature, kept in `signature`, behind the delimiter. False when there is nothing to sign.
bool sign(std::vector<std::string_view>& frames, std::string& signature) {
    const auto delimiter = std::find(frames.begin(), frames.end(), "<IDS|MSG>");
    if (frames.end() - delimiter < 6) return false;
    signature = signer(true).sign({delimiter[2], delimiter[3], delimiter[4], delimiter[5]});
    delimiter[1] = signature;
    return true;
}

void check_request(const Request& request) {
    CHECK(check_json_object(request.header).ok());
    for (const std::string* part : {&request.parent_header, &request.metadata, &request.content})
        CHECK(check_json_object(*part, kMaxJsonDepth, JsonDialect::lenient).ok());
    CHECK(!request.msg_id.empty() && request.msg_id.size() <= kMaxNameSize);
    CHECK(!request.msg_type.empty() && request.msg_type.size() <= kMaxNameSize);
    CHECK(request.msg_type.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    // A second opinion; it refuses numbers beyond a double, which we let pass.
    const auto header = nlohmann::json::parse(request.header, nullptr, false);
    if (header.is_discarded()) return;
    CHECK(header.at("msg_id").get<std::string>() == request.msg_id);
}

}  // namespace
}  // namespace cellblock::protocol

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace cellblock::protocol;
    if (size == 0) return 0;
    const bool with_key = (data[0] & 1) != 0;
    std::vector<std::string_view> frames =
        cellblock::fuzz::lines_of(cellblock::fuzz::as_text(data + 1, size - 1));
    std::string signature;
    if ((data[0] & 2) != 0 && !sign(frames, signature)) return 0;

    ReplayWindow replays;
    const auto request = decode(frames, signer(with_key), replays);
    if (!request) return 0;
    check_request(*request);
    CHECK(decode(frames, signer(with_key), replays).ok() == !with_key);

    // With a key this says too that the signature was right.
    const std::vector<std::string> encoded = encode(*request, signer(with_key));
    CHECK(encoded.size() == frames.size());
    for (size_t i = 0; i < frames.size(); ++i)
        CHECK(encoded[i] == frames[i] || (!with_key && i == request->identities.size() + 1));
    return 0;
}
