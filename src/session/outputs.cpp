// Runs in the loop's thread for each message of a cell, so everything here is one pass over the bytes.
#include "session/outputs.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>

#include "base/hex.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::session {
namespace {

using nlohmann::json;
using observe::Hash;
using observe::Sha256;
using observe::to_hex;
using protocol::find_member;

/// MIME types of one display, and its other members.
constexpr size_t kMaxMembers = 256;
/// Lines of one text that is saved as a list.
constexpr size_t kMaxLines = size_t{1} << 22U;
/// Backspaces in the midst of one line, each of which moves what is behind it.
constexpr size_t kMaxMoves = 64;
constexpr std::string_view kTroubleJson = "json";
constexpr std::string_view kTroubleWidget = "output_widget";

struct Kind {
    std::string_view name;
    char letter;
};
constexpr std::array<Kind, 4> kKinds{
    {{"stream", 's'}, {"error", 'e'}, {"display_data", 'd'}, {"execute_result", 'r'}}};

char letter_of(std::string_view type) {
    const auto* kind = std::ranges::find(kKinds, type, &Kind::name);
    return kind == kKinds.end() ? '\0' : kind->letter;
}

Hash hash_of(std::string_view text) {
    return Sha256::of(text);
}

std::string_view member(const std::vector<protocol::JsonMember>& members, std::string_view name) {
    return find_member(members, name).value_or("");
}

std::vector<protocol::JsonMember> members_of(std::string_view object) {
    auto members = protocol::scan_object(object, kMaxMembers);
    return members ? *std::move(members) : std::vector<protocol::JsonMember>();
}

// A text, or the list of its pieces; nothing for anything else.
std::optional<std::string> text_of(std::string_view value, std::string_view between = "") {
    if (auto text = protocol::as_string(value)) return text;
    const auto pieces = protocol::scan_array(value, kMaxLines);
    if (!pieces) return {};
    std::string all;
    for (size_t i = 0; i < pieces->size(); ++i) {
        const auto piece = protocol::as_string((*pieces)[i]);
        if (!piece) return {};
        if (i > 0) all += between;
        all += *piece;
    }
    return all;
}

// nbformat's rule for what is no text that may be broken into lines.
bool is_json_type(std::string_view mime) {
    return mime == "application/json" || (mime.starts_with("application/") && mime.ends_with("+json"));
}

// memchr() twice, which is many times as fast as looking for either.
bool has_control(std::string_view text) {
    return text.find('\b') != std::string_view::npos || text.find('\r') != std::string_view::npos;
}

void append_text(std::string& out, std::string_view text) {
    out += 's' + std::to_string(text.size()) + ':';
    out += text;
}

// As deep as the scanner lets pass, kMaxJsonDepth.
void append_canonical(std::string& out, const json& value) {  // NOLINT(misc-no-recursion)
    if (value.is_object()) {
        out += '{';
        for (const auto& [key, item] : value.items()) {  // sorted
            append_text(out, key);
            append_canonical(out, item);
        }
        out += '}';
    } else if (value.is_array()) {
        out += '[';
        for (const json& item : value) append_canonical(out, item);
        out += ']';
    } else if (value.is_string()) {
        append_text(out, value.get_ref<const std::string&>());
    } else if (value.is_number()) {
        // As JavaScript reads and writes them; -0 becomes 0 there.
        const auto bits = std::bit_cast<uint64_t>(value.get<double>() + 0.0);
        out += 'd';
        for (int shift = 56; shift >= 0; shift -= 8)
            append_hex(out, static_cast<unsigned char>(bits >> static_cast<unsigned>(shift)));
    } else {
        out += value.is_boolean() ? (value.get<bool>() ? 't' : 'f') : 'n';
    }
}

// What JupyterLab's processText() makes of one line without its end: a cursor that goes back and overwrites.
// It counts UTF-16 units. A line that is made to keep us busy stays as it is.
std::string obey_control(std::string_view line) {
    struct Unit {
        std::string_view bytes;  // of a code point outside of the first plane: all in the first of its two
    };
    std::vector<Unit> shown;
    size_t cursor = 0;
    size_t moves = 0;
    const auto put = [&](std::string_view bytes) {
        if (cursor == shown.size())
            shown.push_back({bytes});
        else
            shown[cursor] = {bytes};
        ++cursor;
    };
    const char* const end = line.data() + line.size();
    for (const char* p = line.data(); p != end;) {
        if (*p == '\r') {
            cursor = 0;
            ++p;
        } else if (*p == '\b') {
            if (cursor > 0) {
                if (cursor < shown.size() && ++moves > kMaxMoves) return std::string(line);
                const size_t last = std::min(shown.size(), cursor + 1);
                shown.erase(shown.begin() + static_cast<ptrdiff_t>(cursor - 1),
                            shown.begin() + static_cast<ptrdiff_t>(last));
                --cursor;
            }
            ++p;
        } else {
            const size_t size = static_cast<unsigned char>(*p) < 0x80 ? 1 : utf8_run(p, end).size;
            put({p, size});
            if (size == 4) put({});
            p += size;
        }
    }
    std::string text;
    for (const Unit& unit : shown) text += unit.bytes;
    return text;
}

}  // namespace

