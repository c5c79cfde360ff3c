// Templates: text with `{{code}}` in it, and other placeholders, that becomes a program when somebody's code
// is put there. A template may make several files, each after a line `==> NAME <==`; "*" is the name that the
// language wants for what is in the file. The program begins with the first.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "run/line_map.hpp"
#include "run/program.hpp"

namespace cellblock::run {

inline constexpr Bytes kMaxTemplate = 1_MiB;

struct Template {
    std::string name;  ///< as it was asked for
    std::string text;
};

/// What ships: "tests" for python, and so on.
struct ShippedName {
    std::string_view template_name;
    std::string_view language;
};
std::vector<ShippedName> shipped_templates();

/// A file when `name` has a "/" or a "." in it, else a shipped one for the language. An error names those
/// there are.
Result<Template> find_template(const std::string& name, std::string_view language);

using Values = std::map<std::string, std::string>;

/// "NAME=VALUE", or "NAME=@FILE" for what is in a file.
Result<Values> parse_values(const std::vector<std::string>& assignments);

struct Filled {
    Program program;
    LineMap map;
};

/// The program with the file that it begins with as `{{code}}`; its other files stay. A placeholder that
/// stands alone in its line gives its indent to every line of the value. Placeholders without a value, and
/// values without a placeholder, are an error that lists them.
Result<Filled> fill(const Template& text, const Program& program, const Values& values);

}  // namespace cellblock::run
