// From the tree to entries: one loop over what is written, one lookup in the table.
#include "profile/document.hpp"

#include <algorithm>

#include "base/printable.hpp"
#include "base/spelling.hpp"

namespace cellblock::profile {
namespace {

constexpr std::string_view kBase = "profile";
constexpr std::string_view kCeiling = "ceiling";
constexpr size_t kMaxShown = 80;

// Keys of strangers, in a sentence.
std::string shown(std::string_view text) {
    return printable(text.substr(0, kMaxShown));
}

std::string_view section_of(std::string_view key) {
    return key.substr(0, key.find('.'));
}
std::string_view name_of(std::string_view key) {
    return key.substr(key.find('.') + 1);
}

std::vector<std::string_view> sections() {
    std::vector<std::string_view> found;
    for (const Setting& setting : settings())
        if (found.empty() || found.back() != section_of(setting.key))
            found.push_back(section_of(setting.key));
    return found;
}

bool is_section(std::string_view name) {
    return std::ranges::count(sections(), name) != 0;
}

/// The key that was meant: the right name in the wrong place, or the nearest.
std::string nearest(const std::string& key) {
    const Setting* best = nullptr;
    for (const Setting& setting : settings()) {
        if (name_of(setting.key) == name_of(key)) return std::string(setting.key);
        const auto distance = [&](const Setting& row) { return edit_distance(key, row.key); };
        if (is_misspelt(key, setting.key) && (!best || distance(setting) < distance(*best))) best = &setting;
    }
    for (const Setting& setting : settings())
        if (!best && is_misspelt(name_of(key), name_of(setting.key))) best = &setting;
    return best ? std::string(best->key) : "";
}

std::string known_names(std::string_view section) {
    std::string text;
    for (const Setting& setting : settings())
        if (section.empty() || section_of(setting.key) == section)
            text += (text.empty() ? "" : ", ") +
                    std::string(section.empty() ? setting.key : name_of(setting.key));
    return text;
}

Error unknown(const std::string& key, const std::string& place) {
    Error error("read " + place + ": there is no key " + shown(key));
    const std::string_view section = key.find('.') == std::string::npos ? "" : section_of(key);
    if (const std::string meant = nearest(key); !meant.empty())
        return std::move(error).with_remedy("Did you mean " + meant + "?");
    if (is_section(section))
        return std::move(error).with_remedy("Keys of [" + std::string(section) +
                                            "] are: " + known_names(section) + ".");
    return std::move(error).with_remedy("\"cellblock explain settings\" lists the keys.");
}

bool takes(const Setting& setting, const Node& node) {
    if (const auto* number = std::get_if<Number>(&setting.type)) {
        if (node.kind == Node::Kind::text)
            return !is_bare(number->unit) || (!number->unlimited.empty() && node.text == number->unlimited);
        if (number->unit == Number::Unit::count) return node.kind == Node::Kind::whole;
        return is_bare(number->unit) && (node.kind == Node::Kind::whole || node.kind == Node::Kind::real);
    }
    if (const auto* text = std::get_if<Text>(&setting.type); text && text->separator != 0)
        return node.kind == Node::Kind::list;
    return node.kind == Node::Kind::text;
}

Result<std::string> text_of(const Setting& setting, const Node& node) {
    if (!takes(setting, node))
        return Error("read " + node.place + ": " + std::string(setting.key) + " is " + kind_text(node) +
                     ", but " + expected(setting) + " is expected")
            .with_remedy("Write for example: " + std::string(name_of(setting.key)) + " = " +
                         example(setting));
    if (node.kind != Node::Kind::list) return node.text;
    const char separator = std::get<Text>(setting.type).separator;
    std::string joined;
    for (const Node& item : node.children) {
        if (item.kind != Node::Kind::text)
            return Error("read " + item.place + ": " + std::string(setting.key) + " has " + kind_text(item) +
                         " in it, but " + expected(setting) + " is expected");
        if (item.text.empty() || item.text.find(separator) != std::string::npos)
            return Error("read " + item.place + ": a value of " + std::string(setting.key) +
                         " cannot be empty or have \"" + separator + "\" in it");
        joined += (joined.empty() ? "" : std::string(1, separator)) + item.text;
    }
    return node.children.empty() ? "none" : joined;
}

Result<void> read_section(const Node& section, Extent extent, std::vector<Entry>& entries) {
    if (section.kind != Node::Kind::table)
        return Error("read " + section.place + ": " + shown(section.key) + " is a section, but " +
                     kind_text(section) + " was given")
            .with_remedy("Write [" + shown(section.key) + "] and the keys below it.");
    for (const Node& node : section.children) {
        const std::string key = section.key + "." + node.key;
        const Setting* setting = node.key.find('.') == std::string::npos ? find_setting(key) : nullptr;
        if (setting == nullptr) return unknown(key, node.key_place);
        std::string text = TRY(text_of(*setting, node));
        // What is not theirs to say is not looked at further: some values are paths, and looking at those
        // would let strangers reach for files and servers.
        const bool is_theirs = extent != Extent::settings || setting->strangers_may_tighten;
        session::LaunchOptions tried;
        if (auto applied = is_theirs ? apply(*setting, text, tried) : Result<void>(); !applied)
            return std::move(applied.error())
                .context("read " + node.place + ": " + std::string(setting->key));
        entries.push_back({setting, std::move(text), node.place});
    }
    return {};
}

Result<void> read_ceilings(const Node& node, Document& document) {
    if (node.kind != Node::Kind::table)
        return Error("read " + node.place + ": ceiling is a section, but " + kind_text(node) + " was given")
            .with_remedy("Write for example [ceiling.limits] and the keys below it.");
    for (const Node& section : node.children) {
        if (!is_section(section.key)) return unknown(section.key, section.key_place);
        TRY(read_section(section, Extent::base_and_ceiling, document.ceilings));
    }
    return {};
}

}  // namespace

std::string kind_text(const Node& node) {
    switch (node.kind) {
        case Node::Kind::table:
            return "a section";
        case Node::Kind::list:
            return "a list";
        case Node::Kind::text:
            return "the text \"" + shown(node.text) + "\"";
        case Node::Kind::whole:
        case Node::Kind::real:
            return "the number " + node.text;
        case Node::Kind::other:
            return node.text;
    }
    UNREACHABLE();
}

Result<Document> read_document(const Node& root, Extent extent) {
    Document document;
    for (const Node& node : root.children) {
        if (is_section(node.key)) {
            TRY(read_section(node, extent, document.entries));
        } else if (node.key == kBase) {
            if (extent == Extent::settings)
                return Error("read " + node.key_place + ": a project or notebook cannot choose a profile")
                    .with_remedy("It can only tighten single settings, such as limits.memory.");
            if (node.kind != Node::Kind::text)
                return Error("read " + node.place + ": profile is " + kind_text(node) +
                             ", but a name is expected");
            document.base = node.text;
            document.base_place = node.place;
        } else if (node.key == kCeiling) {
            if (extent != Extent::base_and_ceiling)
                return Error("read " + node.key_place + ": only the system's file can have ceilings");
            TRY(read_ceilings(node, document));
        } else {
            return unknown(node.key, node.key_place);
        }
    }
    return document;
}

}  // namespace cellblock::profile
