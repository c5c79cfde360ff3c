// Folding.
#include "network/reports.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/printable.hpp"

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
    report.host = printable(report.host);
    const std::lock_guard lock(mutex_);
    const bool is_first = reports_.empty();
    const auto find = [&] {
        return std::ranges::find_if(reports_, [&](const Report& known) { return is_same(known, report); });
    };
    auto known = find();
    if (known == reports_.end() && reports_.size() >= kMaxReports) {
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
