// The system call policy: the tables themselves, the compiled programs (run by a small interpreter, which
// reaches every number and every argument), and the kernel's answers inside a jail.
#include "jail/seccomp.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "jail/denials.hpp"
#include "jail/filters/compiler.hpp"
#include "jail/harness.hpp"
#include "jail/policy/syscalls.hpp"

namespace cellblock::jail::testing {
namespace {

using policy::ArgumentRow;
using policy::CallRow;
using policy::Condition;

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr uint32_t kX32 = 0x40000000;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

int resolve(std::string_view name) {
    return seccomp_syscall_resolve_name(std::string(name).c_str());
}

/// Classic BPF as seccomp uses it.
uint32_t evaluate(const BpfProgram& program, const seccomp_data& data) {
    uint32_t a = 0;
    for (size_t pc = 0; pc < program.size(); ++pc) {
        const sock_filter& op = program[pc];
        bool jump = false;
        switch (op.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, sizeof a);
                continue;
            case BPF_ALU | BPF_AND | BPF_K:
                a &= op.k;
                continue;
            case BPF_JMP | BPF_JA:
                pc += op.k;
                continue;
            case BPF_JMP | BPF_JEQ | BPF_K:
                jump = a == op.k;
                break;
            case BPF_JMP | BPF_JGE | BPF_K:
                jump = a >= op.k;
                break;
            case BPF_JMP | BPF_JGT | BPF_K:
                jump = a > op.k;
                break;
            case BPF_RET | BPF_K:
                return op.k;
            default:
                ADD_FAILURE() << "instruction " << op.code;
                return 0;
        }
        pc += jump ? op.jt : op.jf;
    }
    ADD_FAILURE() << "the program has no end";
    return 0;
}

seccomp_data call_data(int number, std::initializer_list<uint64_t> arguments = {},
                       uint32_t arch = kArchitecture) {
    seccomp_data data{};
    data.nr = number;
    data.arch = arch;
    size_t i = 0;
    for (const uint64_t argument : arguments) data.args[i++] = argument;
    return data;
}

uint32_t expected(const policy::Answer& answer) {
    if (answer == policy::kAllow) return SECCOMP_RET_ALLOW;
    return answer.reported ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | static_cast<uint32_t>(answer.error);
}

TEST(SyscallPolicy, EveryRowIsUniqueKnownAndHasAReason) {
    std::set<std::string_view> names;
    for (const CallRow& row : policy::calls()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name << " has two rows";
        EXPECT_GE(std::strlen(row.reason), 5U) << row.name;
        EXPECT_NE(resolve(row.name), __NR_SCMP_ERROR) << row.name;
    }
    for (const ArgumentRow& row : policy::refused_arguments()) {
        EXPECT_GE(std::strlen(row.reason), 5U) << row.name;
        EXPECT_TRUE(names.contains(row.name)) << row.name << " is not allowed in the first place";
        EXPECT_NE(row.answer, policy::kAllow);
    }
}

TEST(SyscallPolicy, TheFiltersInForceAreThoseOfThePolicy) {
    for (const Level level : {Level::full, Level::namespaced}) {
        const BpfProgram compiled = join(compile_filters(level, Watch::listener).value());
        const auto in_force = system_call_filter(level);
        EXPECT_TRUE(std::equal(compiled.begin(), compiled.end(), in_force.begin(), in_force.end(),
                               [](const sock_filter& a, const sock_filter& b) {
                                   return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
                               }))
            << to_text(level);
    }
    for (int number = -1; number < 1200; ++number) {
        const CallRow* const row = call_row(number);
        EXPECT_TRUE(!row || resolve(row->name) == number) << number;
    }
    for (const CallRow& row : policy::calls())
        EXPECT_TRUE(resolve(row.name) < 0 || call_row(resolve(row.name)) == &row) << row.name;
}

TEST(SyscallPolicy, EveryNumberIsAnsweredAsItsRowSays) {
    for (const Level level : {Level::full, Level::namespaced}) {
        const SyscallFilters filters = compile_filters(level, Watch::listener).value();
        std::map<int, const CallRow*> rows;
        for (const CallRow& row : policy::calls()) rows[resolve(row.name)] = &row;
        for (int number = 0; number < 1200; ++number) {
            const auto row = rows.find(number);
            policy::Answer answer = row == rows.end() ? policy::refuse(ENOSYS) : row->second->answer;
            if (row != rows.end() && row->second->when == policy::When::hard_memory_limit &&
                level != Level::full)
                answer = policy::kNotAccounted;
            EXPECT_EQ(evaluate(filters.calls, call_data(number)), expected(answer)) << "number " << number;
        }
        // What a tracer makes of a call that it skips, and what no table has.
        for (const int number : {-1, 0x3fffffff})
            EXPECT_EQ(evaluate(filters.calls, call_data(number)), expected(policy::refuse(ENOSYS)));
    }
}

TEST(SyscallPolicy, WithoutAListenerWhatWouldBeReportedIsRefusedWithTheSameErrno) {
    for (const Level level : {Level::full, Level::namespaced}) {
        const BpfProgram watched = join(compile_filters(level, Watch::listener).value());
        const auto in_force = unwatched_filter(level);
        const BpfProgram unwatched(in_force.begin(), in_force.end());
        for (const sock_filter& instruction : unwatched)
            EXPECT_FALSE(instruction.code == (BPF_RET | BPF_K) && instruction.k == SECCOMP_RET_USER_NOTIF);
        for (int number = 0; number < 1200; ++number) {
            const uint32_t told = evaluate(watched, call_data(number));
            const CallRow* const row = call_row(number);
            const uint32_t answer = evaluate(unwatched, call_data(number));
            if (told != SECCOMP_RET_USER_NOTIF)
                EXPECT_EQ(answer, told) << "number " << number;
            else if (row && row->answer.reported)
                EXPECT_EQ(answer, SECCOMP_RET_ERRNO | static_cast<uint32_t>(row->answer.error)) << row->name;
            else
                EXPECT_EQ(answer & SECCOMP_RET_ACTION, SECCOMP_RET_ERRNO) << "number " << number;
        }
        EXPECT_EQ(evaluate(unwatched, call_data(0, {}, AUDIT_ARCH_I386)), SECCOMP_RET_TRAP);
        // An argument that looks like an escape, and much memory, which goes through.
        EXPECT_EQ(evaluate(unwatched, call_data(resolve("clone"), {CLONE_NEWUSER})) & SECCOMP_RET_ACTION,
                  SECCOMP_RET_ERRNO);
        EXPECT_EQ(evaluate(unwatched, call_data(resolve("mmap"), {0, 1ULL << 40U, PROT_READ | PROT_WRITE,
                                                                  MAP_PRIVATE | MAP_ANONYMOUS})),
                  SECCOMP_RET_ALLOW);
    }
}

TEST(SyscallPolicy, AnotherArchitectureIsKilledWhateverItCalls) {
    const SyscallFilters filters = compile_filters(Level::full, Watch::listener).value();
    for (const BpfProgram& program : {filters.calls, filters.arguments, join(filters)}) {
        for (int number = 0; number < 600; ++number)
            EXPECT_EQ(evaluate(program, call_data(number, {}, AUDIT_ARCH_I386)), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
        for (uint32_t number = 0; number < 600; ++number)
            EXPECT_EQ(evaluate(program, call_data(static_cast<int>(kX32 | number))),
                      SECCOMP_RET_KILL_PROCESS);
        EXPECT_EQ(evaluate(program, call_data(-2)), SECCOMP_RET_KILL_PROCESS);
#endif
    }
}

uint64_t hit(const Condition& condition) {
    return condition.match == policy::Match::greater ? condition.value + 1 : condition.value;
}

TEST(SyscallPolicy, EveryArgumentRowRefusesAlsoWithOtherBitsSet) {
    const BpfProgram filter = join(compile_filters(Level::full, Watch::listener).value());
    for (const ArgumentRow& row : policy::refused_arguments()) {
        const int number = resolve(row.name);
        if (number < 0) continue;
        for (const uint64_t high : {uint64_t{0}, uint64_t{1} << 32, uint64_t{0xffffffff} << 32}) {
            seccomp_data data = call_data(number);
            data.args[row.first.argument] |= hit(row.first) | high;
            data.args[row.second.argument] |= hit(row.second);
            // Above 32 bits another row may refuse first ("greater" rows).
            EXPECT_EQ(evaluate(filter, data), expected(row.answer)) << row.name << ": " << row.reason;
            EXPECT_TRUE(high != 0 || policy::holds(row, data)) << row.name << ": " << row.reason;
        }
        // Bits of the argument that the condition does not name make no difference.
        if (row.first.match == policy::Match::equals) {
            seccomp_data data = call_data(number);
            data.args[row.first.argument] = row.first.value | ~row.first.mask;
            data.args[row.second.argument] |= hit(row.second);
            EXPECT_NE(evaluate(filter, data), SECCOMP_RET_ALLOW) << row.name << ": " << row.reason;
        }
    }
}

TEST(SyscallPolicy, OnlyMuchMemoryIsAskedFor) {
    constexpr uint64_t kMuch = policy::kAskedMemory;
    constexpr uint64_t kWritable = PROT_READ | PROT_WRITE;
    constexpr uint64_t kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
    const auto rows = policy::memory_requests();
    const auto is_asked = [&](std::string_view name, const seccomp_data& call) {
        return std::any_of(rows.begin(), rows.end(), [&](const ArgumentRow& row) {
            return row.name == name && policy::holds(row, call);
        });
    };
    const auto map = call_data(SYS_mmap, {0, kMuch, kWritable, kPrivate});
    EXPECT_TRUE(is_asked("mmap", map));
    EXPECT_EQ(policy::requested_memory(map), kMuch);
    EXPECT_FALSE(is_asked("mmap", call_data(SYS_mmap, {0, kMuch - 1, kWritable, kPrivate})));
    EXPECT_FALSE(is_asked("mmap", call_data(SYS_mmap, {0, kMuch, kWritable, MAP_PRIVATE}))) << "a file";
    EXPECT_FALSE(is_asked("mmap", call_data(SYS_mmap, {0, kMuch, kWritable, kPrivate | MAP_NORESERVE})))
        << "only addresses";
    EXPECT_EQ(policy::requested_memory(call_data(SYS_mmap, {0, kMuch, PROT_NONE, kPrivate})), 0U);
    EXPECT_EQ(policy::requested_memory(call_data(SYS_mmap, {0, 1ULL << 62U, kWritable, kPrivate})), 0U)
        << "more than there are addresses";
    const auto grow = call_data(SYS_mremap, {0, 10, kMuch, MREMAP_MAYMOVE});
    EXPECT_TRUE(is_asked("mremap", grow));
    EXPECT_EQ(policy::requested_memory(grow), kMuch - 10);
    EXPECT_EQ(policy::requested_memory(call_data(SYS_mremap, {0, 2 * kMuch, kMuch, 0})), 0U) << "shrinks";
    for (const ArgumentRow& row : rows) EXPECT_GE(std::strlen(row.reason), 5U) << row.name;
}

TEST(SyscallPolicy, JoinedProgramsAnswerAsTheStricterOfTheTwo) {
    const SyscallFilters filters = compile_filters(Level::full, Watch::listener).value();
    const BpfProgram joined = join(filters);
    EXPECT_LE(joined.size(), size_t{BPF_MAXINSNS});
    for (int number = 0; number < 600; ++number)
        for (const uint64_t argument : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{CLONE_NEWUSER}}) {
            const seccomp_data data =
                call_data(number, {argument, argument, argument, argument, argument, argument});
            const uint32_t first = evaluate(filters.arguments, data);
            EXPECT_EQ(evaluate(joined, data),
                      first != SECCOMP_RET_ALLOW ? first : evaluate(filters.calls, data));
        }
}

TEST(SyscallPolicy, OrdinaryArgumentsPass) {
    const BpfProgram filter = join(compile_filters(Level::full, Watch::listener).value());
    const auto allowed = [&](int number, std::initializer_list<uint64_t> arguments) {
        return evaluate(filter, call_data(number, arguments)) == SECCOMP_RET_ALLOW;
    };
    EXPECT_TRUE(allowed(SYS_clone,
                        {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS}));
    EXPECT_TRUE(allowed(SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}));
    EXPECT_TRUE(allowed(SYS_socket, {AF_UNIX, SOCK_STREAM, 0}));
    EXPECT_TRUE(allowed(SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP}));
    EXPECT_TRUE(allowed(SYS_socket, {AF_INET6, SOCK_DGRAM, IPPROTO_UDP}));
    EXPECT_TRUE(allowed(SYS_socket, {AF_NETLINK, SOCK_RAW, 0}));
    EXPECT_FALSE(allowed(SYS_socket, {AF_NETLINK, SOCK_RAW, 16}));
    EXPECT_FALSE(allowed(SYS_socket, {AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP}));
    EXPECT_TRUE(allowed(SYS_socket, {AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}));
    EXPECT_TRUE(allowed(SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}));
    for (const uint64_t type : {4U, 6U, 7U, 8U, 9U, 10U, 11U, 12U, 13U, 14U, 15U})
        for (const uint64_t family : {1U, 2U, 10U})  // AF_UNIX, AF_INET, AF_INET6
            EXPECT_FALSE(allowed(SYS_socket, {family, type | SOCK_CLOEXEC, 0})) << family << " " << type;
    EXPECT_FALSE(allowed(SYS_socket, {AF_INET6, SOCK_SEQPACKET, 0}));
    EXPECT_TRUE(allowed(SYS_ioprio_set, {1, 0, 0}));
    EXPECT_FALSE(allowed(SYS_ioprio_set, {3, 1000, 0}));
    EXPECT_FALSE(allowed(SYS_ioprio_get, {3, 1000}));
    EXPECT_FALSE(allowed(SYS_ioctl, {0, 0x5423}));  // TIOCSETD
    EXPECT_FALSE(allowed(SYS_fcntl, {0, 1024}));    // F_SETLEASE
    EXPECT_TRUE(allowed(SYS_fcntl, {0, 1030}));     // F_DUPFD_CLOEXEC
    EXPECT_TRUE(allowed(SYS_openat, {0, 0, O_CREAT, 0666}));
    // Without a flag that creates, the mode is whatever the register held.
    EXPECT_TRUE(allowed(SYS_openat, {0, 0, O_RDONLY, 04755}));
    EXPECT_TRUE(allowed(SYS_openat, {0, 0, O_RDONLY | O_DIRECTORY, 04755}));
    EXPECT_FALSE(allowed(SYS_openat, {0, 0, O_CREAT, 04755}));
    EXPECT_FALSE(allowed(SYS_openat, {0, 0, O_TMPFILE | O_RDWR, 02755}));
    EXPECT_TRUE(allowed(SYS_fchmodat, {0, 0, 01777}));
    EXPECT_TRUE(allowed(SYS_mknodat, {0, 0, S_IFIFO | 0600}));
    EXPECT_FALSE(allowed(SYS_mknodat, {0, 0, S_IFCHR | 0600}));
    EXPECT_FALSE(allowed(SYS_mknodat, {0, 0, S_IFBLK | 0600}));
    EXPECT_TRUE(allowed(SYS_seccomp, {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC}));
}

