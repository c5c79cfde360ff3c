// One sentence for all of them.
#include "base/words.hpp"

#include <string>

#include "base/printable.hpp"
#include "base/spelling.hpp"

namespace cellblock {

Result<size_t> find_word(std::string_view text, std::span<const std::string_view> known) {
    std::string all;
    std::string_view meant;
    for (size_t i = 0; i < known.size(); ++i) {
        if (known[i] == text) return i;
        all += (i == 0 ? "" : ", ") + std::string(known[i]);
        if (is_misspelt(text, known[i])) meant = known[i];
    }
    Error error(in_quotes(text) + " is not known: one of " + all + " is expected");
    if (meant.empty()) return error;
    return std::move(error).with_remedy("Did you mean " + std::string(meant) + "?");
}

}  // namespace cellblock
