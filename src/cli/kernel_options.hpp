// The options that shape a kernel's jail: `cellblock kernel` obeys them, `cellblock install` checks and
// records them.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "session/launch.hpp"

namespace CLI {
class App;
}

namespace cellblock::cli {

struct KernelOption {
    std::string_view flag;   ///< "--memory"
    std::string_view value;  ///< "SIZE"
    std::string_view meaning;
    std::string (*standard)();  ///< what holds when the option is not given
    Result<void> (*apply)(const std::string& text, session::LaunchOptions& options);
};
std::span<const KernelOption> kernel_options();

/// Adds all of them to `app`, below the heading `group` of its help; `take` gets each one given, after its
/// value has been checked.
void declare_kernel_options(
    CLI::App& app, const std::string& group,
    const std::function<void(const KernelOption& option, const std::string& text)>& take);

/// Would `cellblock kernel` accept these arguments? The error says what is wrong with them.
Result<void> check_kernel_arguments(const std::vector<std::string>& arguments);

/// "90s", "5m", "1.5h", "500ms"; "none" is zero.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string to_text(std::chrono::milliseconds duration);

}  // namespace cellblock::cli
