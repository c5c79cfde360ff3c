// Where a user's files lie: the XDG Base Directory Specification,
// https://specifications.freedesktop.org/basedir-spec/latest/
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"

namespace cellblock {

/// The value of an environment variable, empty when it is not set.
using Variables = std::function<std::string(const std::string& name)>;

/// This process's own.
std::string environment_variable(const std::string& name);

enum class UserDirectory { cache, config, data, state };

/// What the directory's variable names ($XDG_CACHE_HOME …), or its place in the home directory (~/.cache …).
/// Values that are relative count as not set, as the specification has it. An error when neither is known:
/// callers say in its context what they wanted there, and what else people can do.
Result<std::string> user_directory(UserDirectory which, const Variables& variable);

}  // namespace cellblock
