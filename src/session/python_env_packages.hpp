// What lies in an environment's site-packages, read without importing anything: IPython, and installs that
// live elsewhere (.pth lines, PEP 610 records, symlinks) and that a jail therefore may not show.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace cellblock::session {

/// The existing package directories below `prefix`, in the order of sys.path. `library` is "python3.11". With
/// `distribution`, also those that Debian and Fedora add to a system Python.
enum class Layout { venv, distribution };
std::vector<std::string> find_site_packages(const std::string& prefix, const std::string& library,
                                            Layout layout);

/// Directories that the path lines of the .pth files in `directory` name and that exist. Lines that are code
/// ("import …") are skipped, never run.
std::vector<std::string> directories_in_pth_files(const std::string& directory);

/// A package that was installed by reference: pip install -e, or a symlink.
struct LinkedPackage {
    std::string name;
    std::string path;  ///< where its code lies
};
/// Editable installs that say where they come from (direct_url.json) and symlinks in `directory`.
std::vector<LinkedPackage> linked_packages(const std::string& directory);

/// The version in IPython's metadata in `directory`; empty when there is none.
std::string ipython_version_in(const std::string& directory);

}  // namespace cellblock::session
