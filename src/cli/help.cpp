// CLI11's own formatter neither wraps lines nor says defaults in words.
#include "cli/help.hpp"

#include <CLI/CLI.hpp>
#include <cctype>
#include <memory>
#include <sstream>
#include <vector>

namespace cellblock::cli {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kIndent = 28;

// Words of `text` in lines, each after the first indented.
std::string wrapped(const std::string& text, size_t column, size_t indent) {
    std::istringstream words(text);
    std::string result;
    for (std::string word; words >> word;) {
        if (!result.empty() && column + 1 + word.size() > kColumns) {
            result += "\n" + std::string(indent, ' ');
            column = indent;
        } else if (!result.empty()) {
            result += ' ';
            ++column;
        }
        result += word;
        column += word.size();
    }
    return result;
}

std::string row(const std::string& syntax, const std::string& meaning) {
    std::string line = "  " + syntax;
    if (line.size() + 2 > kIndent)
        line += "\n" + std::string(kIndent, ' ');
    else
        line += std::string(kIndent - line.size(), ' ');
    return line + wrapped(meaning, kIndent, kIndent) + "\n";
}

std::string positional_syntax(const CLI::Option& option) {
    const std::string name = option.get_type_name() + (option.get_items_expected_max() > 1 ? " ..." : "");
    return option.get_required() ? name : "[" + name + "]";
}

class OwnHelp final : public CLI::FormatterBase {
  public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
        return help_text(*app, name);
    }
};

}  // namespace

std::string option_syntax(const CLI::Option& option) {
    std::string text;
    for (const std::string& name : option.get_snames()) text += (text.empty() ? "-" : ", -") + name;
    for (const std::string& name : option.get_lnames()) text += (text.empty() ? "--" : ", --") + name;
    if (option.get_positional()) return option.get_type_name();
    if (!option.get_type_name().empty()) text += " " + option.get_type_name();
    return text;
}

void use_own_help(CLI::App& app) {
    app.formatter(std::make_shared<OwnHelp>());
}

std::string help_text(const CLI::App& app, const std::string& name) {
    std::string text = app.get_description();
    if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    if (!text.ends_with('.')) text += '.';
    text += "\n\nUsage: " + name;
    const auto options = app.get_options();
    const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
    for (const CLI::Option* option : options)
        if (option->get_required() && !option->get_positional())
            text += " " + option->get_name() + " " + option->get_type_name();
    text += commands.empty() ? " [options]" : " COMMAND [options]";
    for (const CLI::Option* option : options)
        if (option->get_positional()) text += " " + positional_syntax(*option);
    if (app.get_allow_extras()) text += " [arguments of IPython]";
    text += "\n";

    if (!commands.empty()) text += "\nCommands:\n";
    for (const CLI::App* command : commands) text += row(command->get_name(), command->get_description());
    for (const std::string& group : app.get_groups()) {
        text += "\n" + group + ":\n";
        for (const CLI::Option* option : options)
            if (option->get_group() == group) text += row(option_syntax(*option), option->get_description());
    }
    if (!app.get_footer().empty()) text += "\n" + app.get_footer() + "\n";
    return text;
}

}  // namespace cellblock::cli
