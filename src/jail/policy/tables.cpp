// From the rows that the jail applies to words.
#include "jail/policy/tables.hpp"

#include <linux/landlock.h>

#include <cstring>
#include <map>

#include "jail/policy/guarantees.hpp"
#include "jail/policy/landlock.hpp"
#include "jail/policy/limits.hpp"
#include "jail/policy/mounts.hpp"
#include "jail/policy/syscalls.hpp"
#include "jail/selftest.hpp"

namespace cellblock::jail::policy {
namespace {

std::string answer_text(const Answer& answer) {
    if (answer == kAllow) return "goes through";
    return std::string(strerrorname_np(answer.error)) + (answer.reported ? ", reported" : "");
}

std::string hexadecimal(uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string condition_text(const Condition& condition) {
    const std::string argument = "argument " + std::to_string(condition.argument + 1);
    if (condition.match == Match::greater) return argument + " > " + std::to_string(condition.value);
    if (condition.mask == 0) return "";
    if (condition.mask == condition.value) return argument + " has " + hexadecimal(condition.value);
    const std::string value =
        condition.value < 10 ? std::to_string(condition.value) : hexadecimal(condition.value);
    if (condition.mask == 0xffffffff) return argument + " is " + value;
    return argument + " & " + hexadecimal(condition.mask) + " is " + value;
}

Table allowed_calls() {
    Table table{"calls",
                "System calls that go through",
                "By number, in a seccomp filter that every process of the jail inherits and none can take "
                "off. A call "
                "that no table here names does not exist (ENOSYS), also one that the kernel gets tomorrow.",
                {"why", "calls"},
                {}};
    // Calls that share a reason are one row, where the first of them stands.
    std::map<std::string_view, size_t> places;
    for (const CallRow& row : calls()) {
        if (row.answer != kAllow) continue;
        std::string reason = row.reason;
        if (row.when == When::hard_memory_limit) reason += " (level full only)";
        const auto [place, is_new] = places.emplace(row.reason, table.rows.size());
        if (is_new)
            table.rows.push_back({reason, std::string(row.name)});
        else
            table.rows[place->second][1] += " " + std::string(row.name);
    }
    return table;
}

Table refused_calls() {
    Table table{"refused-calls",
                "System calls that are refused by name",
                "\"Reported\": the call looks like an escape. The caller is stopped, the kernel process is "
                "told, counts it "
                "and gives the error; the interpreter lives on. The others are tried by harmless programs, "
                "which then do "
                "otherwise.",
                {"call", "answer", "why"},
                {}};
    for (const CallRow& row : calls())
        if (row.answer != kAllow)
            table.rows.push_back({std::string(row.name), answer_text(row.answer), row.reason});
    return table;
}

Table refused_argument_rows() {
    Table table{
        "arguments",
        "Arguments that are refused to calls that otherwise go through",
        "Compared by value. What a pointer points to is never looked at: it can change after the check.",
        {"call", "when", "answer", "why"},
        {}};
    for (const ArgumentRow& row : refused_arguments()) {
        std::string when = condition_text(row.first);
        if (const std::string second = condition_text(row.second); !second.empty()) when += ", " + second;
        table.rows.push_back({std::string(row.name), when, answer_text(row.answer), row.reason});
    }
    return table;
}

Table memory_requests_table() {
    Table table{"memory-requests",
                "Requests for much memory at once",
                "They go through while the jail stays below its soft memory limit with them, else they get "
                "ENOMEM. "
                "Compared by value; the kernel process is asked each time.",
                {"call", "when", "why"},
                {}};
    for (const ArgumentRow& row : memory_requests()) {
        std::string when = condition_text(row.first);
        if (const std::string second = condition_text(row.second); !second.empty()) when += ", " + second;
        table.rows.push_back({std::string(row.name), when, row.reason});
    }
    return table;
}

const char* view_text(View view) {
    switch (view) {
        case View::directory:
            return "directory";
        case View::host_tree:
            return "the host's, read-only";
        case View::host_symlink:
            return "the host's symlink";
        case View::host_device:
            break;  // in a table of their own
        case View::text:
            return "generated";
        case View::symlink:
            return "symlink";
        case View::scratch:
        case View::shared_memory:
            return "writable, limited";
        case View::processes:
            return "proc of the jail";
        case View::terminals:
            return "devpts of the jail";
    }
    UNREACHABLE();
}

Table view() {
    Table table{"files",
                "Files that exist in the jail",
                "The root is a tmpfs of the jail's own, read-only. To these come the Python environment, the "
                "worker's "
                "package and, where the kernel is told so, the notebook's directory: through read-only "
                "overlays, at their "
                "own paths. Nothing else exists.",
                {"path", "what", "why"},
                {}};
    for (const ViewRow& row : base_view())
        if (row.view != View::host_device) table.rows.push_back({row.path, view_text(row.view), row.reason});
    return table;
}

Table devices() {
    Table table{"devices",
                "Devices that exist in the jail",
                "The host's, by name; none can be made (mknod is refused). Terminals are the jail's own, in "
                "/dev/pts.",
                {"path", "why"},
                {}};
    for (const ViewRow& row : base_view())
        if (row.view == View::host_device) table.rows.push_back({row.path, row.reason});
    return table;
}

Table masks() {
    Table table{"proc",
                "Parts of /proc that belong to the host",
                "Hidden: an empty file or directory stands in its place.",
                {"path", "what", "why"},
                {}};
    for (const MaskRow& row : process_masks())
        table.rows.push_back({row.path, row.mask == Mask::read_only ? "read-only" : "hidden", row.reason});
    return table;
}

Table quotas() {
    Table table{"quotas",
                "Quotas of the jail's user namespace",
                "A second lock behind the system call filter: also without it no namespace could be made.",
                {"sysctl", "value", "why"},
                {}};
    for (const QuotaRow& row : namespace_quotas()) table.rows.push_back({row.path, row.value, row.reason});
    return table;
}

std::string rights_text(uint64_t rights) {
    constexpr uint64_t kMake = LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG;
    std::string text;
    const auto add = [&text](const char* word) { text += (text.empty() ? "" : ", ") + std::string(word); };
    if ((rights & LANDLOCK_ACCESS_FS_READ_FILE) != 0) add("read");
    if ((rights & LANDLOCK_ACCESS_FS_EXECUTE) != 0) add("execute");
    if ((rights & LANDLOCK_ACCESS_FS_WRITE_FILE) != 0) add("write");
    if ((rights & kMake) == kMake) add("create and remove, but no devices");
    return text;
}

Table landlock() {
    Table table{"landlock",
                "What Landlock allows below which path",
                "The second lock behind the mounts. What no row grants is refused. Processes cannot reach "
                "abstract sockets "
                "of, or send signals to, anybody outside (kernels from Linux 6.12).",
                {"path", "rights", "why"},
                {}};
    for (const LandlockRow& row : landlock_rows())
        table.rows.push_back({row.path, rights_text(row.rights), row.reason});
    for (const auto kind : {WritablePath::Kind::changed_directory, WritablePath::Kind::volume}) {
        const LandlockRow row = writable_row(kind);
        table.rows.push_back({row.path, rights_text(row.rights), row.reason});
    }
    return table;
}

Table process_limits(Level level, const Limits& limits) {
    Table table{"rlimits",
                "Limits of each process (setrlimit)",
                "Behind the limits of the cgroup, which hold for the whole jail; at level namespaced the "
                "only hard ones. "
                "The values are those of the default limits.",
                {"resource", "limit", "why"},
                {}};
    for (const ResourceLimit& row : resource_limits(Backend::native, level, limits))
        table.rows.push_back({row.name, std::to_string(row.hard), row.reason});
    return table;
}

Table backends() {
    Table table{"backends",
                "What each isolation backend provides",
                "native is Cellblock itself, bwrap is bubblewrap, runsc is gVisor (isolation.backend). What "
                "a kernel asks "
                "for and its backend does not provide is an error at its start.",
                {"guarantee", "meaning", "native", "bwrap", "with bwrap", "runsc", "with runsc"},
                {}};
    const auto answer = [](bool provided) { return provided ? "yes" : "no"; };
    for (const GuaranteeRow& row : guarantees())
        table.rows.push_back({row.name, row.meaning, answer(row.native), answer(row.bwrap), row.by_bwrap,
                              answer(row.runsc), row.by_runsc});
    return table;
}

Table self_test() {
    Table table{"self-test",
                "Acts that each new jail tries and must fail at",
                "Before anything of the user's runs. If one succeeds, the jail is not used.",
                {"act"},
                {}};
    for (const ForbiddenAct& act : forbidden_acts()) table.rows.push_back({act.name});
    return table;
}

}  // namespace

std::vector<Table> tables(Level level, const Limits& limits) {
    return {view(),
            devices(),
            masks(),
            landlock(),
            allowed_calls(),
            refused_calls(),
            refused_argument_rows(),
            memory_requests_table(),
            process_limits(level, limits),
            quotas(),
            self_test(),
            backends()};
}

}  // namespace cellblock::jail::policy
