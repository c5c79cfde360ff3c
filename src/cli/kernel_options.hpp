// The options that shape a kernel's jail, made from the table of settings: `cellblock kernel` obeys them,
// `cellblock install` checks and records them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "profile/layers.hpp"

namespace CLI {
class App;
}

namespace cellblock::cli {

/// Adds them all to `app`, below the heading `group` of its help. `take_setting` gets each setting given,
/// after its value has been checked; `take_profile` what --profile says.
void declare_kernel_options(
    CLI::App& app, const std::string& group,
    const std::function<void(const profile::Setting& setting, const std::string& text)>& take_setting,
    const std::function<void(const std::string& text)>& take_profile);

/// The names of all of them, for recognizing misspelt ones.
std::vector<std::string_view> kernel_option_flags();

/// What `cellblock kernel` takes from these arguments for its settings. The error says what is wrong with
/// them.
Result<profile::Arguments> read_kernel_arguments(const std::vector<std::string>& arguments);

}  // namespace cellblock::cli
