// The whole policy of the jail as tables for people: what `cellblock explain` prints and docs/policy/ shows.
// Nothing is written twice: the rows are those that the jail applies.
#pragma once

#include <string>
#include <vector>

#include "jail/jail.hpp"

namespace cellblock::jail::policy {

struct Table {
    std::string name;   ///< one word, for choosing it
    std::string title;  ///< of the section
    std::string about;  ///< what the rows mean and which mechanism holds them
    std::vector<std::string> heading;
    std::vector<std::vector<std::string>> rows;  ///< as many cells as the heading
};

/// For a jail of this level and these limits, on this architecture.
std::vector<Table> tables(Level level, const Limits& limits);

}  // namespace cellblock::jail::policy
