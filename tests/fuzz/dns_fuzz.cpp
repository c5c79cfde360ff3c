// DNS queries: whatever a jail sends to its name server, the answer is short, is about the query, and gives
// away only addresses of the table.
#include "base/check.hpp"
#include "input.hpp"
#include "network/dns.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace cellblock::network;
    static const NameTable names{{"a.example", 0xc6120001},
                                 {"long-name.of.several.labels.example", 0xc6120002}};
    const std::string_view query = cellblock::fuzz::as_text(data, size);
    const DnsAnswer answer = answer_query(query, names);
    const std::string& message = answer.message;
    CHECK(message.size() <= kMaxAnswer);
    CHECK(!names.contains(answer.refused_name));
    // A name's characters, each escaped.
    CHECK(answer.refused_name.size() <= size_t{2} * 255);
    if (message.empty()) {
        CHECK(answer.refused_name.empty());
        return 0;
    }
    CHECK(message.size() >= 12 && message.size() <= query.size() + 32);
    CHECK(message.substr(0, 2) == query.substr(0, 2));
    CHECK((static_cast<uint8_t>(message[2]) & 0x80U) != 0);
    // It never answers itself.
    CHECK(answer_query(message, names).message.empty());
    const int answers = message[7];
    CHECK(message[6] == 0 && (answers == 0 || (answers == 1 && answer.refused_name.empty())));
    return 0;
}