// ---- inside a jail

class SyscallsInside : public JailTest {};
INSTANTIATE_IN_EVERY_MODE(SyscallsInside);

/// Calls every refused row, in the main thread, a thread and a child, and prints what did not answer as the
/// row says.
void call_refused_rows(const std::string& level) {
    for (const CallRow& row : policy::calls()) {
        policy::Answer answer = row.answer;
        if (row.when == policy::When::hard_memory_limit && level != "full") answer = policy::kNotAccounted;
        const int number = resolve(row.name);
        if (answer == policy::kAllow || number < 0) continue;
        errno = 0;
        // The filter answers before the kernel looks at the arguments: 0 for all of them harms nobody.
        if (::syscall(number, 0, 0, 0, 0, 0, 0) != -1 || errno != answer.error)
            std::cout << row.name << " answered " << errno << " and not " << answer.error << "\n";
    }
    for (const ArgumentRow& row : policy::refused_arguments()) {
        const int number = resolve(row.name);
        if (number < 0) continue;
        for (const uint64_t high : {uint64_t{0}, uint64_t{1} << 32}) {
            uint64_t a[6] = {};
            a[row.first.argument] |= hit(row.first) | high;
            a[row.second.argument] |= hit(row.second);
            errno = 0;
            const bool refused = ::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1;
            const int answered = errno;
            // Zeroes in the other arguments may be what an earlier row refuses.
            seccomp_data call{};
            std::copy(std::begin(a), std::end(a), call.args);
            const auto rows = policy::refused_arguments();
            const auto first = std::find_if(rows.begin(), rows.end(), [&](const ArgumentRow& other) {
                return other.name == row.name && policy::holds(other, call);
            });
            if (!refused || answered != first->answer.error)
                std::cout << row.name << " (" << row.reason << ") answered " << answered << " and not "
                          << first->answer.error << "\n";
        }
    }
    for (const long number : {451L, 460L, 463L, 470L, 650L, 100'000L}) {
        errno = 0;
        if (::syscall(number, 0, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS)
            std::cout << number << " is known\n";
    }
    if (::prctl(PR_GET_SECCOMP) != 2 || ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        std::cout << "no filter\n";
}

INSIDE(refused_rows) {
    call_refused_rows(arguments.at(0));
    std::thread([&] { call_refused_rows(arguments.at(0)); }).join();
    std::cout << std::flush;
    if (::fork() == 0) {
        call_refused_rows(arguments.at(0));
        std::cout << std::flush;
        ::_exit(0);
    }
    ::wait(nullptr);
    return 0;
}

TEST_P(SyscallsInside, EveryRefusedRowAnswersAsItSays) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const Outcome outcome = inside(*jail, "refused_rows", {std::string(to_text(plan.level))});
        EXPECT_EQ(outcome.exit.code, 0);
        EXPECT_EQ(outcome.exit.signal, 0);
        EXPECT_EQ(outcome.output, "");
        // Each reported row once in each of three: main thread, thread, child; argument rows also with high
        // bits.
        std::map<std::string_view, uint64_t> counted;
        for (const Denial& denial : jail->take_denials()) counted[denial.call] += denial.count;
        for (const CallRow& row : policy::calls())
            if (row.answer.reported && resolve(row.name) >= 0) {
                EXPECT_EQ(counted[row.name], 3U) << row.name;
            }
        for (const ArgumentRow& row : policy::refused_arguments())
            if (row.answer.reported && resolve(row.name) >= 0) {
                EXPECT_GE(counted[row.name], 6U) << row.name;
            }
        EXPECT_TRUE(jail->take_denials().empty());
    });
}

