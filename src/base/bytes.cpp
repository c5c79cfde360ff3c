// Reading and writing byte counts.
#include "base/bytes.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/printable.hpp"

namespace cellblock {
namespace {

struct Unit {
    std::string_view name;
    double factor;
};

constexpr std::array<Unit, 9> kUnits{{{"B", 1.0},
                                      {"KiB", 1024.0},
                                      {"MiB", 1048576.0},
                                      {"GiB", 1073741824.0},
                                      {"TiB", 1099511627776.0},
                                      {"kB", 1e3},
                                      {"MB", 1e6},
                                      {"GB", 1e9},
                                      {"TB", 1e12}}};

}  // namespace

std::string to_text(Bytes bytes) {
    if (bytes.count < 1024) return std::to_string(bytes.count) + " B";
    auto value = static_cast<double>(bytes.count);
    size_t unit = 0;
    while (value >= 1024.0 && unit < 4) {
        value /= 1024.0;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", value, kUnits.at(unit).name.data());
    return text;
}

Result<Bytes> parse_bytes(std::string_view text) {
    const auto fail = [&] {
        return Error("read the size " + in_quotes(text) + ": a number and a unit are expected")
            .with_remedy("Write for example 512MiB or 2GiB.");
    };
    double number = 0;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    // from_chars reads "nan" and "inf" too; no comparison holds for the former.
    if (error != std::errc{} || !(number >= 0)) return fail();
    std::string_view unit_name(rest, static_cast<size_t>(text.data() + text.size() - rest));
    while (!unit_name.empty() && unit_name.front() == ' ') unit_name.remove_prefix(1);
    for (const Unit& unit : kUnits) {
        if (unit.name != unit_name) continue;
        const double total = number * unit.factor;
        if (total > 9.2e18) return fail();
        return Bytes{static_cast<uint64_t>(std::llround(total))};
    }
    return fail();
}

}  // namespace cellblock
