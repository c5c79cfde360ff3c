// For tests of the jail: the ways to run it that this host allows (root or ordinary user, with or without a
// cgroup), and code of the test program itself that is executed inside.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/sys.hpp"
#include "jail/jail.hpp"
#include "jail/policy/guarantees.hpp"

namespace cellblock::jail::testing {

/// Who the kernel process is, and what is enforced.
struct Mode {
    const char* name;
    bool ordinary_user;
    Level level;
    Backend backend = Backend::native;
};
std::ostream& operator<<(std::ostream& out, const Mode& mode);

/// A test that runs in every mode. As root all modes exist; as an ordinary user the root ones are
/// skipped, and `full` is skipped unless somebody has delegated cgroups: the skips say so.
class JailTest : public ::testing::TestWithParam<Mode> {
  protected:
    /// Runs `body` in a forked process that has the mode's user id; its failures are this test's. `body` gets
    /// a plan that starts, with small limits, the mode's level and the test program mounted.
    void in_mode(const std::function<void(Plan plan)>& body);
};

/// Of native and bwrap. gVisor's jails take long to start, and have tests of their own:
/// modes_of(Backend::runsc).
std::vector<Mode> all_modes();
std::vector<Mode> modes_of(Level level);
/// Of the backends that provide this.
std::vector<Mode> modes_providing(policy::Guarantee guarantee);
std::vector<Mode> modes_of(Backend backend);
std::string mode_name(const ::testing::TestParamInfo<Mode>& info);

#define INSTANTIATE_IN_MODES(Suite, modes) \
    INSTANTIATE_TEST_SUITE_P(Modes, Suite, ::testing::ValuesIn(modes), ::cellblock::jail::testing::mode_name)
#define INSTANTIATE_IN_EVERY_MODE(Suite) INSTANTIATE_IN_MODES(Suite, ::cellblock::jail::testing::all_modes())

/// How a command ended and what it said.
struct Outcome {
    Exit exit;
    bool init_lost = false;
    std::string output;  ///< stdout
    std::string errors;  ///< stderr
};

/// Spawns `argv`, waits for its end (at most `timeout`, then the test fails) and collects its output.
Outcome run(Jail& jail, const std::vector<std::string>& argv,
            std::chrono::milliseconds timeout = std::chrono::seconds(20));
/// The same for `sh -c`.
Outcome shell(Jail& jail, const std::string& script);
/// The same for a function of the test program, declared by INSIDE.
Outcome inside(Jail& jail, const std::string& name, const std::vector<std::string>& arguments = {});
/// The command line of a function of the test program.
std::vector<std::string> inside_command(const std::string& name,
                                        const std::vector<std::string>& arguments = {});
/// A command with an environment and a working directory that exist.
Command command(std::vector<std::string> argv);
/// Waits for the next event.
std::vector<Event> wait_events(Jail& jail, std::chrono::milliseconds timeout = std::chrono::seconds(20));

/// What must not grow: descriptors, mounts, children and cgroups of this process.
struct Footprint {
    size_t descriptors;
    size_t mounts;
    size_t children;
    size_t cgroups;
    bool operator==(const Footprint&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Footprint& footprint);
Footprint footprint();

/// A program in the place of one that makes jails, as long as this lives.
class FakeProgram {
  public:
    explicit FakeProgram(const std::string& script, const std::string& name = "program");
    [[nodiscard]] std::string path() const { return directory_.path() + "/" + name_; }
    /// The plan, by this program.
    [[nodiscard]] Plan in(Plan plan) const;

  private:
    sys::TempDir directory_;
    std::string name_;
};

/// The sentence of a start that must fail and leave nothing.
std::string failure(const Plan& plan);

/// Makes each step of the plan's backend fail once, with EIO.
void expect_that_failing_steps_leave_nothing(const Plan& plan);

using InsideFunction = int (*)(const std::vector<std::string>& arguments);
struct InsideRegistration {
    InsideRegistration(const char* name, InsideFunction function);
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// First line of tests that use inside(): a sanitizer's shadow memory does not fit into a jail's RLIMIT_DATA.
#define NEEDS_PROGRAM_INSIDE() \
    if (kSanitized) GTEST_SKIP() << "a program with a sanitizer cannot run inside"

/// INSIDE(name) { … return exit status; }: code for inside(jail, "name", {arguments …}).
#define INSIDE(name)                                                                                       \
    int inside_##name(const std::vector<std::string>& arguments);                                          \
    const ::cellblock::jail::testing::InsideRegistration inside_registration_##name(#name, inside_##name); \
    int inside_##name([[maybe_unused]] const std::vector<std::string>& arguments)

}  // namespace cellblock::jail::testing
