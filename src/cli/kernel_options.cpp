// From rows to options of CLI11.
#include "cli/kernel_options.hpp"

#include <CLI/CLI.hpp>

namespace cellblock::cli {
namespace {

constexpr std::string_view kProfileFlag = "--profile";

}  // namespace

void declare_kernel_options(
    CLI::App& app, const std::string& group,
    const std::function<void(const profile::Setting& setting, const std::string& text)>& take_setting,
    const std::function<void(const std::string& text)>& take_profile) {
    const auto add = [&](std::string_view name, const profile::Setting& setting, const std::string& meaning) {
        const std::string flag(name);
        app.add_option_function<std::string>(
               flag,
               [&setting, flag, take_setting](const std::string& text) {
                   session::LaunchOptions checked;
                   if (const auto applied = profile::apply(setting, text, checked); !applied)
                       throw CLI::ValidationError(flag, applied.error().sentence());
                   take_setting(setting, text);
               },
               meaning + " (default: " + profile::default_of(setting) + ")")
            ->type_name(std::string(setting.value))
            ->group(group);
    };
    app.add_option_function<std::string>(std::string(kProfileFlag), take_profile,
                                         "settings to start from: default, strict, data-science, one of your "
                                         "own, or a file's path (default: "
                                         "default)")
        ->type_name("NAME")
        ->group(group);
    for (const profile::Setting& setting : profile::settings()) {
        add(setting.flag, setting, std::string(setting.meaning));
        if (!setting.alias.empty()) add(setting.alias, setting, "the same, as ipykernel spells it");
    }
}

std::vector<std::string_view> kernel_option_flags() {
    std::vector<std::string_view> flags{kProfileFlag};
    for (const profile::Setting& setting : profile::settings())
        for (const std::string_view flag : {setting.flag, setting.alias})
            if (!flag.empty()) flags.push_back(flag);
    return flags;
}

}  // namespace cellblock::cli
