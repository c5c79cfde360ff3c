// The loop over the rows. The rights are cut to what the kernel knows: unknown bits give EINVAL, and a longer
// struct than it knows E2BIG.
#include "jail/landlock.hpp"

#include <algorithm>
#include <cstdint>

#include "jail/policy/landlock.hpp"
#include "jail/raw.hpp"

namespace cellblock::jail {
namespace {

// The numbers are the same on all architectures; struct and flags as of ABI 6, newer than some systems'
// headers.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kVersionFlag = 1;
constexpr unsigned kRuleBeneath = 1;

struct RulesetAttributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

struct [[gnu::packed]] BeneathRule {
    uint64_t allowed_access;
    int32_t parent_fd;
};

size_t known_size(int abi) {
    if (abi >= 6) return sizeof(RulesetAttributes);
    return abi >= 4 ? offsetof(RulesetAttributes, scoped) : offsetof(RulesetAttributes, handled_access_net);
}

int add_row(int ruleset, const policy::LandlockRow& row, uint64_t known) {
    const int target = raw::open(row.path, O_PATH);
    if (target < 0) return target;
    const BeneathRule rule{row.rights & known, target};
    const long e = raw::call(kAddRule, ruleset, kRuleBeneath, &rule, 0);
    raw::close(target);
    return static_cast<int>(e);
}

}  // namespace

int landlock_abi() {
    return std::max(0, static_cast<int>(raw::call(kCreateRuleset, nullptr, 0, kVersionFlag)));
}

int enter_landlock(const std::vector<policy::WritablePath>& writable, const char*& detail) {
    detail = "ruleset";
    const int abi = landlock_abi();
    if (abi == 0) return -EOPNOTSUPP;
    // TCP ports are not handled: the network namespace has no way out, and its loopback is for the cell's
    // use.
    const uint64_t known = policy::landlock_file_rights(abi);
    const RulesetAttributes attributes{known, 0, policy::landlock_scopes(abi)};
    const int ruleset = static_cast<int>(raw::call(kCreateRuleset, &attributes, known_size(abi), 0));
    if (ruleset < 0) return ruleset;
    for (const policy::LandlockRow& row : policy::landlock_rows()) {
        detail = row.path;
        if (const int e = add_row(ruleset, row, known); e < 0) return e;
    }
    for (const policy::WritablePath& path : writable) {
        detail = path.path.c_str();
        policy::LandlockRow row = policy::writable_row(path.kind);
        row.path = detail;
        if (const int e = add_row(ruleset, row, known); e < 0) return e;
    }
    detail = "restrict";
    const long e = raw::call(kRestrictSelf, ruleset, 0);
    raw::close(ruleset);
    return static_cast<int>(e);
}

}  // namespace cellblock::jail
