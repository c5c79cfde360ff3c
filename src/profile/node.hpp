// What a profile says, before anybody has checked that it makes sense: a small tree of values with their
// places. TOML files and the metadata of notebooks are both read into it.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace cellblock::profile {

/// Bounds of what strangers write. A profile that says everything there is needs a twentieth of them.
inline constexpr size_t kMaxProfileSize = 64UL * 1024;
inline constexpr size_t kMaxLine = 4096;
inline constexpr int kMaxDepth = 4;  ///< [ceiling.limits] memory is the third
inline constexpr size_t kMaxMembers = 256;

struct Node {
    enum class Kind { table, list, text, whole, real, other };
    Kind kind = Kind::other;
    std::string text;            ///< of text, whole and real; of other: its name, "a date"
    std::string place;           ///< "cellblock.toml:3:10", for people
    std::vector<Node> children;  ///< of table and list
    // Of a table's child:
    std::string key;
    std::string key_place;
};

/// "a table", "text", "a whole number" …
std::string kind_text(const Node& node);

/// Reads TOML (https://toml.io, 1.0). `name` is the file's, for places. The error has file, line and column.
Result<Node> parse_toml(const std::string& text, const std::string& name);

/// Reads the object `metadata.cellblock` of a notebook; no children when there is none. The text may be
/// large; only that object is kept. Places are like "a.ipynb: metadata.cellblock.limits.memory".
Result<Node> parse_notebook(const std::string& text, const std::string& name);

}  // namespace cellblock::profile
