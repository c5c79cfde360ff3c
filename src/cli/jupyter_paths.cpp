// Only variables are read; whether the directories exist is the caller's business.
#include "cli/jupyter_paths.hpp"

#include <algorithm>
#include <sstream>

namespace cellblock::cli {

Result<std::string> user_kernels_directory(const Variables& variable) {
    if (const std::string data = variable("JUPYTER_DATA_DIR"); !data.empty()) return data + "/kernels";
    auto data = user_directory(UserDirectory::data, variable);
    if (!data)
        return std::move(data)
            .error()
            .context("find the user's Jupyter directory")
            .with_remedy("Set HOME, or use --prefix DIRECTORY.");
    return *data + "/jupyter/kernels";
}

std::string kernels_directory_of(const std::string& prefix) {
    return prefix + "/share/jupyter/kernels";
}

std::vector<std::string> searched_kernels_directories(const Variables& variable) {
    std::vector<std::string> found;
    const auto add = [&](const std::string& directory) {
        if (std::find(found.begin(), found.end(), directory) == found.end()) found.push_back(directory);
    };
    std::istringstream entries(variable("JUPYTER_PATH"));
    for (std::string entry; std::getline(entries, entry, ':');)
        if (!entry.empty()) add(entry + "/kernels");
    if (const auto user = user_kernels_directory(variable)) add(*user);
    for (const char* environment : {"VIRTUAL_ENV", "CONDA_PREFIX"})
        if (const std::string prefix = variable(environment); !prefix.empty())
            add(kernels_directory_of(prefix));
    for (const char* prefix : {"/usr/local", "/usr"}) add(kernels_directory_of(prefix));
    return found;
}

}  // namespace cellblock::cli
