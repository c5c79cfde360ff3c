// The slow path of CHECK.
#include "base/check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace cellblock {

void check_failed(const char* condition, const char* file, int line, const char* function) noexcept {
    char text[512];
    const int n =
        std::snprintf(text, sizeof text, "cellblock: internal error at %s:%d in %s: CHECK(%s) failed\n", file,
                      line, function, condition);
    if (n > 0) {
        // A failed write changes nothing: the abort below is the message that counts.
        [[maybe_unused]] const ssize_t ignored =
            ::write(STDERR_FILENO, text,
                    static_cast<size_t>(n) < sizeof text ? static_cast<size_t>(n) : sizeof text - 1);
    }
    std::abort();
}

}  // namespace cellblock
