// Folding.
#include "network/reports.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/check.hpp"

namespace cellblock::network {
namespace {

bool is_same(const Report& a, const Report& b) {
    return a.act == b.act && a.port == b.port && a.host == b.host && a.address == b.address &&
           a.reason == b.reason;
}

}  // namespace

std::string_view to_text(Act act) {
    switch (act) {
        case Act::connected:
            return "connected";
        case Act::refused:
            return "refused";
        case Act::closed:
            return "closed";
        case Act::unknown_name:
            return "unknown_name";
    }
    UNREACHABLE();
}

bool Reports::add(Report report) {
    const std::lock_guard lock(mutex_);
    const bool is_first = reports_.empty();
    const auto find = [&] {
        return std::ranges::find_if(reports_, [&](const Report& known) { return is_same(known, report); });
    };
    const auto has_room = [&] {
        if (reports_.size() >= kMaxReports) return false;
        return report.act != Act::unknown_name ||
               std::ranges::count(reports_, Act::unknown_name, &Report::act) <
                   static_cast<ptrdiff_t>(kMaxUnknownNames);
    };
    auto known = find();
    if (known == reports_.end() && !has_room()) {
        report.host.clear();
        report.address.clear();
        report.reason.clear();
        report.port = 0;
        known = find();
    }
    if (known == reports_.end()) {
        reports_.push_back(std::move(report));
    } else {
        known->count += report.count;
        known->sent += report.sent;
        known->received += report.received;
    }
    return is_first;
}

std::vector<Report> Reports::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(reports_, {});
}

}  // namespace cellblock::network
