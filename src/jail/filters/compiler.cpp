// From policy rows to BPF.
#include "jail/filters/compiler.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/check.hpp"
#include "base/sys.hpp"
#include "jail/policy/syscalls.hpp"

namespace cellblock::jail {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
// From here on, calls have the numbers of x32, another table of the same architecture.
constexpr uint32_t kForeignNumbers = 0x40000000;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr uint32_t kForeignNumbers = 0;
#endif

// A process that calls through another table of numbers would evade every row: kill it, all threads of it.
// gVisor's kernel would end one thread; SIGSYS ends them all, or the call is refused.
uint32_t foreign(Watch watch) {
    return watch == Watch::listener ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_TRAP;
}

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

Error seccomp_error(const std::string& act, int negative_errno) {
    return Error(act, -negative_errno);
}

Result<Context> make_context(uint32_t default_action, Watch watch) {
    Context context(seccomp_init(default_action), &seccomp_release);
    if (!context) return Error("compile the system call filter: libseccomp gave no context");
    const uint32_t kill = watch == Watch::listener ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_TRAP;
    if (const int e = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, kill); e < 0)
        return seccomp_error("refuse foreign architectures", e);
    // A binary tree over the numbers; without effect in older versions of the library, which only costs time.
    [[maybe_unused]] const int ignored = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return context;
}

Result<int> resolve(std::string_view name) {
    const int number = call_number(name);
    if (number == __NR_SCMP_ERROR)
        return Error("compile the system call filter: unknown call " + std::string(name));
    return number;
}

/// For libseccomp.
uint32_t action(const policy::Answer& answer, Watch watch) {
    if (answer == policy::kAllow) return SCMP_ACT_ALLOW;
    return answer.reported && watch == Watch::listener ? SCMP_ACT_NOTIFY
                                                       : SCMP_ACT_ERRNO(static_cast<uint32_t>(answer.error));
}

/// For Linux.
uint32_t returned(const policy::Answer& answer, Watch watch) {
    if (answer == policy::kAllow) return SECCOMP_RET_ALLOW;
    return answer.reported && watch == Watch::listener
               ? SECCOMP_RET_USER_NOTIF
               : SECCOMP_RET_ERRNO | static_cast<uint32_t>(answer.error);
}

scmp_arg_cmp comparison(const policy::Condition& condition) {
    scmp_arg_cmp result{};
    result.arg = condition.argument;
    if (condition.match == policy::Match::greater) {
        result.op = SCMP_CMP_GT;
        result.datum_a = condition.value;
    } else {
        result.op = SCMP_CMP_MASKED_EQ;
        result.datum_a = condition.mask;
        result.datum_b = condition.value;
    }
    return result;
}

bool is_always(const policy::Condition& condition) {
    return condition.match == policy::Match::equals && condition.mask == 0;
}

Result<BpfProgram> to_program(const Context& context) {
    const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
    if (!file.valid()) return errno_error("create memory for the system call filter");
    if (const int e = seccomp_export_bpf(context.get(), file.get()); e < 0)
        return seccomp_error("export the system call filter", e);
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    if (size <= 0 || static_cast<size_t>(size) % sizeof(sock_filter) != 0)
        return Error("export the system call filter: unexpected size");
    BpfProgram program(static_cast<size_t>(size) / sizeof(sock_filter));
    if (::pread(file.get(), program.data(), static_cast<size_t>(size), 0) != size)
        return errno_error("read the system call filter");
    return program;
}

/// From this number up to the next range's, the answer is the same.
struct Range {
    uint32_t first;
    uint32_t action;
};

/// A binary tree of comparisons; what is not below a range's first number is looked for behind it.
void append_tree(BpfProgram& program, std::span<const Range> ranges) {
    if (ranges.size() == 1) {
        program.push_back({BPF_RET | BPF_K, 0, 0, ranges.front().action});
        return;
    }
    const size_t half = ranges.size() / 2;
    const size_t at = program.size();
    program.push_back({});
    append_tree(program, ranges.first(half));
    const size_t lower = program.size() - at - 1;
    CHECK(lower <= UINT8_MAX);
    program[at] = {BPF_JMP | BPF_JGE | BPF_K, static_cast<uint8_t>(lower), 0, ranges[half].first};
    append_tree(program, ranges.subspan(half));
}

