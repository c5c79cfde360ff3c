// Connection files: any text is refused with a sentence or gives five different ports and endpoints that are
// one word.
#include <set>

#include "input.hpp"
#include "protocol/connection_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace cellblock::protocol;
    const auto file = parse_connection_file(std::string(cellblock::fuzz::as_text(data, size)), "fuzz");
    if (!file) {
        CHECK(!file.error().what().empty() && !file.error().remedy().empty());
        return 0;
    }
    const std::set<int> ports{file->shell_port, file->iopub_port, file->stdin_port, file->control_port,
                              file->hb_port};
    CHECK(ports.size() == 5 && *ports.begin() >= 1 && *ports.rbegin() <= 65535);
    const std::string endpoint = file->endpoint(file->shell_port);
    for (const char c : endpoint) CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
    if (file->transport == Transport::ipc) CHECK(endpoint.size() <= sizeof "ipc://" - 1 + 107);
    CHECK(file->signature_scheme == "hmac-sha256");
    CHECK(file->curve_publickey.size() == file->curve_secretkey.size());
    CHECK(file->curve_publickey.empty() || file->curve_publickey.size() == 40);
    return 0;
}
