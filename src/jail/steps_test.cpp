// The sentences of failed steps.
#include "jail/steps.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "jail/probes.hpp"

namespace cellblock::jail {
namespace {

TEST(Steps, EachHasANameAndAnActOfItsOwn) {
    std::set<std::string> names;
    std::set<std::string> acts;
    for (auto step = static_cast<uint32_t>(Step::make_cgroup); step <= static_cast<uint32_t>(Step::ready);
         ++step) {
        EXPECT_TRUE(names.insert(std::string(to_text(Step{step}))).second) << to_text(Step{step});
        EXPECT_TRUE(acts.insert(step_error(Step{step}, 0, "").what()).second) << to_text(Step{step});
    }
}

TEST(Steps, AnErrorNamesActDetailAnswerAndRemedy) {
    const Error error = step_error(Step::process_view, EPERM, "");
    EXPECT_EQ(error.what(), "mount /proc: Operation not permitted (EPERM)");
    EXPECT_NE(error.remedy().find("systempaths=unconfined"), std::string::npos);
    const Error detailed = step_error(Step::environment_mounts, ENOENT, "/opt/venv");
    EXPECT_EQ(detailed.what(), "show the environment (/opt/venv): No such file or directory (ENOENT)");
    EXPECT_FALSE(detailed.remedy().empty());
}

TEST(Steps, UserNamespacesUsedUpAreNotCalledAFullDisk) {
    const Error error = step_error(Step::clone, ENOSPC, "");
    EXPECT_NE(error.remedy().find("user.max_"), std::string::npos) << error.sentence();
}

// Docker's default filter answers clone3 with ENOSYS: no reason to look for another kernel.
TEST(Steps, ANewKernelThatKnowsNoNamespacesIsAContainer) {
    EXPECT_NE(step_error(Step::clone, ENOSYS, "").remedy().find("seccomp=unconfined"), std::string::npos);
}

TEST(Probes, EachHasANameAndFindingAndARemedyUnlessAllIsWell) {
    std::set<std::string> names;
    for (const Probe& probe : probe_host()) {
        EXPECT_TRUE(names.insert(probe.name).second) << probe.name;
        EXPECT_FALSE(probe.finding.empty()) << probe.name;
        EXPECT_EQ(probe.remedy.empty(), probe.status == Probe::Status::ok)
            << probe.name << ": " << probe.finding;
    }
    EXPECT_TRUE(names.contains(kFullJailProbe));
    EXPECT_TRUE(names.contains(kNamespacedJailProbe));
}

}  // namespace
}  // namespace cellblock::jail