INSIDE(flood) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([] {
            for (int n = 0; n < 500; ++n)
                if (::unshare(CLONE_NEWUSER) != -1 || errno != EPERM)
                    std::cout << "answered " << errno << "\n";
        });
    for (std::thread& thread : threads) thread.join();
    return 0;
}

TEST_P(SyscallsInside, AFloodOfReportedCallsIsSlowedDownAndCounted) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const auto began = std::chrono::steady_clock::now();
        EXPECT_EQ(inside(*jail, "flood").output, "");
        EXPECT_GE(std::chrono::steady_clock::now() - began, 3 * kDenialWindow);
        const std::vector<Denial> denials = jail->take_denials();
        ASSERT_EQ(denials.size(), 1U);
        EXPECT_EQ(denials[0].call, "unshare");
        EXPECT_EQ(denials[0].count, 4000U);
    });
}

TEST(DenialWatch, WithoutItReportedCallsAreRefusedAllTheSame) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        const int listener = load_system_call_filter(Level::full);
        if (listener < 0) ::_exit(2);
        ::close(listener);
        ::_exit(::unshare(CLONE_NEWUSER) == -1 && errno == ENOSYS ? 0 : 3);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

#if defined(__x86_64__)
INSIDE(int80) {
    long result = 20;  // getpid in the table of 32-bit programs
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    std::cout << "answered " << result << std::endl;
    return 0;
}

