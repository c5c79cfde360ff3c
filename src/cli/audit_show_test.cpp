// Whoever can write to a log can put into it what they like, with hashes that fit. Nothing of that steers the
// terminal of who reads it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/printable.hpp"
#include "base/sys.hpp"
#include "cli/commands.hpp"
#include "observe/hash.hpp"

namespace cellblock::cli {
namespace {

namespace fs = std::filesystem;

// CSI in one code point, CSI and a line feed as escapes of JSON, an override of the direction of writing, a
// tag, and what JSON takes for space.
const std::string kHostile = "\xc2\x9b[2J\\u001b[31m\\n\xe2\x80\xae\xf3\xa0\x80\x81";
const std::string kHostileTime = "2026-01-31T12:00\xc2\x9b[2J \xe2\x80\xae";
const size_t kTimeSize = std::string("2026-01-31T12:00:00.123456Z").size();

/// A record of which every text is hostile.
std::string hostile_record(int seq, const std::string& prev, const std::string& type) {
    std::string line = "{\"v\":1,\"seq\":" + std::to_string(seq) + ",\"prev\":\"" + prev + "\",\"time\":\"" +
                       (kHostileTime + std::string(kTimeSize, '.')).substr(0, kTimeSize) + "\",\"type\":\"" +
                       type + "\"";
    for (const char* member : {"kernel", "notebook", "verdict", "limit", "reason", "msg_id", "cell_id",
                               "code_sha256", "outputs_sha256", "name", "calls", "key", "language", "entry"})
        line += ",\r\"" + std::string(member) + "\":\"" + kHostile + "\"";
    line += ",\"wall_us\":\t[\"" + kHostile + "\"]";
    return line + ",\"hash\":\"" + observe::to_hex(observe::Sha256().of(line)) + "\"}";
}

class HostileLog : public testing::Test {
  protected:
    HostileLog() : directory_(sys::TempDir::create("hostile-").value()) {
        fs::create_directory(directory_.path() + "/log");
        std::ofstream file(directory_.path() + "/log/audit-00000001.jsonl");
        std::string prev(64, '0');
        int seq = 0;
        for (const std::string& type : {kHostile, std::string("cell_end"), std::string("limit_hit"),
                                        std::string("outputs_changed"), std::string("kernel_start")}) {
            const std::string line = hostile_record(++seq, prev, type);
            prev = line.substr(line.size() - 66, 64);
            file << line << "\n";
        }
        file << "no record \xc2\x9b[2J\n";
        std::ofstream(directory_.path() + "/n.ipynb")
            << R"({"nbformat": 4, "cells": [{"cell_type": "code", "id": ")" + kHostile + R"(", "source": ")" +
                   kHostile + R"(", "outputs": []}]})";
    }

    /// What a command prints, to both streams.
    std::string run(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "audit");
        arguments.insert(arguments.end(), {"--path", directory_.path() + "/log"});
        std::ostringstream out;
        std::ostringstream err;
        const auto variable = [this](const std::string& name) {
            return name == "HOME" ? directory_.path() : std::string();
        };
        cli::run(commands(), arguments,
                 Context{out, err, variable, [] { return std::vector<jail::Probe>(); }, "", ""});
        return out.str() + err.str();
    }

    sys::TempDir directory_;
};

TEST_F(HostileLog, SteersNoTerminal) {
    const std::vector<std::vector<std::string>> commands{{"show"},
                                                         {"show", "--json"},
                                                         {"tail"},
                                                         {"tail", "--json"},
                                                         {"stats"},
                                                         {"stats", "--json"},
                                                         {"verify"},
                                                         {"verify", "--json"},
                                                         {"match", directory_.path() + "/n.ipynb"},
                                                         {"match", directory_.path() + "/n.ipynb", "--json"}};
    for (const auto& command : commands) {
        std::istringstream printed(run(command));
        size_t lines = 0;
        for (std::string line; std::getline(printed, line); ++lines)
            EXPECT_EQ(printable_line(line), line) << command.front();
        EXPECT_GT(lines, 0U) << command.front();
    }
}

TEST_F(HostileLog, IsShownAllTheSame) {
    std::istringstream table(run({"show"}));
    size_t lines = 0;
    for (std::string line; std::getline(table, line);) ++lines;
    EXPECT_EQ(lines, 8U) << "a heading, six lines of the log, a note about the last of them";
    std::istringstream printed(run({"show", "--json", "--type", "cell_end"}));
    std::string line;
    ASSERT_TRUE(std::getline(printed, line) && line.starts_with("{")) << run({"show"});
    EXPECT_EQ(nlohmann::json::parse(line)["notebook"], nlohmann::json::parse("\"" + kHostile + "\""));
}

}  // namespace
}  // namespace cellblock::cli
