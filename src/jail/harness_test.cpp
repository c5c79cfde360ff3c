// The test program is its own helper inside the jail: executed as `jail_test --inside <function> …` it runs
// that function instead of tests.
#include "jail/harness.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "base/sys.hpp"
#include "jail/cgroup.hpp"
#include "jail/cgroup_host.hpp"
#include "jail/start.hpp"
#include "jail/steps.hpp"
#include "jail/system_program.hpp"

namespace cellblock::jail::testing {
namespace {

using Clock = std::chrono::steady_clock;

std::map<std::string, InsideFunction>& inside_functions() {
    static std::map<std::string, InsideFunction> functions;
    return functions;
}

// An id of our own, so that test programs that run at the same time do not share delegated cgroups.
uid_t ordinary_uid() {
    static const uid_t uid = static_cast<uid_t>(200'000 + ::getpid() % 100'000);  // chosen before any fork
    return uid;
}

CgroupHost cgroup_host() {
    return parse_cgroup_host(sys::read_file("/proc/self/cgroup", 1 << 16).value(),
                             sys::read_file("/proc/self/mountinfo", 1 << 22).value());
}

/// A copy of this program that every user can read, and what root delegates to the ordinary user.
class Environment : public ::testing::Environment {
  public:
    void SetUp() override {
        auto dir = sys::TempDir::create("cellblock-test-");
        ASSERT_TRUE(dir) << dir.error().sentence();
        program_dir = std::make_unique<sys::TempDir>(*std::move(dir));
        std::filesystem::permissions(program_dir->path(), std::filesystem::perms(0755));
        std::filesystem::copy("/proc/self/exe", program_dir->path() + "/program");
        std::filesystem::permissions(program_dir->path() + "/program", std::filesystem::perms(0755));
        owner_ = ::getpid();
        if (::geteuid() == 0)
            delegated_uid = delegate_cgroups(ordinary_uid(), ordinary_uid()) ? ordinary_uid() : 0;
    }
    void TearDown() override {
        program_dir.reset();
        if (delegated_uid == 0 || ::getpid() != owner_) return;
        for (const auto& [controller, mount] : cgroup_host().v1_mounts)
            ::rmdir((mount + "/cellblock-" + std::to_string(delegated_uid)).c_str());
    }

    std::unique_ptr<sys::TempDir> program_dir;
    uid_t delegated_uid = 0;

