// The table of ipykernel's flags and aliases, and the form of the rest.
#include "cli/ipython_arguments.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>

namespace cellblock::cli {
namespace {

enum class Takes { nothing, value, perhaps };
enum class Fate { passed, ignored, refused };

struct Known {
    std::string_view name;
    Takes takes;
    Fate fate;
    std::string_view reason;
};

constexpr std::string_view kSigned = "messages are signed as the connection file says";
constexpr std::string_view kConnection = "the connection file says where the kernel listens";
constexpr std::string_view kHostPath =
    "it names a place outside of the jail; --ipython-profile shows a profile to the cells";

// clang-format off
constexpr std::array kKnown{
    Known{"-c",              Takes::value,   Fate::passed,  "code that runs before the first cell"},
    Known{"-m",              Takes::value,   Fate::passed,  "a module that runs before the first cell"},
    Known{"--autocall",      Takes::value,   Fate::passed,  "IPython"},
    Known{"--autoindent",    Takes::nothing, Fate::passed,  "IPython"},
    Known{"--automagic",     Takes::nothing, Fate::passed,  "IPython"},
    Known{"--cache-size",    Takes::value,   Fate::passed,  "IPython"},
    Known{"--color-info",    Takes::nothing, Fate::passed,  "IPython"},
    Known{"--colors",        Takes::value,   Fate::passed,  "IPython"},
    Known{"--debug",         Takes::nothing, Fate::passed,  "IPython's log on stderr"},
    Known{"--ext",           Takes::value,   Fate::passed,  "an extension to load"},
    Known{"--gui",           Takes::value,   Fate::passed,  "as %gui"},
    Known{"--ignore-cwd",    Takes::nothing, Fate::passed,  "IPython"},
    Known{"--log-level",     Takes::value,   Fate::passed,  "IPython's log on stderr"},
    Known{"--logappend",     Takes::value,   Fate::passed,  "a file in the jail"},
    Known{"--logfile",       Takes::value,   Fate::passed,  "a file in the jail"},
    Known{"--matplotlib",    Takes::perhaps, Fate::passed,  "as %matplotlib"},
    Known{"--no-autoindent", Takes::nothing, Fate::passed,  "IPython"},
    Known{"--no-automagic",  Takes::nothing, Fate::passed,  "IPython"},
    Known{"--no-color-info", Takes::nothing, Fate::passed,  "IPython"},
    Known{"--no-ignore-cwd", Takes::nothing, Fate::passed,  "IPython"},
    Known{"--no-pdb",        Takes::nothing, Fate::passed,  "IPython"},
    Known{"--no-pprint",     Takes::nothing, Fate::passed,  "IPython"},
    Known{"--nosep",         Takes::nothing, Fate::passed,  "IPython"},
    Known{"--pdb",           Takes::nothing, Fate::passed,  "IPython"},
    Known{"--pprint",        Takes::nothing, Fate::passed,  "IPython"},
    Known{"--pylab",         Takes::perhaps, Fate::passed,  "as %pylab"},
    Known{"--quiet",         Takes::nothing, Fate::passed,  "IPython's log on stderr"},
    Known{"--theme",         Takes::value,   Fate::passed,  "IPython"},
    Known{"--ident",         Takes::value,   Fate::ignored, kSigned},
    Known{"--keyfile",       Takes::value,   Fate::ignored, kSigned},
    Known{"--no-secure",     Takes::nothing, Fate::ignored, kSigned},
    Known{"--secure",        Takes::nothing, Fate::ignored, kSigned},
    Known{"--user",          Takes::value,   Fate::ignored, kSigned},
    Known{"--config",        Takes::value,   Fate::refused, kHostPath},
    Known{"--ipython-dir",   Takes::value,   Fate::refused, kHostPath},
    Known{"--control",       Takes::value,   Fate::refused, kConnection},
    Known{"--hb",            Takes::value,   Fate::refused, kConnection},
    Known{"--iopub",         Takes::value,   Fate::refused, kConnection},
    Known{"--ip",            Takes::value,   Fate::refused, kConnection},
    Known{"--shell",         Takes::value,   Fate::refused, kConnection},
    Known{"--stdin",         Takes::value,   Fate::refused, kConnection},
    Known{"--transport",     Takes::value,   Fate::refused, kConnection},
    Known{"--init",          Takes::nothing, Fate::refused, "it would write a profile that is gone with the jail"},
    Known{"--no-stderr",     Takes::nothing, Fate::refused, "front ends show what cells print"},
    Known{"--no-stdout",     Takes::nothing, Fate::refused, "front ends show what cells print"},
    Known{"--show-config",   Takes::nothing, Fate::refused, "a kernel has nobody to print it to; %config shows it"},
    Known{"--show-config-json", Takes::nothing, Fate::refused, "a kernel has nobody to print it to; %config shows it"},
    Known{"--trio-loop",     Takes::nothing, Fate::refused, "cells run in asyncio's loop; see %autoawait for trio"},
};

// The same by trait; a class alone stands for all of its traits.
constexpr std::array kTraits{
    Known{"--Session",                            Takes::value, Fate::ignored, kSigned},
    Known{"--IPKernelApp.connection_file",        Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.control_port",           Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.hb_port",                Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.iopub_port",             Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.ip",                     Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.shell_port",             Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.stdin_port",             Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.transport",              Takes::value, Fate::refused, kConnection},
    Known{"--IPKernelApp.ipython_dir",            Takes::value, Fate::refused, kHostPath},
    Known{"--BaseIPythonApplication.ipython_dir", Takes::value, Fate::refused, kHostPath},
    Known{"--ProfileDir.location",                Takes::value, Fate::refused, kHostPath},
};
// clang-format on

constexpr Known kTrait{"--Class.trait", Takes::value, Fate::passed, "IPython"};

bool is_name(std::string_view text) {
    return !text.empty() && !std::isdigit(static_cast<unsigned char>(text.front())) &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

/// "--Class.trait": at least two names, with points between them.
bool is_trait(std::string_view name) {
    if (!name.starts_with("--")) return false;
    name.remove_prefix(2);
    size_t names = 1;
    for (size_t point = name.find('.'); point != std::string_view::npos; point = name.find('.'), ++names) {
        if (!is_name(name.substr(0, point))) return false;
        name.remove_prefix(point + 1);
    }
    return names > 1 && is_name(name);
}

/// `jupyter run script.py` gives the kernel its own command line, too. Other words are mistakes, perhaps of a
/// limit.
bool is_script(const std::string& argument) {
    std::error_code error;
    return !argument.starts_with("-") && std::filesystem::is_regular_file(argument, error);
}

const Known* find_known(std::string_view name) {
    const auto same = [&](const Known& known) { return known.name == name; };
    if (const auto found = std::ranges::find_if(kKnown, same); found != kKnown.end()) return &*found;
    if (!is_trait(name)) return nullptr;
    const std::string_view in_class = name.substr(0, name.find('.'));
    const auto covers = [&](const Known& known) { return known.name == name || known.name == in_class; };
    const auto found = std::ranges::find_if(kTraits, covers);
    return found != kTraits.end() ? &*found : &kTrait;
}

}  // namespace

Result<IPythonArguments> read_ipython_arguments(const std::vector<std::string>& arguments) {
    IPythonArguments read;
    for (size_t i = 0; i < arguments.size(); ++i) {
        if (is_script(arguments[i])) {
            read.notes.push_back(arguments[i] + " has no effect: a kernel gets its code from the front end");
            continue;
        }
        const size_t equals = arguments[i].find('=');
        const std::string name = arguments[i].substr(0, equals);
        const Known* known = find_known(name);
        if (!known)
            return Error("there is no option " + name)
                .with_remedy("Options of IPython are written --Class.trait=value.");
        if (known->fate == Fate::refused)
            return Error(name + " cannot be given to this kernel: " + std::string(known->reason));
        const bool next_is_value = equals == std::string::npos && known->takes != Takes::nothing &&
                                   i + 1 < arguments.size() && !arguments[i + 1].starts_with("-");
        if (equals == std::string::npos && known->takes == Takes::value && !next_is_value)
            return Error(name + " needs a value").with_remedy("Write " + name + "=VALUE.");
        if (known->fate == Fate::ignored)
            read.notes.push_back(name + " has no effect: " + std::string(known->reason));
        else
            read.passed.push_back(arguments[i]);
        if (!next_is_value) continue;
        ++i;
        if (known->fate == Fate::passed) read.passed.push_back(arguments[i]);
    }
    return read;
}

}  // namespace cellblock::cli
