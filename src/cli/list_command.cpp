// `cellblock list`: the kernels of ours that Jupyter finds, and whether they would start.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.hpp"
#include "cli/json_output.hpp"
#include "cli/jupyter_paths.hpp"
#include "cli/kernelspec.hpp"
#include "cli/table.hpp"
#include "session/python_env.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
    std::string prefix;
    bool json = false;
};

struct Row {
    std::string name;
    std::string directory;
    Kernelspec kernelspec;
    std::string trouble;  // a sentence; empty when it is healthy
};

std::string find_trouble(const Kernelspec& kernelspec) {
    if (kernelspec.argv.empty()) return "Its kernel.json has no command line.";
    const std::string& program = kernelspec.argv.front();
    if (::access(program.c_str(), X_OK) != 0)
        return errno_error("execute " + program).with_remedy("Install the kernel again.").sentence();
    const auto python = session::resolve_python(kernelspec.python);
    if (!python) return python.error().sentence();
    const auto ipython = session::require_ipython(*python);
    return ipython ? "" : ipython.error().sentence();
}

std::vector<Row> find_kernels(const Options& options, const Context& context) {
    std::vector<std::string> places;
    std::error_code error;
    if (!options.prefix.empty())
        places.push_back(
            kernels_directory_of(fs::absolute(options.prefix, error).lexically_normal().string()));
    else
        places = searched_kernels_directories(context.variable);
    std::vector<Row> rows;
    for (const std::string& kernels : places)
        for (const std::string& name : our_kernels_in(kernels)) {
            const std::string directory = kernels + "/" + name;
            auto kernelspec = read_kernelspec(directory);
            if (!kernelspec) continue;  // removed since it was listed
            std::string trouble = find_trouble(*kernelspec);
            rows.push_back({name, directory, *std::move(kernelspec), std::move(trouble)});
        }
    return rows;
}

void print_json(const std::vector<Row>& rows, std::ostream& out) {
    auto list = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
        nlohmann::ordered_json entry{{"name", row.name},
                                     {"display_name", row.kernelspec.display_name},
                                     {"python", row.kernelspec.python},
                                     {"isolation", row.kernelspec.isolation},
                                     {"directory", row.directory},
                                     {"argv", row.kernelspec.argv},
                                     {"version", row.kernelspec.version},
                                     {"healthy", row.trouble.empty()}};
        entry["reason"] =
            row.trouble.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(row.trouble);
        list.push_back(std::move(entry));
    }
    out << json_output(list);
}

void print_table(const std::vector<Row>& rows, const Context& context) {
    if (rows.empty()) {
        context.out << "No sandboxed kernels are installed where Jupyter looks for them. \"cellblock install "
                       "--python "
                       "PATH\"\ninstalls one; \"cellblock list --prefix DIRECTORY\" looks in an environment "
                       "that is not "
                       "active.\n";
        return;
    }
    Table table({"NAME", "DISPLAY NAME", "PYTHON", "ISOLATION", "WHERE", "HEALTHY"});
    for (const Row& row : rows)
        table.add({row.name, row.kernelspec.display_name, row.kernelspec.python, row.kernelspec.isolation,
                   row.directory, row.trouble.empty() ? "yes" : "no"});
    context.out << table.text();
    for (const Row& row : rows)
        if (!row.trouble.empty()) context.out << "\n" << row.name << ": " << row.trouble << "\n";
}

}  // namespace

Action declare_list(CLI::App& app, const Context& context) {
    auto options = std::make_shared<Options>();
    app.add_option("--prefix", options->prefix, "only those in DIRECTORY/share/jupyter")
        ->type_name("DIRECTORY");
    app.add_flag("--json", options->json, "print JSON");
    return [options, &context]() -> Result<int> {
        const std::vector<Row> rows = find_kernels(*options, context);
        if (options->json)
            print_json(rows, context.out);
        else
            print_table(rows, context);
        return 0;
    };
}

}  // namespace cellblock::cli
