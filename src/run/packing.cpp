// Files as bytes: of each a flag, two lengths, its path and its content.
#include <bit>
#include <cstring>

#include "run/store.hpp"

namespace cellblock::run {
namespace {

static_assert(std::endian::native == std::endian::little,
              "entries are of one machine, and ours are of this kind");

void append_number(std::string& out, uint64_t number) {
    out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// Takes from the front of what is left.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : left_(bytes) {}

    std::optional<uint64_t> number() {
        uint64_t value = 0;
        if (left_.size() < sizeof value) return std::nullopt;
        std::memcpy(&value, left_.data(), sizeof value);
        left_.remove_prefix(sizeof value);
        return value;
    }
    std::optional<std::string> text() {
        const auto size = number();
        if (!size || *size > left_.size()) return std::nullopt;
        std::string result(left_.substr(0, *size));
        left_.remove_prefix(*size);
        return result;
    }
    [[nodiscard]] bool at_end() const { return left_.empty(); }

  private:
    std::string_view left_;
};

}  // namespace

std::string pack(std::span<const File> files) {
    std::string out;
    size_t size = sizeof(uint64_t);
    for (const File& file : files) size += 3 * sizeof(uint64_t) + file.path.size() + file.content.size();
    out.reserve(size);
    append_number(out, files.size());
    for (const File& file : files) {
        append_number(out, file.is_executable ? 1 : 0);
        append_number(out, file.path.size());
        out += file.path;
        append_number(out, file.content.size());
        out += file.content;
    }
    return out;
}

Result<std::vector<File>> unpack(std::string_view bytes) {
    const Error damaged("packed files are damaged");
    Reader reader(bytes);
    const auto count = reader.number();
    if (!count || *count > kMaxFiles) return damaged;
    std::vector<File> files;
    for (uint64_t i = 0; i < *count; ++i) {
        const auto is_executable = reader.number();
        auto path = reader.text();
        auto content = reader.text();
        if (!is_executable || !path || !content) return damaged;
        files.push_back({*std::move(path), *std::move(content), *is_executable != 0});
    }
    if (!reader.at_end()) return damaged;
    return files;
}

}  // namespace cellblock::run
