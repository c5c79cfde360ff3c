// Indented, because people read it too.
#include "cli/json_output.hpp"

#include <nlohmann/json.hpp>

#include "base/printable.hpp"

namespace cellblock::cli {

std::string json_output(const nlohmann::ordered_json& json) {
    return printable_json(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n";
}

}  // namespace cellblock::cli
