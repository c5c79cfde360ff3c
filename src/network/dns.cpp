// RFC 1035 as far as a query goes. Strict: names in queries are never compressed, and one question is all
// that anybody asks.
#include "network/dns.hpp"

#include <array>
#include <optional>

#include "base/endpoint.hpp"

namespace cellblock::network {
namespace {

constexpr size_t kHeaderSize = 12;
// In the second pair of bytes.
constexpr uint16_t kIsAnswer = 0x8000;
constexpr uint16_t kOperation = 0x7800;
constexpr uint16_t kTruncated = 0x0200;
constexpr uint16_t kRecursionDesired = 0x0100;
constexpr uint16_t kRecursionAvailable = 0x0080;

enum Code : uint16_t { no_error = 0, format_error = 1, no_such_name = 3, not_implemented = 4, refused = 5 };

constexpr uint16_t kTypeAddress = 1;
constexpr uint16_t kTypeAny = 255;
constexpr uint16_t kTypeOptions = 41;
constexpr uint16_t kClassInternet = 1;
constexpr uint16_t kNameOfQuestion = 0xc000 | kHeaderSize;
// RFC 8914: resolvers that show it tell people why.
constexpr uint16_t kExtendedError = 15;
constexpr uint16_t kProhibited = 18;

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    std::optional<uint8_t> byte() {
        if (at_ == bytes_.size()) return std::nullopt;
        return static_cast<uint8_t>(bytes_[at_++]);
    }
    std::optional<uint16_t> pair() {
        if (bytes_.size() - at_ < 2) return std::nullopt;
        const auto high = static_cast<uint8_t>(bytes_[at_]);
        const auto low = static_cast<uint8_t>(bytes_[at_ + 1]);
        at_ += 2;
        return static_cast<uint16_t>(high << 8U | low);
    }
    std::optional<std::string_view> text(size_t size) {
        if (bytes_.size() - at_ < size) return std::nullopt;
        at_ += size;
        return bytes_.substr(at_ - size, size);
    }
    [[nodiscard]] size_t at() const { return at_; }

  private:
    std::string_view bytes_;
    size_t at_ = 0;
};

struct Question {
    std::string name;  ///< lower case; a dot within a label as "\.", so that it is not one between two
    uint16_t type = 0;
    uint16_t question_class = 0;
};

void append_label(std::string& name, std::string_view label) {
    if (!name.empty()) name += '.';
    for (const char c : label) {
        if (c == '.' || c == '\\') name += '\\';
        name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
}

std::optional<Question> read_question(Reader& reader) {
    Question question;
    size_t length = 0;
    while (true) {
        const auto size = reader.byte();
        // Above 63 are pointers, with which a message could go round in circles, and what is reserved.
        if (!size || *size > kMaxHostLabel) return std::nullopt;
        if (*size == 0) break;
        length += *size + size_t{1};
        if (length > kMaxHostName + 1) return std::nullopt;
        const auto label = reader.text(*size);
        if (!label) return std::nullopt;
        append_label(question.name, *label);
    }
    const auto type = reader.pair();
    const auto question_class = reader.pair();
    if (!type || !question_class) return std::nullopt;
    question.type = *type;
    question.question_class = *question_class;
    return question;
}

/// Whether what follows the question is what clients add to say that they know EDNS (RFC 6891).
bool has_options(Reader reader, uint16_t records) {
    return records > 0 && reader.byte() == uint8_t{0} && reader.pair() == kTypeOptions;
}

class Writer {
  public:
    void pair(uint16_t value) {
        bytes_ += static_cast<char>(value >> 8U);
        bytes_ += static_cast<char>(value & 0xffU);
    }
    void word(uint32_t value) {
        pair(static_cast<uint16_t>(value >> 16U));
        pair(static_cast<uint16_t>(value & 0xffffU));
    }
    void text(std::string_view text) { bytes_ += text; }
    std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

struct Header {
    uint16_t id = 0;
    uint16_t flags = 0;
    std::array<uint16_t, 4> counts{};  ///< questions, answers, authorities, others
};

Writer begin_answer(const Header& query, Code code, uint16_t questions, uint16_t answers, uint16_t others) {
    Writer writer;
    writer.pair(query.id);
    writer.pair(static_cast<uint16_t>(kIsAnswer | kRecursionAvailable |
                                      (query.flags & (kOperation | kRecursionDesired)) | code));
    writer.pair(questions);
    writer.pair(answers);
    writer.pair(0);
    writer.pair(others);
    return writer;
}

void append_options(Writer& writer, bool is_prohibited) {
    writer.text(std::string_view("\0", 1));
    writer.pair(kTypeOptions);
    writer.pair(kMaxQuery);
    writer.word(0);
    writer.pair(is_prohibited ? 6 : 0);
    if (!is_prohibited) return;
    writer.pair(kExtendedError);
    writer.pair(2);
    writer.pair(kProhibited);
}

Code code_of(const Question& question, bool is_allowed) {
    if (question.question_class != kClassInternet) return refused;
    return is_allowed ? no_error : no_such_name;
}

}  // namespace

DnsAnswer answer_query(std::string_view query, const NameTable& names) {
    Reader reader(query);
    Header header;
    const auto id = reader.pair();
    const auto flags = reader.pair();
    if (!id || !flags || query.size() < kHeaderSize) return {};
    // An answer to an answer could go on for ever.
    if ((*flags & kIsAnswer) != 0) return {};
    header.id = *id;
    header.flags = *flags;
    for (uint16_t& count : header.counts) count = *reader.pair();

    const auto fail = [&](Code code) { return DnsAnswer{begin_answer(header, code, 0, 0, 0).take(), {}}; };
    if ((header.flags & kOperation) != 0) return fail(not_implemented);
    if (header.counts[0] != 1 || header.counts[1] != 0 || header.counts[2] != 0 ||
        (header.flags & kTruncated) != 0 || query.size() > kMaxQuery)
        return fail(format_error);
    const auto question = read_question(reader);
    if (!question) return fail(format_error);

    const auto allowed = names.find(question->name);
    const bool is_allowed = allowed != names.end();
    const Code code = code_of(*question, is_allowed);
    const bool has_address =
        code == no_error && (question->type == kTypeAddress || question->type == kTypeAny);
    const bool knows_options = has_options(reader, header.counts[3]);
    Writer writer = begin_answer(header, code, 1, has_address ? 1 : 0, knows_options ? 1 : 0);
    writer.text(query.substr(kHeaderSize, reader.at() - kHeaderSize));
    if (has_address) {
        writer.pair(kNameOfQuestion);
        writer.pair(kTypeAddress);
        writer.pair(kClassInternet);
        writer.word(kAnswerLife);
        writer.pair(sizeof(uint32_t));
        writer.word(allowed->second);
    }
    if (knows_options) append_options(writer, !is_allowed);
    return {writer.take(), is_allowed ? "" : question->name.empty() ? "." : question->name};
}

}  // namespace cellblock::network
