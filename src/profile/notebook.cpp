// Notebooks are JSON of any size, most of it outputs: a parser that keeps nothing but one object.
#include <nlohmann/json.hpp>

#include "base/printable.hpp"
#include "profile/node.hpp"

namespace cellblock::profile {
namespace {

using Json = nlohmann::ordered_json;

/// Notebooks nest a dozen levels; the parser keeps a word for each, and a notebook may be nothing but
/// brackets.
constexpr int kMaxNesting = 256;
/// Events below `metadata.cellblock`: more than a document of all keys with lists as long as they may be. The
/// parser's objects look for each new key among all before it, so that without a bound a small notebook with
/// many keys holds the kernel up for hours.
constexpr size_t kMaxEvents = 8192;

/// Everything outside of `metadata.cellblock` is dropped as soon as it has been read.
Json parse_settings(const std::string& text, std::string& trouble) {
    std::string top;
    std::string second;
    size_t events = 0;
    const auto filter = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > kMaxNesting) throw Json::other_error::create(501, "it is nested too deeply", nullptr);
        if (depth == 0) return true;
        if (event == Json::parse_event_t::key && depth <= 2) {
            (depth == 1 ? top : second) = parsed.get<std::string>();
            if (depth == 1) second.clear();
        }
        if (top != "metadata") return false;
        // The object that is the value of "metadata" itself begins and ends at depth 1.
        if (depth == 1) return true;
        if (second != "cellblock") return false;
        if (++events > kMaxEvents)
            throw Json::other_error::create(501, "its metadata.cellblock has too many values", nullptr);
        return true;
    };
    try {
        return Json::parse(text, filter);
    } catch (const Json::other_error& error) {
        trouble = std::string_view(error.what()).find("nested") != std::string_view::npos
                      ? "it is nested too deeply"
                      : "they have too many values";
        return {};
    } catch (const Json::exception&) {
        trouble = "it is not JSON";
        return {};
    }
}

Result<Node> convert(const Json& from, const std::string& place, int depth) {
    if (depth > kMaxDepth) return Error("read " + place + ": this is nested too deeply for a profile");
    if (from.size() > kMaxMembers)
        return Error("read " + place + ": more than " + std::to_string(kMaxMembers) + " values");
    Node node;
    node.place = place;
    switch (from.type()) {
        case Json::value_t::object:
            node.kind = Node::Kind::table;
            for (const auto& [key, value] : from.items()) {
                Node child = TRY(convert(value, place + "." + printable(key.substr(0, 64)), depth + 1));
                child.key = key;
                child.key_place = child.place;
                node.children.push_back(std::move(child));
            }
            break;
        case Json::value_t::array:
            node.kind = Node::Kind::list;
            for (const Json& value : from) node.children.push_back(TRY(convert(value, place, depth + 1)));
            break;
        case Json::value_t::string:
            node.kind = Node::Kind::text;
            node.text = from.get<std::string>();
            break;
        case Json::value_t::number_integer:
        case Json::value_t::number_unsigned:
            node.kind = Node::Kind::whole;
            node.text = from.dump();
            break;
        case Json::value_t::number_float:
            node.kind = Node::Kind::real;
            node.text = from.dump();
            break;
        default:
            node.text = from.is_null() ? "null" : "true or false";
    }
    return node;
}

}  // namespace

Result<Node> parse_notebook(const std::string& text, const std::string& name) {
    Node nothing;
    nothing.kind = Node::Kind::table;
    nothing.place = name;
    // Nearly all notebooks: no reason to read them, or to trip over what is wrong with them.
    if (text.find("\"cellblock\"") == std::string::npos) return nothing;
    std::string trouble;
    const Json notebook = parse_settings(text, trouble);
    if (!trouble.empty())
        return Error("read the notebook " + name +
                     ", which seems to have settings in its metadata: " + trouble);
    const auto metadata = notebook.find("metadata");
    if (!notebook.is_object() || metadata == notebook.end() || !metadata->is_object()) return nothing;
    const auto ours = metadata->find("cellblock");
    if (ours == metadata->end()) return nothing;
    const std::string place = name + ": metadata.cellblock";
    if (!ours->is_object()) return Error("read " + place + ": an object is expected");
    return convert(*ours, place, 0);
}

}  // namespace cellblock::profile