std::optional<std::string> canonical_json(std::string_view value) {
    if (value.size() > kMaxOutputJson) return {};
    try {
        const json parsed = json::parse(value);
        std::string out;
        append_canonical(out, parsed);
        return out;
    } catch (const json::exception&) {
        return {};  // NaN, or a number that is no double
    }
}

std::shared_ptr<const Displays::Display> Displays::set(const std::string& id, const Hash& body) {
    const auto found = displays_.find(id);
    if (found != displays_.end()) {
        update(id, body);
        return found->second;
    }
    if (displays_.size() == kMaxDisplays || id.size() > kMaxDisplayId) return nullptr;
    return displays_[id] = std::make_shared<Display>(Display{body});
}

void Displays::update(const std::string& id, const Hash& body) {
    const auto found = displays_.find(id);
    if (found == displays_.end() || found->second->body == body) return;
    found->second->body = body;
    ++changes_;
}

void Outputs::add(std::string_view type, std::string_view content, Displays& displays) {
    if (type == "clear_output") {
        if (protocol::as_bool(member(members_of(content), "wait")).value_or(false))
            clear_next_ = true;
        else
            clear();
    } else if (type == "comm_msg") {
        // An output widget asks the front end for the outputs of a request: they are its state then, and
        // not the cell's.
        if (content.find("\"msg_id\"") != std::string_view::npos) trouble_ = kTroubleWidget;
    } else if (type == "update_display_data") {
        add_display(type, content, &displays);
    } else {
        add_output(type, content, &displays);
    }
}

bool Outputs::add_saved(std::string_view output) {
    const auto members = protocol::scan_object(output, kMaxMembers);
    const auto type = members ? protocol::as_string(member(*members, "output_type")) : std::nullopt;
    // No displays: what a notebook says of their ids must not change other outputs.
    return type && add_output(*type, output, nullptr);
}

bool Outputs::add_output(std::string_view type, std::string_view content, Displays* displays) {
    const char letter = letter_of(type);
    if (letter == '\0') return false;
    if (clear_next_) clear();
    if (letter == 's') return add_stream(content);
    if (letter == 'e') return add_error(content);
    return add_display(type, content, displays);
}

bool Outputs::add_stream(std::string_view content) {
    const auto members = members_of(content);
    const auto name = protocol::as_string(member(members, "name"));
    const auto text = text_of(member(members, "text"));
    if (!name || !text) return false;
    if (!run_ || run_->name != *name) {
        end_run();
        run_ = std::make_unique<Run>();
        run_->name = *name;
        run_->plain.add(*name + "\n");
    }
    add_text(*text);
    return true;
}

// Text in which nothing has to be obeyed.
void Outputs::Run::add(std::string_view text) {
    plain.add(text);
    if (obeyed) obeyed->add(text);
}

// `line` goes into the hashes.
void Outputs::Run::end_line() {
    plain.add(line);
    if (obeyed) obeyed->add(line_has_control ? obey_control(line) : line);
    line.clear();
}

void Outputs::add_text(std::string_view text) {
    Run& run = *run_;
    // Most text has nothing to obey: whole lines go on as they are, in one piece.
    if (!run.line_has_control && !has_control(text)) {
        if (const size_t whole = text.rfind('\n') + 1; whole > 0) {
            run.end_line();
            run.add(text.substr(0, whole));
            run.is_long = false;
            text.remove_prefix(whole);
        }
    }
    while (!text.empty()) {
        const size_t feed = text.find('\n');
        const std::string_view part = text.substr(0, feed);
        if (has_control(part)) {
            // Up to here both are the same.
            if (!run.obeyed) run.obeyed = run.plain;
            run.line_has_control = true;
            if (run.is_long) note_trouble("long_line");
        }
        const bool goes_on = feed == std::string_view::npos;
        run.line += part;
        if (goes_on && run.line.size() <= kMaxOutputLine) return;
        run.end_line();
        run.is_long = goes_on;
        if (run.is_long) {
            if (run.line_has_control) note_trouble("long_line");
            return;
        }
        run.line_has_control = false;
        run.add("\n");
        text.remove_prefix(feed + 1);
    }
}

