// Kernelspecs on disk: a directory with kernel.json and logos. Ours are known by metadata.cellblock in
// kernel.json; nothing else is ever replaced or removed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace cellblock::cli {

/// What our kernel.json says.
struct Kernelspec {
    std::string display_name;
    std::vector<std::string> argv;
    std::string version;  ///< of the Cellblock that wrote it
    std::string isolation;
    std::string python;
    bool debugger = false;  ///< whether front ends offer one, which they decide before the kernel runs
};

/// Letters, digits, ".", "_" and "-", as Jupyter has it; no "." in front, which would hide it.
Result<void> check_kernel_name(const std::string& name);

/// The text of kernel.json, from `template_text` (kernelspec/kernel.json.in).
Result<std::string> render_kernel_json(const std::string& template_text, const Kernelspec& kernelspec);

/// Reads DIRECTORY/kernel.json. An error when it is missing, broken or not ours.
Result<Kernelspec> read_kernelspec(const std::string& directory);

/// Called when a kernelspec has been put in its place, or removed. An error takes that back.
using Confirm = std::function<Result<void>()>;

/// Puts kernel.json and the logos of `template_directory` into `directory`, all or nothing, in place of one
/// of ours if there is one. Directories above are made, and removed again on failure.
Result<void> write_kernelspec(
    const std::string& directory, const std::string& template_directory, const Kernelspec& kernelspec,
    const Confirm& confirm = [] { return Result<void>(); });

/// Removes `directory` after making sure that it is ours.
Result<void> remove_kernelspec(
    const std::string& directory, const Confirm& confirm = [] { return Result<void>(); });

/// Names of the kernelspecs of ours in a "kernels" directory, sorted. A missing directory has none.
std::vector<std::string> our_kernels_in(const std::string& kernels_directory);

}  // namespace cellblock::cli
