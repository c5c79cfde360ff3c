// Readers for what pip, setuptools, uv and distributions write into site-packages. Everything here may be
// written by others: files are read up to a bound, and what cannot be understood is passed over.
#include "session/python_env_packages.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "base/sys.hpp"

namespace cellblock::session {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPthFile = 1 << 20;
constexpr size_t kMaxMetadata = 4 << 20;

struct PackageDirectory {
    std::string_view below_prefix;  // % stands for "python3.11"
    Layout layout;
};

// Lib/site.py of CPython, and the patches of Debian (dist-packages) and Fedora (lib64, local).
constexpr std::array kPackageDirectories{
    PackageDirectory{"local/lib/%/dist-packages", Layout::distribution},
    PackageDirectory{"local/lib64/%/site-packages", Layout::distribution},
    PackageDirectory{"local/lib/%/site-packages", Layout::distribution},
    PackageDirectory{"lib/%/site-packages", Layout::venv},
    PackageDirectory{"lib64/%/site-packages", Layout::venv},
    PackageDirectory{"lib/python3/dist-packages", Layout::distribution},
    PackageDirectory{"lib/%/dist-packages", Layout::distribution},
};

std::vector<fs::path> entries_of(const std::string& directory) {
    std::vector<fs::path> names;
    std::error_code error;
    for (auto entry = fs::directory_iterator(directory, error); !error && entry != fs::directory_iterator();
         entry.increment(error))
        names.push_back(entry->path());
    std::sort(names.begin(), names.end());
    return names;
}

std::string percent_decoded(std::string_view text) {
    const auto digit = [](char c) {
        return std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 32) - 'a' + 10;
    };
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && i + 2 < text.size() &&
                            std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                            std::isxdigit(static_cast<unsigned char>(text[i + 2]));
        result += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
        if (escape) i += 2;
    }
    return result;
}

// The directory of an editable install, empty for every other one.
std::string editable_source(const fs::path& dist_info) {
    const auto text = sys::read_file(dist_info / "direct_url.json", kMaxPthFile);
    if (!text) return "";
    const auto record = nlohmann::json::parse(*text, nullptr, false);
    if (!record.is_object()) return "";
    const auto info = record.find("dir_info");
    const auto url = record.find("url");
    if (info == record.end() || !info->is_object() || url == record.end() || !url->is_string()) return "";
    const auto editable = info->find("editable");
    if (editable == info->end() || *editable != true) return "";
    const auto& address = url->get_ref<const std::string&>();
    constexpr std::string_view kScheme = "file://";
    return address.starts_with(kScheme) ? percent_decoded(address.substr(kScheme.size())) : "";
}

// "Version: 9.1.0" of a METADATA or PKG-INFO file.
std::string version_field(const std::string& path) {
    const auto text = sys::read_file(path, kMaxMetadata);
    if (!text) return "";
    std::istringstream lines(*text);
    constexpr std::string_view kField = "Version: ";
    for (std::string line; std::getline(lines, line) && !line.empty() && line != "\r";) {
        if (!line.starts_with(kField)) continue;
        line.erase(line.find_last_not_of(" \r") + 1);
        return line.substr(kField.size());
    }
    return "";
}

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

}  // namespace

std::vector<std::string> find_site_packages(const std::string& prefix, const std::string& library,
                                            Layout layout) {
    std::vector<std::string> found;
    std::vector<fs::path> real;  // lib64 is often a symlink to lib
    for (const PackageDirectory& row : kPackageDirectories) {
        if (row.layout == Layout::distribution && layout != Layout::distribution) continue;
        std::string below(row.below_prefix);
        if (const size_t mark = below.find('%'); mark != std::string::npos) below.replace(mark, 1, library);
        std::error_code error;
        const fs::path directory = fs::path(prefix) / below;
        const fs::path target = fs::canonical(directory, error);
        if (error || !fs::is_directory(target, error)) continue;
        if (std::find(real.begin(), real.end(), target) != real.end()) continue;
        real.push_back(target);
        found.push_back(directory.string());
    }
    return found;
}

std::vector<std::string> directories_in_pth_files(const std::string& directory) {
    std::vector<std::string> found;
    for (const fs::path& file : entries_of(directory)) {
        if (file.extension() != ".pth" || file.filename().string().starts_with(".")) continue;
        const auto text = sys::read_file(file, kMaxPthFile);
        if (!text) continue;
        std::istringstream lines(*text);
        for (std::string line; std::getline(lines, line);) {
            line.erase(line.find_last_not_of(" \t\r\f\v") + 1);
            if (line.empty() || line[0] == '#' || line.starts_with("import ") || line.starts_with("import\t"))
                continue;
            std::error_code error;
            const fs::path named = fs::path(directory) / line;
            if (fs::is_directory(named, error)) found.push_back(named.lexically_normal().string());
        }
    }
    return found;
}

std::vector<LinkedPackage> linked_packages(const std::string& directory) {
    std::vector<LinkedPackage> found;
    for (const fs::path& entry : entries_of(directory)) {
        std::error_code error;
        if (fs::is_symlink(entry, error)) {
            const fs::path target = fs::canonical(entry, error);
            if (!error) found.push_back({entry.filename().string(), target.string()});
        } else if (entry.extension() == ".dist-info") {
            std::string source = editable_source(entry);
            if (source.empty()) continue;
            const std::string stem = entry.stem().string();
            found.push_back({stem.substr(0, stem.find('-')), std::move(source)});
        }
    }
    return found;
}

std::string ipython_version_in(const std::string& directory) {
    for (const fs::path& entry : entries_of(directory)) {
        const std::string name = lower_case(entry.filename().string());
        if (!name.starts_with("ipython-")) continue;
        std::error_code error;
        std::string version;
        if (name.ends_with(".dist-info")) version = version_field(entry / "METADATA");
        if (name.ends_with(".egg-info"))
            version = version_field(fs::is_directory(entry, error) ? entry / "PKG-INFO" : entry);
        if (!version.empty()) return version;
    }
    return "";
}

}  // namespace cellblock::session
