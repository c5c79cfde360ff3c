// JSON that commands print: for programs, and seen by people on terminals all the same.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cellblock::cli {

/// Several lines, with a line feed at the end. Nothing in it steers a terminal, whoever chose its texts;
/// bytes that are not UTF-8 become U+FFFD.
std::string json_output(const nlohmann::ordered_json& json);

}  // namespace cellblock::cli
