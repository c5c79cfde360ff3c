#include "run/sealed_tree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <vector>

#include "observe/hash.hpp"
#include "run/store.hpp"

namespace cellblock::run {

namespace fs = std::filesystem;

Result<Bytes> seal(const fs::path& tree) {
    uint64_t total = 0;
    size_t count = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(tree, error), end; !error && entry != end;
         entry.increment(error)) {
        const fs::file_status status = entry->symlink_status(error);
        if (error) break;
        const bool is_file = fs::is_regular_file(status);
        if (!is_file && !fs::is_directory(status))
            return Error("a preparation has left something that is no file: " + entry->path().string());
        if (is_file) total += entry->file_size(error);
        if (++count > kMaxPreparedFiles || total > kMaxStoreEntry.count)
            return Error("a preparation has left more than " + std::to_string(kMaxPreparedFiles) +
                         " files or " + to_text(kMaxStoreEntry));
        const bool is_program = is_file && (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
        fs::permissions(entry->path(),
                        static_cast<fs::perms>(!is_file     ? 0755
                                               : is_program ? 0555
                                                            : 0444),
                        error);
    }
    if (!error) fs::permissions(tree, static_cast<fs::perms>(0755), error);
    if (error) return Error("look at what a preparation has left in " + tree.string(), error.value());
    return Bytes{total};
}

std::string fingerprint_of(const fs::path& tree) {
    std::vector<std::string> lines;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(tree, error), end; !error && entry != end;
         entry.increment(error)) {
        struct stat status {};
        if (::lstat(entry->path().c_str(), &status) != 0) return "";
        std::string line = entry->path().lexically_relative(tree).string();
        if (S_ISREG(status.st_mode))
            for (const auto number :
                 {static_cast<int64_t>(status.st_size), static_cast<int64_t>(status.st_mtim.tv_sec),
                  static_cast<int64_t>(status.st_mtim.tv_nsec)})
                line += " " + std::to_string(number);
        lines.push_back(std::move(line));
        if (lines.size() > kMaxPreparedFiles) return "";
    }
    if (error) return "";
    std::ranges::sort(lines);
    observe::Sha256 hash;
    for (const std::string& line : lines) hash.add(line + "\n");
    return observe::to_hex(hash.finish());
}

}  // namespace cellblock::run