Outputs::Output Outputs::of_run() const {
    Sha256 plain = run_->plain;
    plain.add(run_->line);
    Output output{'s', plain.finish(), nullptr, {}};
    if (!run_->obeyed) return output;
    Sha256 obeyed = *run_->obeyed;
    obeyed.add(run_->line_has_control ? obey_control(run_->line) : run_->line);
    output.obeyed = obeyed.finish();
    return output;
}

void Outputs::end_run() {
    if (!run_) return;
    append(of_run());
    run_.reset();
}

bool Outputs::add_error(std::string_view content) {
    const auto members = members_of(content);
    const auto name = protocol::as_string(member(members, "ename"));
    const auto value = protocol::as_string(member(members, "evalue"));
    const auto traceback = text_of(member(members, "traceback"), "\n");
    if (!name || !value || !traceback) return false;
    end_run();
    append({'e', hash_of(*name + "\n" + *value + "\n" + *traceback), nullptr, {}});
    return true;
}

std::optional<Hash> Outputs::body_of(const std::vector<protocol::JsonMember>& members) {
    const auto data = protocol::scan_object(member(members, "data"), kMaxMembers);
    if (!data) return {};
    std::map<std::string_view, std::string_view> sorted;
    for (const auto& one : *data) sorted[one.key] = one.value;  // the last one counts
    std::string lines;
    const auto add_json = [&](const std::string& name, std::string_view value) {
        const auto canonical = canonical_json(value);
        if (!canonical) note_trouble(kTroubleJson);
        lines += name + " json " + to_hex(hash_of(canonical.value_or(""))) + "\n";
    };
    for (const auto& [mime, value] : sorted) {
        const std::string name = to_hex(hash_of(mime));
        const bool is_json = is_json_type(mime);
        // Figures are large: they are looked at where they are.
        const auto figure = is_json ? std::nullopt : protocol::as_plain_string(value);
        const auto text = is_json || figure ? std::nullopt : text_of(value);
        if (figure)
            lines += name + " text " + to_hex(hash_of(*figure)) + "\n";
        else if (text)
            lines += name + " text " + to_hex(hash_of(*text)) + "\n";
        else
            add_json(name, value);
    }
    const auto metadata = find_member(members, "metadata");
    add_json("metadata", metadata ? *metadata : "{}");
    return hash_of(lines);
}

bool Outputs::add_display(std::string_view type, std::string_view content, Displays* displays) {
    const auto members = members_of(content);
    const auto body = body_of(members);
    if (!body) return false;
    std::string id;
    if (displays)
        id = protocol::as_string(member(members_of(member(members, "transient")), "display_id")).value_or("");
    if (type == "update_display_data") {
        if (!id.empty()) displays->update(id, *body);
        return true;
    }
    end_run();
    Output output{letter_of(type), *body, nullptr, {}};
    if (!id.empty()) {
        output.display = displays->set(id, *body);
        if (!output.display) note_trouble("many_displays");
    }
    append(std::move(output));
    return true;
}

void Outputs::append(Output output) {
    if (outputs_.size() == kMaxOutputs)
        note_trouble("many_outputs");
    else
        outputs_.push_back(std::move(output));
}

void Outputs::clear() {
    outputs_.clear();
    run_.reset();
    clear_next_ = false;
    if (trouble_ != kTroubleWidget) trouble_ = "";
}

void Outputs::note_trouble(std::string_view word) {
    if (trouble_.empty()) trouble_ = word;
}

Outputs::Hashes Outputs::hashes() const {
    std::vector<Output> outputs = outputs_;
    if (run_) outputs.push_back(of_run());
    Sha256 plain;
    Sha256 obeyed;
    bool differs = false;
    for (const Output& output : outputs) {
        const auto* const kind = std::ranges::find(kKinds, output.kind, &Kind::letter);
        const std::string start = std::string(kind->name) + " ";
        const std::string line = start + to_hex(output.display ? output.display->body : output.body) + "\n";
        plain.add(line);
        obeyed.add(output.obeyed ? start + to_hex(*output.obeyed) + "\n" : line);
        differs = differs || output.obeyed;
    }
    Hashes hashes{plain.finish(), {}};
    if (differs) hashes.obeyed = obeyed.finish();
    return hashes;
}

}  // namespace cellblock::session
