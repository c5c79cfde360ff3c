// The table of settings: everything that shapes a kernel's jail, one row each. Command-line options, keys of
// profiles, the checks of both, `cellblock explain settings` and docs/profiles.md come from this table and
// from nowhere else.
//
// A value has one written form, the same on the command line, in files, in errors and in the digest of a
// profile: "2GiB", "1h", "256", "ro".
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "session/launch.hpp"

namespace cellblock::profile {

/// A number with bounds; less is tighter.
struct Number {
    enum class Unit {
        size,      ///< bytes; written 512MiB
        duration,  ///< milliseconds; written 90s
        count,     ///< whole; written 256
        cores,     ///< written 1.5
        percent,   ///< whole; written 90%
    };
    Unit unit;
    double least;
    double most;
    /// The word that means "no limit", which is looser than every number; empty when there must be one.
    std::string_view unlimited;
    /// In the unit; infinity for no limit.
    double (*get)(const session::LaunchOptions& options);
    void (*set)(session::LaunchOptions& options, double value);
};

/// Whether TOML has such values as numbers; else they have a unit and are text.
constexpr bool is_bare(Number::Unit unit) {
    return unit == Number::Unit::count || unit == Number::Unit::cores;
}

/// One of a few words.
struct Choice {
    std::span<const std::string_view> words;  ///< the tightest first
    std::string_view (*get)(const session::LaunchOptions& options);
    Result<void> (*set)(session::LaunchOptions& options, const std::string& word);
    /// Words from this place on are not tighter than one another, but each in its own way less tight than
    /// those before: what is as tight as two of them is the last word before.
    size_t ordered = SIZE_MAX;
};

/// Something else, which has rules of its own.
struct Text {
    std::string_view expected;  ///< "an absolute path, or none"
    std::string_view tighter;   ///< which values are tighter, in words
    std::string_view example;   ///< as in a profile
    char separator;  ///< of a list, which files write as such and the command line in one word; 0: no list
    std::string (*get)(const session::LaunchOptions& options);
    Result<void> (*set)(session::LaunchOptions& options, const std::string& text);
    /// Makes `value` as tight as `bound`, where it is not already.
    void (*tighten)(session::LaunchOptions& value, const session::LaunchOptions& bound);
};

struct Setting {
    std::string_view key;    ///< in profiles: "limits.memory"
    std::string_view flag;   ///< on the command line: "--memory"
    std::string_view alias;  ///< another name of the option, for compatibility; empty for most
    std::string_view value;  ///< how help names the value: "SIZE"
    std::string_view meaning;
    std::variant<Number, Choice, Text> type;
    /// Whether projects and notebooks have a say; else only the system's ceiling binds the user.
    bool strangers_may_tighten = true;
};

/// All rows, in the order in which they are shown. Keys of one section lie together.
std::span<const Setting> settings();

/// Null when there is none.
const Setting* find_setting(std::string_view key);

/// Reads `text` and sets the value. The error says what was expected.
Result<void> apply(const Setting& setting, const std::string& text, session::LaunchOptions& options);
/// The value as apply() reads it, always written in the same way.
std::string value_of(const Setting& setting, const session::LaunchOptions& options);
/// What holds when nobody says otherwise.
std::string default_of(const Setting& setting);
/// Makes the setting in `value` as tight as in `bound`, where it is not already.
void tighten(const Setting& setting, session::LaunchOptions& value, const session::LaunchOptions& bound);

/// What can be written: "a size from 64MiB to 1024TiB", for errors and documents.
std::string expected(const Setting& setting);
/// Which of two values is tighter, in words.
std::string tighter(const Setting& setting);
/// A value as it stands in a file: "\"512MiB\"".
std::string example(const Setting& setting);

/// "90s", "5m", "1.5h", "500ms"; "none" is zero. From 1 ms to a year.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string to_text(std::chrono::milliseconds duration);

}  // namespace cellblock::profile