  private:
    pid_t owner_ = 0;
};

Environment& environment() {
    static auto* const instance = new Environment;  // gtest owns and deletes it
    return *instance;
}

[[maybe_unused]] const auto* const registered = ::testing::AddGlobalTestEnvironment(&environment());

int run_inside(const std::string& name, const std::vector<std::string>& arguments) {
    const auto found = inside_functions().find(name);
    if (found != inside_functions().end()) return found->second(arguments);
    std::cerr << "no function " << name << "\n";
    return 99;
}

void become(uid_t uid) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0) {
        std::perror("become an ordinary user");
        std::_Exit(98);
    }
    // As after a login: a process that changed its user is not dumpable, and then owns nothing in /proc.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

std::string drain(int fd) {
    std::string text;
    char buffer[65536];
    ssize_t n;
    while ((n = ::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    return text;
}

size_t entries(const std::string& path, const std::string& prefix = "") {
    size_t count = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(path, gone))
        if (const std::string name = entry.path().filename();
            name.starts_with(prefix) && !name.ends_with("-kernel"))
            ++count;
    return count;
}

}  // namespace

InsideRegistration::InsideRegistration(const char* name, InsideFunction function) {
    inside_functions()[name] = function;
}

std::ostream& operator<<(std::ostream& out, const Mode& mode) {
    return out << mode.name;
}

std::ostream& operator<<(std::ostream& out, const Footprint& f) {
    return out << f.descriptors << " descriptors, " << f.mounts << " mounts, " << f.children << " children, "
               << f.cgroups << " cgroups";
}

std::vector<Mode> all_modes() {
    return {{"RootFull", false, Level::full},
            {"RootNamespaced", false, Level::namespaced},
            {"UserFull", true, Level::full},
            {"UserNamespaced", true, Level::namespaced},
            {"BwrapRootFull", false, Level::full, Backend::bwrap},
            {"BwrapRootNamespaced", false, Level::namespaced, Backend::bwrap},
            {"BwrapUserFull", true, Level::full, Backend::bwrap},
            {"BwrapUserNamespaced", true, Level::namespaced, Backend::bwrap}};
}

std::vector<Mode> modes_of(Level level) {
    std::vector<Mode> modes = all_modes();
    std::erase_if(modes, [level](const Mode& mode) { return mode.level != level; });
    return modes;
}

std::vector<Mode> modes_of(Backend backend) {
    if (backend == Backend::runsc)
        return {{"GvisorRootFull", false, Level::full, Backend::runsc},
                {"GvisorUserFull", true, Level::full, Backend::runsc}};
    std::vector<Mode> modes = all_modes();
    std::erase_if(modes, [backend](const Mode& mode) { return mode.backend != backend; });
    return modes;
}

std::vector<Mode> modes_providing(policy::Guarantee guarantee) {
    std::vector<Mode> modes = all_modes();
    std::erase_if(modes,
                  [guarantee](const Mode& mode) { return !policy::provides(mode.backend, guarantee); });
    return modes;
}

std::string mode_name(const ::testing::TestParamInfo<Mode>& info) {
    return info.param.name;
}

void JailTest::in_mode(const std::function<void(Plan plan)>& body) {
    const Mode mode = GetParam();
    const bool root = ::geteuid() == 0;
    if (!mode.ordinary_user && !root) GTEST_SKIP() << "needs root";
    if (mode.backend == Backend::runsc)
        if (const auto program = find_system_program("runsc"); !program)
            GTEST_SKIP() << "no gVisor on this machine: " << program.error().sentence();
    if (mode.ordinary_user && root && mode.level == Level::full && environment().delegated_uid == 0)
        GTEST_SKIP() << "needs cgroup version 1, where root can delegate";
    if (mode.ordinary_user && !root && mode.level == Level::full)
        if (auto cgroup = Cgroup::create(look_at_cgroups().value(), Limits{}, 0); !cgroup)
            GTEST_SKIP() << cgroup.error().sentence();
    Plan plan;
    plan.backend = mode.backend;
    plan.level = mode.level;
    plan.name = "test";
    plan.limits.memory = 128_MiB;
    plan.limits.processes = 32;
    plan.limits.scratch = 16_MiB;
    plan.limits.scratch_inodes = 512;
    plan.limits.shared_memory = 8_MiB;
    plan.limits.file_size = 256_MiB;
    plan.limits.open_files = 256;
    plan.mounts = {{environment().program_dir->path(), "/opt/test"}};
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        if (mode.ordinary_user && root) become(ordinary_uid());
        try {
            body(plan);
        } catch (const std::exception& error) {
            ADD_FAILURE() << "exception: "
                          << error.what();  // must not reach gtest, which would run the other tests here
        }
        std::cout.flush();
        std::_Exit(HasFailure() ? 1 : IsSkipped() ? 2 : 0);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1)
        << "the body failed in mode " << mode.name << ", status " << status;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) GTEST_SKIP() << "see above";
}

std::vector<std::string> inside_command(const std::string& name, const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {"/opt/test/program", "--inside", name};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
}

Command command(std::vector<std::string> argv) {
    Command result;
    result.argv = std::move(argv);
    result.environment = {"PATH=/usr/bin:/bin", std::string("HOME=") + kHome, "LC_ALL=C"};
    result.working_directory = "/tmp";
    return result;
}

std::vector<Event> wait_events(Jail& jail, std::chrono::milliseconds timeout) {
    pollfd entry{jail.event_fd(), POLLIN, 0};
    const auto deadline = Clock::now() + timeout;
    while (Clock::now() < deadline) {
        ::poll(&entry, 1, 100);
        if (auto events = jail.take_events(); !events.empty()) return events;
    }
    ADD_FAILURE() << "no event within " << timeout.count() << " ms";
    return {};
}

