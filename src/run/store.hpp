// Store: what is kept between runs of programs, in a directory of the user's: built programs, results that
// may be repeated, and what toolchains need once (Preparation). Whatever is in it can be made again, so
// nothing of it is trusted to be there or to be whole: an entry that is damaged is dropped.
//
// Any number of processes use one directory at the same time. An entry appears at once, whole, or not at all.
// No jail ever writes here but a preparation in its own new directory, and none sees more than one entry,
// read-only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/user_directories.hpp"
#include "run/program.hpp"

namespace cellblock::run {

/// Everything together; what was used least recently goes first.
inline constexpr Bytes kMaxStore = 2_GiB;
inline constexpr size_t kMaxStoreEntries = 4096;
/// One entry: what a build may leave, and what a preparation may.
inline constexpr Bytes kMaxStoreEntry = 512_MiB;
inline constexpr size_t kMaxPreparedFiles = 20'000;

/// A preparation that is shown to jails; it stays while this lives.
struct Prepared {
    std::string directory;  ///< absolute
    UniqueFd use;           ///< holds off its removal
};

/// What a build has left.
struct KeptProgram {
    struct Shown {
        std::string source;  ///< absolute
        std::string path;    ///< as File::path
    };
    std::vector<Shown>
        programs;             ///< the executable files, to be shown where they were: reading is not copying
    std::vector<File> files;  ///< the others
    UniqueFd use;             ///< holds off its removal
};

/// The name of an entry: no other parts, in another order or cut elsewhere, have the same. Every key is of
/// this version of Cellblock.
std::string store_key(std::span<const std::string_view> parts);

class Store {
  public:
    /// Makes the directory when it is not there. Refuses one that somebody else owns or can write, or that
    /// everybody can exchange. Removes what a run that was killed has left unfinished.
    static Result<Store> open(const std::string& directory, Bytes most = kMaxStore);
    /// $XDG_CACHE_HOME/cellblock, or below ~/.cache. An error when neither variable says where.
    static Result<std::string> default_directory(const Variables& variable);

    /// The bytes that were kept; nothing when there are none, or none that are whole.
    [[nodiscard]] std::optional<std::string> result(const std::string& key) const;
    /// Replaces what was there. Larger than kMaxStoreEntry: an error.
    Result<void> keep_result(const std::string& key, std::string_view bytes) const;

    /// Likewise, of a build. Everything of it is made by whoever has written the program.
    [[nodiscard]] std::optional<KeptProgram> program(const std::string& key) const;
    /// What is there already stays.
    Result<void> keep_program(const std::string& key, std::span<const File> files) const;

    /// What `make` has left in the new, empty directory that it was given: now, or at some earlier time. One
    /// process makes, the others wait for it; `stop_fd` (-1: none) ends the wait when it is readable.
    Result<Prepared> prepared(const std::string& key,
                              const std::function<Result<void>(const std::string& directory)>& make,
                              int stop_fd = -1) const;

    /// For whom what was prepared has not served: whether that is because it is not what was left there once.
    /// Then it is gone, and the next prepared() makes it again.
    [[nodiscard]] bool drop_if_damaged(const std::string& key, Prepared used) const;

    /// Removes what is too much. keep_…() and prepared() do so by themselves.
    void trim() const;
    [[nodiscard]] const std::string& directory() const { return directory_; }

  private:
    Store(std::string directory, Bytes most) : directory_(std::move(directory)), most_(most) {}
    [[nodiscard]] std::string path_of(std::string_view kind, const std::string& name) const;
    [[nodiscard]] std::optional<Prepared> find_prepared(const std::string& key) const;

    std::string directory_;
    Bytes most_;
};

/// Files as the bytes of one entry, and back.
std::string pack(std::span<const File> files);
Result<std::vector<File>> unpack(std::string_view bytes);

}  // namespace cellblock::run