// Not by libseccomp, which compares with each number: loading takes Linux time for each instruction, and is
// among the dearest steps of a jail's start.
Result<BpfProgram> compile_calls(Level level, Watch watch) {
    constexpr uint32_t kUnknown = SECCOMP_RET_ERRNO | ENOSYS;
    std::map<uint32_t, uint32_t> answers;
    for (const policy::CallRow& row : policy::calls()) {
        // A number below 0 stands for a call that this architecture does not have.
        const int number = TRY(resolve(row.name));
        if (number < 0) continue;
        const bool holds = row.when == policy::When::always || level == Level::full;
        answers[static_cast<uint32_t>(number)] = returned(holds ? row.answer : policy::kNotAccounted, watch);
    }
    std::vector<Range> ranges;
    const auto add = [&ranges](uint32_t first, uint32_t action) {
        if (ranges.empty() || ranges.back().action != action) ranges.push_back({first, action});
    };
    add(0, kUnknown);
    for (auto answer = answers.begin(); answer != answers.end(); ++answer) {
        if (answer->first == 0) ranges.clear();
        add(answer->first, answer->second);
        if (const auto next = std::next(answer); next == answers.end() || next->first != answer->first + 1)
            add(answer->first + 1, kUnknown);
    }
    if (kForeignNumbers != 0) {
        add(kForeignNumbers, foreign(watch));
        add(UINT32_MAX, kUnknown);  // What a tracer makes of a call that it skips.
    }
    BpfProgram program{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, arch)},
                       {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, kArchitecture},
                       {BPF_RET | BPF_K, 0, 0, foreign(watch)},
                       {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)}};
    append_tree(program, ranges);
    return program;
}

Result<BpfProgram> compile_arguments(Watch watch) {
    const Context context = TRY(make_context(SCMP_ACT_ALLOW, watch));
    std::vector<policy::ArgumentRow> rows(policy::refused_arguments().begin(),
                                          policy::refused_arguments().end());
    if (watch == Watch::listener)
        rows.insert(rows.end(), policy::memory_requests().begin(), policy::memory_requests().end());
    for (const policy::ArgumentRow& row : rows) {
        const int number = TRY(resolve(row.name));
        if (number < 0) continue;
        const scmp_arg_cmp conditions[] = {comparison(row.first), comparison(row.second)};
        const unsigned count = is_always(row.second) ? 1 : 2;
        if (const int e =
                seccomp_rule_add_array(context.get(), action(row.answer, watch), number, count, conditions);
            e < 0)
            return seccomp_error("add arguments of " + std::string(row.name) + " to the filter", e);
    }
    return to_program(context);
}

}  // namespace

int call_number(std::string_view name) {
    return seccomp_syscall_resolve_name(std::string(name).c_str());
}

Result<SyscallFilters> compile_filters(Level level, Watch watch) {
    SyscallFilters filters;
    filters.calls = TRY(compile_calls(level, watch));
    filters.arguments = TRY(compile_arguments(watch));
    return filters;
}

BpfProgram join(const SyscallFilters& filters) {
    BpfProgram program = filters.arguments;
    const size_t next = program.size();
    for (size_t i = 0; i < next; ++i) {
        sock_filter& instruction = program[i];
        // "Allow" becomes a jump to the second program; a jump counts from the instruction after it.
        if (instruction.code == (BPF_RET | BPF_K) && instruction.k == SECCOMP_RET_ALLOW)
            instruction = {BPF_JMP | BPF_JA, 0, 0, static_cast<uint32_t>(next - i - 1)};
    }
    program.insert(program.end(), filters.calls.begin(), filters.calls.end());
    return program;
}

}  // namespace cellblock::jail
