// Sections, then placeholders, line by line, so that it is known where each line of a value goes.
#include "run/template.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/beneath.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"
#include "run/language.hpp"
#include "run/toolchain.hpp"
#include "shipped_templates.hpp"

namespace cellblock::run {
namespace {

constexpr std::string_view kCode = "code";
constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kAnyName = "*";
constexpr std::string_view kSectionOpen = "==> ";
constexpr std::string_view kSectionClose = " <==";
constexpr size_t kMaxSections = 64;
constexpr size_t kMaxName = 64;

struct Section {
    std::string name;
    std::string_view text;
};

std::string_view next_line(std::string_view& text) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    text.remove_prefix(line.size());
    return line;
}

std::string_view without_end(std::string_view line) {
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// The name in a line `==> NAME <==`.
std::optional<std::string_view> section_name(std::string_view line) {
    line = without_end(line);
    if (line.size() <= kSectionOpen.size() + kSectionClose.size() || !line.starts_with(kSectionOpen) ||
        !line.ends_with(kSectionClose))
        return std::nullopt;
    line.remove_prefix(kSectionOpen.size());
    line.remove_suffix(kSectionClose.size());
    return line;
}

Result<std::vector<Section>> sections_of(const Template& source) {
    std::vector<Section> sections;
    std::string_view rest = source.text;
    while (!rest.empty()) {
        const std::string_view whole = rest;
        const std::string_view line = next_line(rest);
        if (const auto name = section_name(line)) {
            if (sections.size() == kMaxSections)
                return Error("the template " + printable(source.name) + " makes more than " +
                             std::to_string(kMaxSections) + " files");
            if (*name != kAnyName && !is_plain_path(*name))
                return Error("the template " + printable(source.name) + " makes a file of the name " +
                             in_quotes(*name) + ", which does not lie in the program's directory");
            sections.push_back({std::string(*name), rest.substr(0, 0)});
        } else {
            if (sections.empty()) sections.push_back({std::string(kAnyName), whole.substr(0, 0)});
            Section& last = sections.back();
            // Lines follow each other, so a section is one piece of the text.
            const char* const from = last.text.empty() ? line.data() : last.text.data();
            last.text = std::string_view(from, static_cast<size_t>(line.data() + line.size() - from));
        }
    }
    return sections;
}

/// The first placeholder of a line from `from` on: where it begins and its name.
struct Placeholder {
    size_t at;
    std::string_view name;
    [[nodiscard]] size_t end() const { return at + kOpen.size() + name.size() + kClose.size(); }
};

std::optional<Placeholder> find_placeholder(std::string_view line, size_t from) {
    for (size_t at = line.find(kOpen, from); at != std::string_view::npos; at = line.find(kOpen, at + 1)) {
        const std::string_view rest = line.substr(at + kOpen.size());
        const size_t size =
            std::min(rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), rest.size());
        const bool is_name = size > 0 && size <= kMaxName && rest[0] >= 'a' && rest[0] <= 'z';
        if (is_name && rest.substr(size).starts_with(kClose)) return Placeholder{at, rest.substr(0, size)};
    }
    return std::nullopt;
}

std::set<std::string, std::less<>> names_in(std::string_view text) {
    std::set<std::string, std::less<>> names;
    while (!text.empty()) {
        const std::string_view line = next_line(text);
        for (auto found = find_placeholder(line, 0); found; found = find_placeholder(line, found->end()))
            names.insert(std::string(found->name));
    }
    return names;
}

template <class Names>
std::string list(const Names& names) {
    std::string text;
    for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

size_t count_lines(std::string_view text) {
    return static_cast<size_t>(std::ranges::count(text, '\n')) + (text.ends_with('\n') ? 0 : 1);
}

/// One file as it is filled.
class Filler {
  public:
    Filler(const Values& values, std::vector<Region>& regions) : values_(values), regions_(regions) {}

    /// `regions` get those of this file, without its name.
    std::string fill(std::string_view text) {
        while (!text.empty()) fill_line(next_line(text));
        return std::move(out_);
    }

  private:
    void fill_line(std::string_view line) {
        const auto first = find_placeholder(line, 0);
        const bool is_alone =
            first && line.find_first_not_of(" \t") == first->at &&
            without_end(line.substr(first->end())).find_first_not_of(" \t") == std::string_view::npos;
        if (is_alone) return put_lines(first->name, line.substr(0, first->at));
        size_t at = 0;
        for (auto found = first; found; found = find_placeholder(line, at)) {
            append(line.substr(at, found->at - at));
            const std::string_view value = value_of(found->name);
            if (found->name == kCode) note(found->name, value, 0);
            append(value);
            at = found->end();
        }
        append(line.substr(at));
    }

    void put_lines(std::string_view name, std::string_view indent) {
        std::string_view value = value_of(name);
        note(name, value, indent.size());
        while (!value.empty()) {
            const std::string_view line = next_line(value);
            if (!without_end(line).empty()) append(indent);
            append(line);
        }
        append("\n");
    }

    /// Without the end of its last line: the template's own follows.
    std::string_view value_of(std::string_view name) const {
        std::string_view value = values_.find(std::string(name))->second;
        if (value.ends_with('\n')) value.remove_suffix(1);
        return value;
    }

    void note(std::string_view name, std::string_view value, size_t indent) {
        regions_.push_back({"", line_, count_lines(value), indent, std::string(name)});
    }

    void append(std::string_view text) {
        out_ += text;
        line_ += static_cast<size_t>(std::ranges::count(text, '\n'));
    }

    const Values& values_;
    std::vector<Region>& regions_;
    std::string out_;
    size_t line_ = 1;
};

Result<void> check_values(const Template& source, const Values& values) {
    const auto wanted = names_in(source.text);
    if (!wanted.contains(kCode))
        return Error("the template " + printable(source.name) + " has no {{code}} in it");
    std::vector<std::string> missing;
    for (const std::string& name : wanted)
        if (!values.contains(name)) missing.push_back(name);
    if (!missing.empty())
        return Error("the template " + printable(source.name) + " needs values for: " + list(missing))
            .with_remedy("Give each with --set NAME=VALUE, or --set NAME=@FILE.");
    for (const auto& [name, value] : values)
        if (!wanted.contains(name))
            return Error("the template " + printable(source.name) + " has no {{" + printable(name) +
                         "}} in it")
                .with_remedy("It has: " + list(wanted) + ".");
    return {};
}

/// "tests.py.template" is for python.
const Language* language_of_template(std::string_view file_name) {
    const auto language = guess_language(file_name.substr(0, file_name.rfind('.')), "");
    return language ? *language : nullptr;
}

}  // namespace

std::vector<ShippedName> shipped_templates() {
    std::vector<ShippedName> names;
    for (const ShippedTemplate& shipped : kShippedTemplates)
        if (const Language* const language = language_of_template(shipped.name))
            names.push_back({shipped.name.substr(0, shipped.name.find('.')), language->name});
    return names;
}

Result<Template> find_template(const std::string& name, std::string_view language) {
    if (name.find_first_of("/.") != std::string::npos)
        return Template{name, TRY(sys::read_regular_file(name, kMaxTemplate.count))};
    std::set<std::string_view> names;
    for (const ShippedTemplate& shipped : kShippedTemplates) {
        const Language* const its = language_of_template(shipped.name);
        if (its == nullptr || its->name != language) continue;
        const std::string_view its_name = shipped.name.substr(0, shipped.name.find('.'));
        if (its_name == name) return Template{name, std::string(shipped.text)};
        names.insert(its_name);
    }
    return Error("there is no template " + in_quotes(name) + " for " + std::string(language))
        .with_remedy((names.empty() ? "None ships" : "There is: " + list(names)) +
                     "; a file has a \"/\" or a \".\" in its name.");
}

Result<Values> parse_values(const std::vector<std::string>& assignments) {
    Values values;
    for (const std::string& assignment : assignments) {
        const size_t equals = assignment.find('=');
        const std::string name = assignment.substr(0, equals);
        const auto placeholder = find_placeholder(std::string(kOpen) + name + std::string(kClose), 0);
        if (equals == std::string::npos || !placeholder || placeholder->name.size() != name.size())
            return Error(in_quotes(assignment) +
                         " is not of the form NAME=VALUE, with a name of a-z, 0-9 and _");
        if (name == kCode) return Error("the value of {{code}} is the program");
        std::string value = assignment.substr(equals + 1);
        if (value.starts_with('@')) value = TRY(sys::read_regular_file(value.substr(1), kMaxTemplate.count));
        if (!values.emplace(name, std::move(value)).second) return Error("{{" + name + "}} has two values");
    }
    return values;
}

Result<Filled> fill(const Template& source, const Program& program, const Values& values) {
    const File* const code = file_of(program, program.entry);
    if (code == nullptr) return Error("a template is filled with the code of one file");
    const Language* const language = TRY(language_named(program.language));
    for (const std::string_view project : language->projects)
        if (program.entry == project)
            return Error("a template is filled with the code of one file, and " + printable(program.entry) +
                         " is none");
    Values all = values;
    all[std::string(kCode)] = code->content;
    TRY(check_values(source, all));

    Filled filled;
    std::vector<Region> regions;
    filled.program.language = program.language;
    filled.program.directories = program.directories;
    for (const Section& section : TRY(sections_of(source))) {
        const size_t first_region = regions.size();
        File file;
        file.content = Filler(all, regions).fill(section.text);
        file.path = section.name;
        if (section.name == kAnyName)
            file.path = language->name_of != nullptr ? language->name_of(file.content)
                                                     : std::string(language->main_file);
        if (file_of(filled.program, file.path) != nullptr)
            return Error("the template " + printable(source.name) + " makes two files " +
                         printable(file.path));
        for (size_t i = first_region; i < regions.size(); ++i) regions[i].file = file.path;
        filled.program.files.push_back(std::move(file));
    }
    filled.program.entry = filled.program.files.front().path;
    for (const File& file : program.files) {
        if (&file == code) continue;
        if (file_of(filled.program, file.path) != nullptr)
            return Error("the template " + printable(source.name) + " makes a file " + printable(file.path) +
                         ", which the program has, too");
        filled.program.files.push_back(file);
    }
    filled.map = LineMap(std::move(regions));
    return filled;
}

}  // namespace cellblock::run
