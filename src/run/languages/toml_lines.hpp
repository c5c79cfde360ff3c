// Single strings of the TOML files of Rust's tools, for what we have to know before the tools themselves read
// them. They judge the file; this only finds `name = "value"` on a line of its own.
#pragma once

#include <string>
#include <string_view>

namespace cellblock::run {

/// The first value of `key` in the table `[table]` ("" is what stands above all tables, "[bin]" is [[bin]]);
/// empty when there is none, or none in plain quotation marks.
std::string toml_string(std::string_view text, std::string_view table, std::string_view key);

}  // namespace cellblock::run
