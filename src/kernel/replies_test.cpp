// The request table and the contents that the kernel composes.
#include "kernel/replies.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cellblock::kernel {
namespace {

TEST(Routes, UnknownTypesAreLeftAlone) {
    EXPECT_EQ(route_of("no_such_request").answerer, Answerer::nobody);
    EXPECT_EQ(route_of("no_such_request").reply_type, "");
    EXPECT_EQ(route_of("").answerer, Answerer::nobody);
}

TEST(Routes, RepliesCarryTheNameOfTheirRequest) {
    for (const char* type :
         {"execute", "complete", "inspect", "is_complete", "history", "comm_info", "kernel_info", "interrupt",
          "shutdown", "connect", "create_subshell", "delete_subshell", "list_subshell"})
        EXPECT_EQ(route_of(std::string(type) + "_request").reply_type, std::string(type) + "_reply");
    for (const char* type : {"comm_open", "comm_msg", "comm_close"}) EXPECT_EQ(route_of(type).reply_type, "");
}

TEST(KernelInfo, KeepsTheWorkersTextsAndSaysTheLevel) {
    const auto content = kernel_info_content(
        R"({"language_info": {"name": "python", "z": 1, "a": 12345678901234567890123}, "banner": "Python 3\n", "help_links": []})",
        {jail::Level::full, true, jail::Backend::bwrap}, {"strict", "sha256:00", {}});
    ASSERT_TRUE(content.ok());
    EXPECT_NE(content->find(R"("language_info": {"name": "python", "z": 1, "a": 12345678901234567890123})"),
              std::string::npos);
    const auto parsed = nlohmann::json::parse(*content);
    EXPECT_EQ(parsed["status"], "ok");
    EXPECT_EQ(parsed["implementation"], "cellblock");
    EXPECT_NE(parsed["banner"].get<std::string>().find("isolation level full, backend bwrap, profile strict"),
              std::string::npos);
    EXPECT_EQ(parsed["banner"].get<std::string>().find("degraded"), std::string::npos);
    EXPECT_EQ(parsed["cellblock"],
              nlohmann::json::parse(R"({"isolation": "full", "backend": "bwrap", "landlock": true,
        "profile": "strict", "profile_digest": "sha256:00", "notes": []})"));
}

TEST(KernelInfo, SaysWhatIsWeakerAndWhatIsNotObeyed) {
    const auto content =
        kernel_info_content("{}", {jail::Level::namespaced, false},
                            {"mine", "sha256:00", {"a\x1b[2J: limits.memory is not obeyed"}});
    ASSERT_TRUE(content.ok());
    const auto parsed = nlohmann::json::parse(*content);
    const auto banner = parsed["banner"].get<std::string>();
    EXPECT_NE(banner.find("degraded: this host has no Landlock"), std::string::npos);
    EXPECT_NE(banner.find("Note: a?[2J: limits.memory is not obeyed.\n"), std::string::npos);
    EXPECT_EQ(parsed["cellblock"]["landlock"], false);
    EXPECT_EQ(parsed["cellblock"]["notes"].size(), 1U);
}

TEST(KernelInfo, RefusesWhatIsNoObject) {
    EXPECT_FALSE(kernel_info_content("[]", {}, {}).ok());
}

TEST(Contents, AreJson) {
    EXPECT_EQ(nlohmann::json::parse(shutdown_content(true))["restart"], true);
    EXPECT_EQ(nlohmann::json::parse(aborted_content())["status"], "aborted");
    EXPECT_EQ(nlohmann::json::parse(unrun_metadata("e", "aborted"))["engine"], "e");
    EXPECT_EQ(nlohmann::json::parse(unrun_metadata("e", "error"))["status"], "error");
    EXPECT_EQ(nlohmann::json::parse(status_content("busy"))["execution_state"], "busy");
    EXPECT_EQ(nlohmann::json::parse(error_content("A\"b", "c\nd"))["ename"], "A\"b");
}

TEST(ContentFlag, FallsBackOnAbsentAndWrongValues) {
    protocol::Request request;
    request.content = R"({"stop_on_error": false, "silent": "yes"})";
    EXPECT_FALSE(content_flag(request, "stop_on_error", true));
    EXPECT_TRUE(content_flag(request, "silent", true));
    EXPECT_FALSE(content_flag(request, "absent", false));
}

}  // namespace
}  // namespace cellblock::kernel
