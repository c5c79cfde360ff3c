// Comparing by hashes of code and of outputs; ids of cells only choose among equal ones.
#include "cli/notebook_match.hpp"

#include <algorithm>

#include "observe/hash.hpp"
#include "protocol/json_scan.hpp"
#include "session/outputs.hpp"

namespace cellblock::cli {
namespace {

using protocol::find_member;
using protocol::JsonMember;
using protocol::text_member;

constexpr size_t kMaxMembers = 256;
constexpr size_t kMaxLines = size_t{1} << 22U;

Result<std::string> source_of(const std::vector<JsonMember>& cell) {
    const std::string_view value = find_member(cell, "source").value_or("");
    if (auto text = protocol::as_string(value)) return *std::move(text);
    std::string all;
    for (const std::string_view line : TRY(protocol::scan_array(value, kMaxLines))) {
        const auto text = protocol::as_string(line);
        if (!text) return Error("its source is neither a text nor a list of texts");
        all += *text;
    }
    return all;
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

std::string explain_trouble(const std::string& word) {
    if (word == "output_widget")
        return "its outputs went to a widget, or its own code said so, and notebooks keep those elsewhere";
    if (word == "json") return "a display of it is no JSON, or too large to be compared";
    if (word == "long_line") return "a line that it printed and went back in is too long to be compared";
    return "it had more outputs than are compared";
}

}  // namespace

std::string_view to_text(MatchState state) {
    switch (state) {
        case MatchState::match:
            return "match";
        case MatchState::edited:
            return "edited";
        case MatchState::unrecorded:
            return "unrecorded";
        case MatchState::unclear:
            return "unclear";
        case MatchState::empty:
            return "empty";
    }
    return "";
}

Result<NotebookMatch> NotebookMatch::read(std::string_view text) {
    const auto root = TRY(protocol::scan_object(text, kMaxMembers));
    const auto format = find_member(root, "nbformat");
    if (!format || protocol::as_integer(*format) != 4)
        return Error("it is no notebook of format 4")
            .with_remedy("\"jupyter nbconvert --to notebook\" converts older ones.");
    NotebookMatch match;
    size_t number = 0;
    for (const std::string_view object :
         TRY(protocol::scan_array(find_member(root, "cells").value_or(""), kMaxNotebookCells))) {
        ++number;
        const auto members = TRY(protocol::scan_object(object, kMaxMembers));
        if (text_member(members, "cell_type") != "code") continue;
        Cell cell;
        cell.cell.number = number;
        cell.cell.id = text_member(members, "id");
        cell.cell.source = TRY(source_of(members));
        cell.code = observe::to_hex(observe::Sha256::of(cell.cell.source));
        session::Outputs outputs;
        for (const std::string_view output :
             TRY(protocol::scan_array(find_member(members, "outputs").value_or("[]"), kMaxLines))) {
            cell.has_outputs = true;
            if (!outputs.add_saved(output)) cell.trouble = "an output of it is none that a kernel sends";
        }
        cell.outputs = observe::to_hex(outputs.hashes().plain);
        if (cell.trouble.empty() && !outputs.trouble().empty())
            cell.trouble = explain_trouble(std::string(outputs.trouble()));
        match.codes_.insert(cell.code);
        // Without outputs it would be every silent cell's.
        if (cell.has_outputs) match.outputs_.insert(cell.outputs);
        match.cells_.push_back(std::move(cell));
    }
    return match;
}

void NotebookMatch::add_record(std::string_view type, std::string_view line) {
    if (type != "cell_start" && type != "cell_end" && type != "outputs_changed") return;
    const auto scanned = protocol::scan_object(line);
    if (!scanned) return;
    const auto& members = *scanned;
    const std::string code = text_member(members, "code_sha256");
    const Run run{text_member(members, "kernel"), std::string(find_member(members, "cell").value_or(""))};
    if (type == "cell_start") {
        if (codes_.contains(code)) open_[run] = code;
        return;
    }
    open_.erase(run);
    Produced produced;
    produced.record = {std::string(find_member(members, "seq").value_or("")), text_member(members, "time"),
                       text_member(members, "verdict"), run.first, text_member(members, "hash")};
    produced.cell_id = text_member(members, "cell_id");
    produced.trouble = text_member(members, "incomparable");
    const bool is_ours = codes_.contains(code);
    if (is_ours && type == "cell_end") ends_[run] = produced;
    if (const auto end = ends_.find(run); type == "outputs_changed" && end != ends_.end())
        produced.record.verdict = end->second.record.verdict;
    if (is_ours) {
        by_code_[code] = produced;
        if (!produced.trouble.empty()) incomparable_[code] = produced;
    }
    for (const char* name : {"outputs_sha256", "outputs_obeyed_sha256"}) {
        const std::string outputs = text_member(members, name);
        if (!outputs_.contains(outputs) && !is_ours) continue;
        if (is_ours && !outputs.empty()) produced_[{code, outputs}][produced.cell_id] = produced;
        if (outputs_.contains(outputs)) by_outputs_[outputs] = produced;
    }
}

const NotebookMatch::Produced* NotebookMatch::find(const std::string& code, const std::string& outputs,
                                                   const std::string& cell_id) const {
    const auto found = produced_.find({code, outputs});
    if (found == produced_.end()) return nullptr;
    if (const auto same = found->second.find(cell_id); same != found->second.end()) return &same->second;
    const auto newer = [](const auto& a, const auto& b) {
        return a.second.record.time < b.second.record.time;
    };
    return &std::ranges::max_element(found->second, newer)->second;
}

void NotebookMatch::judge(Cell& cell) const {
    const auto conclude = [&](MatchState state, const std::string& reason, const Produced* produced) {
        cell.cell.state = state;
        cell.cell.reason = reason;
        if (produced) cell.cell.record = produced->record;
    };
    const auto newest = [&](const auto& map, const std::string& key) {
        const auto found = map.find(key);
        return found == map.end() ? nullptr : &found->second;
    };
    if (is_blank(cell.cell.source) && !cell.has_outputs) return conclude(MatchState::empty, "", nullptr);
    if (cell.trouble.empty()) {
        if (const Produced* same = find(cell.code, cell.outputs, cell.cell.id))
            return conclude(MatchState::match, "", same);
    }
    const Produced* by_code = newest(by_code_, cell.code);
    if (const Produced* incomparable = newest(incomparable_, cell.code))
        return conclude(MatchState::unclear, explain_trouble(incomparable->trouble), incomparable);
    if (by_code && !cell.trouble.empty()) return conclude(MatchState::edited, cell.trouble, by_code);
    if (by_code) {
        const std::string reason = cell.has_outputs ? "this code ran with other outputs"
                                                    : "this code ran with outputs, which are not here";
        return conclude(MatchState::edited, reason, by_code);
    }
    if (std::ranges::any_of(open_, [&](const auto& entry) { return entry.second == cell.code; }))
        return conclude(MatchState::unclear,
                        "a cell of this code was begun; the record of its end is missing", nullptr);
    if (const Produced* other = cell.has_outputs ? newest(by_outputs_, cell.outputs) : nullptr)
        return conclude(MatchState::edited, "other code produced these outputs", other);
    conclude(MatchState::unrecorded, "no record is about this code", nullptr);
}

std::vector<MatchedCell> NotebookMatch::cells() {
    std::vector<MatchedCell> result;
    for (Cell& cell : cells_) {
        judge(cell);
        result.push_back(cell.cell);
    }
    return result;
}

}  // namespace cellblock::cli
