// The Python environment that a kernel runs in, found out by reading files only: starting the environment's
// own Python outside the jail would execute its .pth files and sitecustomize with the user's rights. Follows
// what CPython's Modules/getpath.py and Lib/site.py do on Linux.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace cellblock::session {

/// What is known of a venv, conda, pyenv, uv or system Python, and what a jail must show of the host to run
/// it.
struct PythonEnvironment {
    /// The program to execute: absolute and, when the jail can show it so, exactly as it was named. A venv is
    /// recognised by this path, so its symlink is never resolved.
    std::string interpreter;
    std::string prefix;       ///< sys.prefix: the venv, or the base
    std::string base_prefix;  ///< sys.base_prefix: where the standard library lies
    std::string version;      ///< "3.11"
    /// Directories (and, rarely, files) to show read-only at identical paths, besides the base system (/usr,
    /// /lib …). None lies within another. Several names of one directory may appear when symlinks lead to it.
    std::vector<std::string> mounts;
    std::vector<std::string> site_packages;  ///< existing ones, in the order of sys.path
    bool has_ipython = false;
    std::string ipython_version;  ///< empty when it has no IPython or says no version
    bool externally_managed =
        false;  ///< the distribution's own Python (PEP 668): pip refuses to install into it
    std::vector<std::string> warnings;  ///< sentences about packages that the jail will not show
};

/// What of the host decides about an environment, apart from the files that belong to it.
struct HostFacts {
    std::vector<std::string> homes;  ///< directories of people, which no environment may show as a whole
    std::string pyenv_version;       ///< $PYENV_VERSION
    std::string working_directory;   ///< for relative paths
};
HostFacts read_host_facts();

/// Resolves the environment of the interpreter at `path`. The error is a sentence for whoever named it.
Result<PythonEnvironment> resolve_python(const std::string& path, const HostFacts& host = read_host_facts());

/// The same without a look at the packages, which takes the longer the more there are: nothing is known of
/// IPython, and there are no warnings about packages.
Result<PythonEnvironment> resolve_interpreter(const std::string& path,
                                              const HostFacts& host = read_host_facts());

/// What pyenv would start for its shim at `path`, as far as files and $PYENV_VERSION tell; empty when `path`
/// is no shim or nothing is chosen.
std::string interpreter_behind_shim(const std::string& path, const HostFacts& host);

/// An error that says how to install IPython, unless the environment has it.
Result<void> require_ipython(const PythonEnvironment& environment);

}  // namespace cellblock::session
