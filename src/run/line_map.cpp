// A place is a file's name, with or without the directory that programs run in, and a number behind it in one
// of the ways that the five languages write it.
#include "run/line_map.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "jail/jail.hpp"

namespace cellblock::run {
namespace {

using namespace std::string_view_literals;

/// What stands before the name of a program's file. The longest first.
constexpr std::array kBefore{"file:///home/cell/"sv, "/home/cell/"sv, "./"sv, ""sv};
static_assert(kBefore[1].substr(0, kBefore[1].size() - 1) == jail::kHome);

/// What stands between a file's name and a line: Python's way, and everybody else's.
constexpr std::array kBetween{"\", line "sv, ":"sv};

bool is_of_path(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/' || c == '$' || static_cast<unsigned char>(c) >= 0x80U;
}

/// A number at the beginning of `text`, and how many digits it has.
std::optional<std::pair<size_t, size_t>> number_at(std::string_view text) {
    size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    return std::pair{number, static_cast<size_t>(end - text.data())};
}

}  // namespace

const Region* LineMap::find(std::string_view file, size_t line) const {
    const auto found = std::ranges::find_if(regions_, [&](const Region& region) {
        return region.file == file && line >= region.first && line - region.first < region.count;
    });
    return found == regions_.end() ? nullptr : &*found;
}

/// True when there is a place at `at` of one of our files: then it is in `out`, and `at` behind it.
bool LineMap::replace_place(std::string_view line, size_t& at, std::string& out, std::string& file) const {
    for (const Region& candidate : regions_)
        for (const std::string_view before : kBefore) {
            const std::string_view rest = line.substr(at);
            if (!rest.starts_with(before) || !rest.substr(before.size()).starts_with(candidate.file))
                continue;
            size_t behind = before.size() + candidate.file.size();
            for (const std::string_view between : kBetween) {
                if (!rest.substr(behind).starts_with(between)) continue;
                const auto number = number_at(rest.substr(behind + between.size()));
                if (!number) continue;
                file = candidate.file;
                const Region* const region = find(file, number->first);
                if (region == nullptr) return false;
                out += region->name;
                out += between;
                out += std::to_string(number->first - region->first + 1);
                behind += between.size() + number->second;
                const auto column =
                    rest.substr(behind).starts_with(':') ? number_at(rest.substr(behind + 1)) : std::nullopt;
                if (column) {
                    out += ":" + std::to_string(
                                     column->first > region->indent ? column->first - region->indent : 1);
                    behind += 1 + column->second;
                }
                at += behind;
                return true;
            }
        }
    return false;
}

std::string LineMap::apply_to_line(std::string_view line, std::string& file) const {
    // rustc: "17 |     let x = 1;", right-aligned to the highest number that it shows.
    const size_t digits = std::min(line.find_first_not_of(' '), line.size());
    if (const auto number = number_at(line.substr(digits)); number && !file.empty())
        if (const size_t width = digits + number->second; line.substr(width).starts_with(" |"))
            if (const Region* const region = find(file, number->first)) {
                const std::string text = std::to_string(number->first - region->first + 1);
                const std::string padding(number->second - std::min(number->second, text.size()), ' ');
                return std::string(line.substr(0, digits)) + padding + text + std::string(line.substr(width));
            }
    std::string out;
    for (size_t at = 0; at < line.size();) {
        const bool may_begin = at == 0 || !is_of_path(line[at - 1]);
        if (!may_begin || !replace_place(line, at, out, file)) out += line[at++];
    }
    return out;
}

std::string LineMap::apply(std::string_view text) const {
    MappedLines lines(*this);
    std::string out = lines.add(text);
    return out + lines.finish();
}

std::string MappedLines::add(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
        const size_t end = bytes.find('\n');
        const bool ends = end != std::string_view::npos;
        const std::string_view piece = bytes.substr(0, ends ? end + 1 : bytes.size());
        bytes.remove_prefix(piece.size());
        if (is_too_long_) {
            out += piece;
        } else if (unfinished_.size() + piece.size() > kMaxLine) {
            out += unfinished_;
            out += piece;
            unfinished_.clear();
            is_too_long_ = true;
        } else {
            unfinished_ += piece;
            if (ends) out += finish();
        }
        if (ends) is_too_long_ = false;
    }
    return out;
}

std::string MappedLines::finish() {
    std::string out = map_.apply_to_line(unfinished_, file_);
    unfinished_.clear();
    return out;
}

}  // namespace cellblock::run