INSIDE(x32) {
    std::cout << "answered " << ::syscall(kX32 | SYS_getpid) << std::endl;
    return 0;
}

TEST_P(SyscallsInside, AForeignTableOfCallsKills) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        const Outcome x32 = inside(*jail, "x32");
        EXPECT_EQ(x32.exit.signal, SIGSYS);
        EXPECT_EQ(x32.output, "");
        const Outcome int80 = inside(*jail, "int80");
        // A kernel without 32-bit support faults instead.
        EXPECT_TRUE(int80.exit.signal == SIGSYS || int80.exit.signal == SIGSEGV) << int80.exit.signal;
        EXPECT_EQ(int80.output, "");
        EXPECT_EQ(run(*jail, {"/bin/true"}).exit.code, 0) << "only that process is killed";
    });
}
#endif

INSIDE(setuid_bits) {
    const auto report = [](const char* what, int result) {
        if (result != -1 || errno != EPERM) std::cout << what << " was not refused\n";
        errno = 0;
    };
    ::close(::open("/tmp/file", O_CREAT | O_WRONLY, 0755));
    report("chmod 4755", ::chmod("/tmp/file", 04755));
    report("chmod 2755", ::chmod("/tmp/file", 02755));
    report("open 4755", ::open("/tmp/file2", O_CREAT | O_WRONLY, 04755));
    report("O_TMPFILE 4755", ::open("/tmp", O_TMPFILE | O_WRONLY, 04755));
    report("mkdir 2777", ::mkdir("/tmp/dir", 02777));
    report("mknod character", ::mknod("/tmp/node", S_IFCHR | 0666, 0x103));
    report("mknod block", ::mknod("/tmp/node", S_IFBLK | 0666, 0x100));
    if (::mkfifo("/tmp/fifo", 0600) != 0 || ::chmod("/tmp/file", 0700) != 0 ||
        ::mkdir("/tmp/dir", 01777) != 0)
        std::cout << "what is harmless was refused\n";
    return 0;
}

TEST_P(SyscallsInside, NoSetuidFileAndNoDeviceCanBeMade) {
    NEEDS_PROGRAM_INSIDE();
    in_mode([](const Plan& plan) {
        auto jail = Jail::start(plan).value();
        EXPECT_EQ(inside(*jail, "setuid_bits").output, "");
        EXPECT_EQ(shell(*jail, "find /tmp -perm /6000 -o -type c -o -type b").output, "");
    });
}

}  // namespace
}  // namespace cellblock::jail::testing
