// ShownPaths: which host paths a jail must show at their own names so that an environment works inside, and
// which ones are refused because they would show more than an environment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cellblock::session {

/// True when `path` is `directory` or lies below it, by name. Both absolute, without "." and "..".
bool is_below(std::string_view path, std::string_view directory);

class ShownPaths {
  public:
    /// `homes` are directories of people: they and what contains them are refused.
    explicit ShownPaths(std::vector<std::string> homes) : homes_(std::move(homes)) {}

    /// Shows the existing `path` under the name given and under its real name. Refuses directories that hold
    /// more than an environment.
    Result<void> show(const std::string& path);
    /// True when the file or directory that `path` leads to is visible.
    [[nodiscard]] bool shows(const std::string& path) const;
    /// True when every symlink on the way from `path` to its end is visible, so that the jail resolves it as
    /// we do.
    [[nodiscard]] bool resolves(const std::string& path) const;
    /// What to mount; nothing twice, nothing of the base system.
    [[nodiscard]] std::vector<std::string> mounts() const;

  private:
    [[nodiscard]] bool covers(std::string_view path) const;
    [[nodiscard]] std::string first_hidden_name(const std::string& path) const;
    [[nodiscard]] Result<void> check(const std::string& directory) const;

    std::vector<std::string> homes_;
    std::vector<std::string> paths_;
};

}  // namespace cellblock::session
