// JavaScript with Node: nothing to build. Packages are those that lie in the project's node_modules.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "run/languages/rows.hpp"
#include "run/toolchain.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;

constexpr std::array kSuffixes{".js"sv, ".mjs"sv, ".cjs"sv};
constexpr std::array kPrograms{"node"sv, "nodejs"sv};
constexpr std::array kProjects{"package.json"sv};
constexpr std::array kEntries{"package.json"sv, "index.js"sv, "index.mjs"sv, "index.cjs"sv,
                              "main.js"sv,      "main.mjs"sv, "main.cjs"sv};
constexpr std::array kWellKnown{
    "/usr/local/bin"sv,
    "/usr/bin"sv,
    "~/.nvm/versions/node/*/bin"sv,
    "~/.volta/tools/image/node/*/bin"sv,
    "~/.local/share/fnm/node-versions/*/installation/bin"sv,
    "~/.asdf/installs/nodejs/*/bin"sv,
    "~/.local/share/mise/installs/node/*/bin"sv,
};

/// A wrapper of a version manager goes by another name at its end.
bool is_node(const FoundProgram& program) {
    const std::string_view real = program.real;
    return real.ends_with("/node") || real.ends_with("/nodejs");
}

Result<Toolchain> find(const Search& search) {
    for (const char* name : {"node", "nodejs"})
        for (const FoundProgram& program : find_programs(search, name, kWellKnown)) {
            if (!is_node(program)) continue;
            Toolchain toolchain;
            toolchain.path = program.real;
            const std::vector<std::string> files{program.real};
            toolchain.id = "node\n" + identity_of(files);
            // Of an own prefix only the program: it carries its library, and npm is of no use without a
            // network.
            toolchain.mounts = TRY(show_in_place(search, files));
            toolchain.version = Invocation{{toolchain.path, "--version"}, {}};
            return toolchain;
        }
    return no_toolchain(search, "Node (node)", kWellKnown,
                        "Install Node.js, or put the directory of the program node into PATH.");
}

/// "node server.js --port 1": the words of a start script that is nothing but this.
std::vector<std::string> start_script(const std::string& text) {
    if (text.find_first_of("|&;<>()$`\\\"'*?[]#~=%\n") != std::string::npos) return {};
    std::vector<std::string> words;
    for (size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string::npos;) {
        const size_t end = std::min(text.find(' ', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end;
    }
    return words.size() >= 2 && words[0] == "node" ? words : std::vector<std::string>{};
}

Error no_beginning(const std::string& found) {
    return Error("package.json does not say what to run: " + found)
        .with_remedy(
            "Give it a \"main\" that names a file of the project, or a script \"start\" of the form "
            "\"node FILE\".");
}

/// As Node looks for what a "main" names.
std::string module_file(const Program& program, std::string path) {
    while (path.starts_with("./")) path.erase(0, 2);
    while (path.ends_with('/')) path.pop_back();
    for (const char* ending : {"", ".js", ".mjs", ".cjs", "/index.js"})
        if (file_of(program, path + ending) != nullptr) return path + ending;
    return "";
}

/// What comes after the interpreter's own options.
Result<std::vector<std::string>> words_of_project(const Program& program) {
    const File* const file = file_of(program, program.entry);
    const std::string_view text = file == nullptr ? std::string_view() : file->content;
    if (text.size() > kMaxUnderstood.count)
        return Error("package.json is larger than " + to_text(kMaxUnderstood));
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return Error("package.json is not a JSON object");
    if (const auto scripts = json.find("scripts"); scripts != json.end() && scripts->is_object())
        if (const auto start = scripts->find("start"); start != scripts->end() && start->is_string()) {
            std::vector<std::string> words = start_script(start->get<std::string>());
            if (!words.empty()) return std::vector<std::string>(words.begin() + 1, words.end());
            if (!json.contains("main"))
                return no_beginning("its script \"start\" is for a shell, and it has no \"main\"");
        }
    const auto main = json.find("main");
    const std::string named = main != json.end() && main->is_string() ? main->get<std::string>() : "index.js";
    std::string path = module_file(program, named);
    if (path.empty())
        return no_beginning(main == json.end() ? "it has no \"main\", and there is no index.js"
                                               : "its \"main\" is not there: " + named);
    return std::vector<std::string>{std::move(path)};
}

/// Node takes a .js for CommonJS unless a package.json says otherwise; older ones do not look for themselves.
std::string name_of(std::string_view code) {
    if (code.find("require(") != std::string_view::npos) return "main.js";
    for (size_t at = 0; at < code.size(); at = std::min(code.find('\n', at), code.size() - 1) + 1) {
        const std::string_view line = code.substr(at);
        if (line.starts_with("import ") || line.starts_with("import{") || line.starts_with("export ") ||
            line.starts_with("await "))
            return "main.mjs";
    }
    return "main.js";
}

Result<Recipe> plan(const Toolchain& toolchain, const Program& program, const jail::Limits& limits) {
    std::vector<std::string> words{program.entry};
    if (program.entry == kProjects[0]) words = TRY(words_of_project(program));
    Recipe recipe;
    recipe.run.argv = {toolchain.path};
    // V8 sizes its heap by the memory of the host. With this it collects garbage before the jail's limit is
    // hit.
    recipe.run.argv.push_back("--max-old-space-size=" + std::to_string(limits.memory.count >> 20U));
    // It may run in another directory than it lies in.
    if (const auto file =
            std::ranges::find_if(words, [&](const std::string& word) { return file_of(program, word); });
        file != words.end())
        *file = inside(*file);
    recipe.run.argv.insert(recipe.run.argv.end(), words.begin(), words.end());
    return recipe;
}

}  // namespace

const Language kJavaScript{
    .name = "javascript",
    .title = "JavaScript (Node)",
    .suffixes = kSuffixes,
    .programs = kPrograms,
    .projects = kProjects,
    .main_file = "main.js",
    .entries = kEntries,
    .any_file_begins = false,
    .name_of = name_of,
    .find = find,
    .plan = plan,
    .build_limits = {},
    .build_time = {},
};

}  // namespace cellblock::run
