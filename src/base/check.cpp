// The slow path of CHECK.
#include "base/check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace cellblock {

void check_failed(const char* condition, std::source_location where) noexcept {
    char line[512];
    const int n = std::snprintf(line, sizeof line, "cellblock: internal error at %s:%u in %s: CHECK(%s) failed\n",
                                where.file_name(), where.line(), where.function_name(), condition);
    if (n > 0) {
        // A failed write changes nothing: the abort below is the message that counts.
        [[maybe_unused]] const ssize_t ignored =
            ::write(STDERR_FILENO, line, static_cast<size_t>(n) < sizeof line ? static_cast<size_t>(n) : sizeof line - 1);
    }
    std::abort();
}

}  // namespace cellblock