Outcome run(Jail& jail, const std::vector<std::string>& argv, std::chrono::milliseconds timeout) {
    Outcome outcome;
    // Files and not pipes: nothing has to be read while the command runs, however much it writes.
    const UniqueFd out(::memfd_create("stdout", MFD_CLOEXEC));
    const UniqueFd err(::memfd_create("stderr", MFD_CLOEXEC));
    Command cmd = command(argv);
    cmd.stdout_fd = out.get();
    cmd.stderr_fd = err.get();
    if (auto spawned = jail.spawn(cmd); !spawned) {
        ADD_FAILURE() << spawned.error().sentence();
        return outcome;
    }
    for (const Event& event : wait_events(jail, timeout)) {
        if (event.kind == Event::Kind::init_lost)
            outcome.init_lost = true;
        else
            outcome.exit = event.exit;
    }
    ::lseek(out.get(), 0, SEEK_SET);
    ::lseek(err.get(), 0, SEEK_SET);
    outcome.output = drain(out.get());
    outcome.errors = drain(err.get());
    return outcome;
}

Outcome shell(Jail& jail, const std::string& script) {
    return run(jail, {"/bin/sh", "-c", script});
}

Outcome inside(Jail& jail, const std::string& name, const std::vector<std::string>& arguments) {
    return run(jail, inside_command(name, arguments));
}

FakeProgram::FakeProgram(const std::string& script, const std::string& name)
    : directory_(sys::TempDir::create("cellblock-fake-").value()), name_(name) {
    std::ofstream(path()) << script;
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
    std::filesystem::permissions(path(), std::filesystem::perms(0755));
}

Plan FakeProgram::in(Plan plan) const {
    plan.program = path();
    return plan;
}

std::string failure(const Plan& plan) {
    const Footprint before = footprint();
    auto jail = Jail::start(plan);
    EXPECT_FALSE(jail);
    EXPECT_EQ(footprint(), before);
    return jail ? "" : jail.error().sentence();
}

void expect_that_failing_steps_leave_nothing(const Plan& plan) {
    {
        auto jail = Jail::start(plan);
        ASSERT_TRUE(jail) << jail.error().sentence();
    }
    const Footprint before = footprint();
    for (auto step = static_cast<uint32_t>(Step::make_cgroup); step <= static_cast<uint32_t>(Step::ready);
         ++step) {
        const Step failing{step};
        if (!belongs_to(failing, plan.backend)) continue;
        // Ordinary users' jails map themselves; without hard limits there is no cgroup.
        if (failing == Step::map_ids && ::geteuid() != 0) continue;
        if ((failing == Step::make_cgroup || failing == Step::join_cgroup) && plan.level == Level::namespaced)
            continue;
        auto jail = start_jail(plan, {failing, EIO});
        ASSERT_FALSE(jail) << to_text(failing);
        EXPECT_EQ(jail.error().error_number(), EIO) << to_text(failing) << ": " << jail.error().sentence();
        EXPECT_EQ(footprint(), before) << to_text(failing);
    }
}

Footprint footprint() {
    const std::string mounts = sys::read_file("/proc/self/mountinfo", 1 << 22).value();
    const std::string children =
        sys::read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children", 1 << 16).value();
    size_t cgroups = 0;
    const std::string mine = "cellblock-" + std::to_string(::getpid()) + "-";
    const CgroupHost host = cgroup_host();
    for (const auto& [controller, own] : host.v1) {
        cgroups += entries(own, mine);
        cgroups += entries(host.v1_mounts.at(controller) + "/cellblock-" + std::to_string(::geteuid()), mine);
    }
    // The kernel process may stand in a leaf beside its jails.
    if (host.v2)
        cgroups +=
            entries(host.v2->ends_with("-kernel") ? host.v2->substr(0, host.v2->rfind('/')) : *host.v2, mine);
    return {entries("/proc/self/fd"), static_cast<size_t>(std::count(mounts.begin(), mounts.end(), '\n')),
            static_cast<size_t>(std::count(children.begin(), children.end(), ' ')), cgroups};
}

}  // namespace cellblock::jail::testing

int main(int argc, char** argv) {
    if (argc >= 3 && std::string(argv[1]) == "--inside")
        return cellblock::jail::testing::run_inside(argv[2], {argv + 3, argv + argc});
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
