// Directories of the host that programs get: volumes that somebody names, and workspaces that are kept
// between runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/user_directories.hpp"
#include "jail/jail.hpp"

namespace cellblock::run {

/// "SOURCE:TARGET", "SOURCE:TARGET:ro" or "SOURCE:TARGET:rw". The source's real path is taken; a home
/// directory as a whole, what contains one, and the system are refused, and so are targets that would cover
/// what every jail shows. None may hold what Cellblock itself keeps for its user: caches, workspaces,
/// profiles, records. One that takes writes is a directory. A file is Access::like_a_copy where that is
/// possible.
Result<jail::Mount> parse_volume(const std::string& text, const Variables& variable);

/// An error when a mount shows any of `directory`, which is `what`: no program may see, let alone write, what
/// Cellblock itself relies on.
Result<void> keep_apart(const jail::Mount& mount, const std::string& directory, const std::string& what);

/// Where workspaces appear inside.
inline constexpr const char* kWorkspace = "/workspace";

/// The workspaces of a user: directories below $XDG_DATA_HOME/cellblock/workspaces, or ~/.local/share
/// instead.
class Workspaces {
  public:
    static Result<Workspaces> open(const Variables& variable);

    /// Makes it when it is not there. [A-Za-z0-9._-]{1,64}, beginning with a letter or digit.
    [[nodiscard]] Result<jail::Mount> use(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> list() const;
    /// With all that is in it. One that is not there is an error.
    [[nodiscard]] Result<void> remove(const std::string& name) const;
    [[nodiscard]] std::string path_of(const std::string& name) const { return directory_ + "/" + name; }

  private:
    explicit Workspaces(std::string directory) : directory_(std::move(directory)) {}
    std::string directory_;
};

}  // namespace cellblock::run
