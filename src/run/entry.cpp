#include "run/entry.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/sys.hpp"
#include "run/store.hpp"

namespace cellblock::run {
namespace {

constexpr size_t kMaxHeader = 256;
constexpr size_t kChunk = size_t{64} << 10U;

std::string header(std::string_view kind, std::string_view key, std::string_view bytes) {
    std::string line(kStoreFormat);
    line.append(" ").append(kind).append(" ").append(key);
    return line + " " + std::to_string(bytes.size()) + " " + std::to_string(checksum(bytes)) + "\n";
}

/// From `offset` on; false when there is less than `size`.
bool read_at(int fd, off_t offset, char* bytes, size_t size) {
    while (size > 0) {
        const ssize_t n = ::pread(fd, bytes, size, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        size -= static_cast<size_t>(n);
        offset += n;
    }
    return true;
}

}  // namespace

uint64_t checksum(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

std::optional<uint64_t> checksum_of(int fd, uint64_t size) {
    // Not mapped: a file that somebody cuts short meanwhile would end us.
    const std::unique_ptr<char[]> chunk(new char[kChunk]);
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (uint64_t at = 0; at < size; at += kChunk) {
        const size_t n = std::min<uint64_t>(kChunk, size - at);
        if (!read_at(fd, static_cast<off_t>(at), chunk.get(), n)) return std::nullopt;
        XXH3_64bits_update(&state, chunk.get(), n);
    }
    return XXH3_64bits_digest(&state);
}

Result<void> write_new(const std::string& path, std::initializer_list<std::string_view> parts, mode_t mode) {
    const UniqueFd fd = TRY(sys::open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    for (const std::string_view part : parts) TRY(sys::write_all(fd.get(), part));
    if (mode != 0600 && ::fchmod(fd.get(), mode) != 0) return errno_error("set the mode of " + path);
    return {};
}

Result<void> write_entry(const std::string& path, std::string_view kind, std::string_view key,
                         std::string_view bytes) {
    return write_new(path, {header(kind, key, bytes), bytes});
}

std::optional<std::string> read_entry(const std::string& path, std::string_view kind, std::string_view key) {
    const auto fd = sys::open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const auto size = static_cast<uint64_t>(status.st_size);
    std::array<char, kMaxHeader> start;
    const size_t known = std::min<uint64_t>(size, start.size());
    if (!read_at(fd->get(), 0, start.data(), known)) return std::nullopt;
    const std::string_view text(start.data(), known);
    const size_t line = text.find('\n') + 1;
    if (line == 0 || size - line > kMaxStoreEntry.count) return std::nullopt;
    std::string bytes(size - line, '\0');
    if (!read_at(fd->get(), static_cast<off_t>(line), bytes.data(), bytes.size())) return std::nullopt;
    if (text.substr(0, line) != header(kind, key, bytes)) return std::nullopt;
    ::futimens(fd->get(), nullptr);  // a failure makes it look less recently used
    return bytes;
}

}  // namespace cellblock::run
