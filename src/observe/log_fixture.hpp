// What the tests of this module share: a log in a directory of its own, and ways to tamper with it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/sys.hpp"
#include "observe/log.hpp"
#include "observe/verify.hpp"

namespace cellblock::observe {

class LogTest : public testing::Test {
  protected:
    LogTest() : parent_(sys::TempDir::create("audit-").value()) {
        options_.directory = parent_.path() + "/log";
        options_.lock_patience = std::chrono::seconds(30);
    }

    std::unique_ptr<Log> open() { return Log::open(options_).value(); }
    static Entry entry(int64_t number, size_t padding = 0) {
        Entry entry{"cell_end", {}};
        entry.members.integer("number", number).text("padding", std::string(padding, 'x'));
        return entry;
    }
    static Result<Written> append(Log& log, int64_t number, size_t padding = 0) {
        const Entry one = entry(number, padding);
        return log.append(std::span(&one, 1), Barrier::none);
    }
    /// A log of `count` records, the first of which is that of the segment.
    void fill(int count) {
        const auto log = open();
        for (int i = 1; i < count; ++i) ASSERT_TRUE(append(*log, i));
    }
    VerifyReport check(bool with_keys = false) {
        VerifyOptions options;
        const auto keys = PublicKeys::load(options_.keys_directory);
        if (with_keys) {
            options.keys = &*keys;
            std::ifstream kept(newest_checkpoint_path(options_.keys_directory, options_.directory));
            std::string line;
            if (std::getline(kept, line)) options.kept_checkpoints.push_back(line);
        }
        return verify(options_.directory, options).value();
    }
    std::string path(unsigned number = 1) const { return segment_path(options_.directory, number); }
    static std::string read(const std::string& path) {
        std::ostringstream text;
        text << std::ifstream(path, std::ios::binary).rdbuf();
        return text.str();
    }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    }
    std::vector<std::string> lines() const {
        std::vector<std::string> found;
        const std::vector<Segment> segments = list_segments(options_.directory).value();
        for (const Segment& segment : segments) {
            std::ifstream file(segment.path);
            for (std::string line; std::getline(file, line);) found.push_back(line);
        }
        return found;
    }
    void write_lines(const std::vector<std::string>& lines) {
        std::string text;
        for (const std::string& line : lines) text += line + "\n";
        write(path(), text);
    }

    sys::TempDir parent_;
    LogOptions options_;
};

}  // namespace cellblock::observe
