// The verdict over made-up hosts.
#include "cli/doctor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cellblock::cli {
namespace {

using jail::Probe;
using testing::HasSubstr;
using testing::Not;

std::vector<Probe> host(Probe::Status full, Probe::Status namespaced) {
    return {{"Landlock", Probe::Status::degraded, "ABI 1", "Use Linux 6.2 or newer."},
            {jail::kNamespacedJailProbe, namespaced, "made in 3 ms", ""},
            {jail::kFullJailProbe, full, "no cgroup", "Run cellblock delegate."}};
}

TEST(Doctor, ALevelIsEnforceableWhenItsJailCouldBeMade) {
    const auto probes = host(Probe::Status::missing, Probe::Status::ok);
    EXPECT_FALSE(can_enforce(probes, {jail::Level::full}));
    EXPECT_TRUE(can_enforce(probes, {jail::Level::namespaced}));
    EXPECT_TRUE(can_enforce(host(Probe::Status::degraded, Probe::Status::ok), {jail::Level::full}));
}

TEST(Doctor, AProbeThatWasNotMadeEnforcesNothing) {
    EXPECT_FALSE(can_enforce({}, {jail::Level::full}));
    EXPECT_FALSE(can_enforce({}, {jail::Level::namespaced}));
}

TEST(Doctor, TheTextSaysWhatToDo) {
    const std::string text =
        diagnosis_text(host(Probe::Status::missing, Probe::Status::ok), {jail::Level::full});
    EXPECT_THAT(text, HasSubstr("Landlock: Use Linux 6.2 or newer."));
    EXPECT_THAT(text, HasSubstr("can enforce: namespaced."));
    EXPECT_THAT(text, HasSubstr("--isolation full would not start here"));
    EXPECT_THAT(diagnosis_text(host(Probe::Status::ok, Probe::Status::ok), {jail::Level::full}),
                Not(HasSubstr("would not start")));
    EXPECT_THAT(diagnosis_text(host(Probe::Status::missing, Probe::Status::missing), {jail::Level::full}),
                HasSubstr("can enforce: none."));
}

TEST(Doctor, WithoutLandlockOnlyWhoDoesWithoutCanStart) {
    auto probes = host(Probe::Status::ok, Probe::Status::ok);
    probes[0].status = Probe::Status::missing;
    const Demand relaxed{jail::Level::full, jail::LandlockUse::optional, "mine"};
    EXPECT_FALSE(can_enforce(probes, {jail::Level::full}));
    EXPECT_TRUE(can_enforce(probes, relaxed));
    EXPECT_THAT(diagnosis_text(probes, {jail::Level::full}), HasSubstr("can enforce: none."));
    EXPECT_THAT(diagnosis_text(probes, relaxed), HasSubstr("Jails are degraded here: there is no Landlock"));
    EXPECT_EQ(nlohmann::json::parse(diagnosis_json(probes, relaxed))["landlock"], "optional");
}

TEST(Doctor, ABackendIsJudgedByItsOwnProbesAndOfferedWhereItWorks) {
    auto probes = host(Probe::Status::missing, Probe::Status::missing);
    probes[0].status = Probe::Status::ok;
    const Demand by_bwrap{jail::Level::full, jail::LandlockUse::required, "", jail::Backend::bwrap};
    EXPECT_FALSE(can_enforce(probes, by_bwrap));
    EXPECT_THAT(diagnosis_text(probes, {jail::Level::full}), Not(HasSubstr("--backend bwrap")));
    probes.push_back({jail::kFullBwrapProbe, Probe::Status::ok, "made in 9 ms", ""});
    EXPECT_TRUE(can_enforce(probes, by_bwrap));
    EXPECT_FALSE(can_enforce(probes, {jail::Level::full})) << "no backend stands in for another";
    EXPECT_THAT(diagnosis_text(probes, {jail::Level::full}), HasSubstr("With --backend bwrap it would"));
    EXPECT_THAT(diagnosis_text(probes, by_bwrap), HasSubstr("with the backend bwrap: full."));
    EXPECT_EQ(nlohmann::json::parse(diagnosis_json(probes, by_bwrap))["backend"], "bwrap");
    const Demand by_gvisor{jail::Level::full, jail::LandlockUse::required, "", jail::Backend::runsc};
    EXPECT_FALSE(can_enforce(probes, by_gvisor));
    probes.push_back({jail::kFullGvisorProbe, Probe::Status::ok, "made in 400 ms", ""});
    EXPECT_TRUE(can_enforce(probes, by_gvisor));
    EXPECT_FALSE(can_enforce(
        probes, {jail::Level::namespaced, jail::LandlockUse::required, "", jail::Backend::runsc}));
    EXPECT_THAT(diagnosis_text(probes, {jail::Level::full}), HasSubstr("With --backend runsc it would"));
    probes[0].status = Probe::Status::missing;
    EXPECT_TRUE(can_enforce(probes, by_gvisor)) << "it has another second lock than Landlock";
    EXPECT_FALSE(can_enforce(probes, by_bwrap));
}

TEST(Doctor, ARemedyForTwoProbesIsSaidOnce) {
    auto probes = host(Probe::Status::missing, Probe::Status::ok);
    probes[0].remedy = probes[2].remedy;
    EXPECT_THAT(diagnosis_text(probes, {jail::Level::full}),
                HasSubstr("\n\nLandlock, " + std::string(jail::kFullJailProbe) +
                          ": Run cellblock delegate.\n\nIsolation"));
}

TEST(Doctor, TheJsonSaysTheSame) {
    const auto report = nlohmann::json::parse(
        diagnosis_json(host(Probe::Status::missing, Probe::Status::ok), {jail::Level::namespaced}));
    EXPECT_EQ(report["isolation"], "namespaced");
    EXPECT_EQ(report["enforceable"], true);
    EXPECT_EQ(report["levels"]["full"], false);
    EXPECT_EQ(report["probes"].size(), 3U);
    EXPECT_EQ(report["probes"][0]["status"], "degraded");
}

}  // namespace
}  // namespace cellblock::cli
