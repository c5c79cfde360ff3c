// Each way to tamper with a log is found, with its name and the first record that is wrong.
#include "observe/verify.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "observe/log_fixture.hpp"

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Verify : public LogTest {
  protected:
    void expect(Wrong wrong, uint64_t seq) {
        const VerifyReport report = check(!options_.keys_directory.empty());
        ASSERT_TRUE(report.finding) << "nothing was found";
        EXPECT_EQ(to_text(report.finding->wrong), to_text(wrong)) << report.finding->what;
        EXPECT_EQ(report.finding->seq, seq) << report.finding->what;
    }
    // The record at `index` with another member, and with a hash that fits.
    static std::string forge(const std::string& line, const std::string& from, const std::string& to) {
        std::string bytes = line.substr(0, line.size() - 75);
        bytes.replace(bytes.find(from), from.size(), to);
        return bytes + ",\"hash\":\"" + to_hex(Sha256::of(bytes)) + "\"}";
    }
    /// All from `index` on, chained anew.
    static void rechain(std::vector<std::string>& lines, size_t index) {
        for (size_t i = index; i < lines.size(); ++i) {
            const std::string old_prev = lines[i].substr(lines[i].find("prev") + 7, 64);
            lines[i] = forge(lines[i], old_prev, lines[i - 1].substr(lines[i - 1].size() - 66, 64));
        }
    }
    void with_key() {
        options_.keys_directory = parent_.path() + "/keys";
        ASSERT_TRUE(SigningKey::create(options_.keys_directory, false));
    }
};

TEST_F(Verify, AcceptsWhatWasWritten) {
    fill(20);
    const VerifyReport report = check();
    EXPECT_TRUE(report.ok());
    EXPECT_EQ(report.records, 20U);
    EXPECT_EQ(report.segments, 1U);
    EXPECT_EQ(report.torn, 0U);
    EXPECT_EQ(report.unfinished_bytes, 0U);
}

TEST_F(Verify, FindsAnEdit) {
    fill(20);
    auto all = lines();
    all[7].replace(all[7].find("number"), 6, "nXmber");
    write_lines(all);
    expect(Wrong::edited, 8);
}

TEST_F(Verify, FindsAnEditOfTheLastRecord) {
    fill(20);
    auto all = lines();
    all[19].replace(all[19].find("number"), 6, "nXmber");
    write_lines(all);
    expect(Wrong::edited, 20);
}

TEST_F(Verify, FindsAnEditWithARecomputedHash) {
    fill(20);
    auto all = lines();
    all[7] = forge(all[7], "\"number\":7", "\"number\":8");
    write_lines(all);
    expect(Wrong::edited, 8);
}

TEST_F(Verify, FindsADeletion) {
    fill(20);
    auto all = lines();
    all.erase(all.begin() + 4, all.begin() + 6);
    write_lines(all);
    expect(Wrong::deleted, 5);
    EXPECT_THAT(check().finding->what, HasSubstr("records 5 to 6"));
    EXPECT_EQ(check().finding->place.line, 5U);
}

TEST_F(Verify, FindsADeletionAtTheBeginning) {
    fill(20);
    auto all = lines();
    all.erase(all.begin());
    write_lines(all);
    expect(Wrong::deleted, 1);
    VerifyOptions options;
    options.begins_anywhere = true;
    EXPECT_TRUE(verify(options_.directory, options).value().ok()) << "archived";
}

TEST_F(Verify, FindsInsertions) {
    fill(20);
    const auto whole = lines();
    auto all = whole;
    all.insert(all.begin() + 9, "what is this?");
    write_lines(all);
    expect(Wrong::inserted, 10);

    all = whole;
    all.insert(all.begin() + 9, whole[3]);  // a copy
    write_lines(all);
    expect(Wrong::inserted, 4);

    all = whole;
    all.insert(all.begin() + 9, forge(whole[9], "\"number\":9", "\"number\":0"));
    all[9] = forge(all[9], "\"prev\":\"", "\"prev\":\"");
    write_lines(all);
    expect(Wrong::inserted, 10);
}

TEST_F(Verify, FindsReordering) {
    fill(20);
    auto all = lines();
    std::swap(all[11], all[12]);
    write_lines(all);
    expect(Wrong::reordered, 12);
}

TEST_F(Verify, FindsARemovedSegment) {
    options_.segment_size = 4_KiB;
    fill(60);
    ASSERT_GT(list_segments(options_.directory).value().size(), 3U);
    EXPECT_TRUE(check().ok());
    fs::remove(path(2));
    const VerifyReport report = check();
    ASSERT_TRUE(report.finding);
    EXPECT_EQ(report.finding->wrong, Wrong::deleted);
}

TEST_F(Verify, FindsTruncationByTheCheckpoint) {
    with_key();
    fill(20);
    ASSERT_TRUE(open()->checkpoint());
    EXPECT_TRUE(check(true).ok());
    EXPECT_EQ(check(true).signed_up_to, 21U);
    auto all = lines();
    all.resize(15);
    write_lines(all);
    expect(Wrong::truncated, 16);
    fs::remove(path());
    expect(Wrong::truncated, 1);
}

TEST_F(Verify, FindsARewrittenChainByTheSignature) {
    with_key();
    fill(20);
    ASSERT_TRUE(open()->checkpoint());
    auto all = lines();
    all[7] = forge(all[7], "\"number\":7", "\"number\":8");
    rechain(all, 8);
    write_lines(all);
    EXPECT_TRUE(check(false).ok()) << "the chain alone fits";
    expect(Wrong::rewritten, 1);
    // Without the checkpoint there is the copy of it beside the key.
    all.resize(20);
    write_lines(all);
    expect(Wrong::truncated, 21);
    {
        const auto log = Log::open({options_.directory, ""}).value();
        ASSERT_TRUE(append(*log, 1));
    }
    expect(Wrong::rewritten, 1);
}

TEST_F(Verify, FindsACheckpointOfAStrangersKey) {
    with_key();
    fill(5);
    LogOptions stranger = options_;
    stranger.keys_directory = parent_.path() + "/other";
    ASSERT_TRUE(SigningKey::create(stranger.keys_directory, false));
    ASSERT_TRUE(Log::open(stranger).value()->checkpoint());
    expect(Wrong::rewritten, 1);
}

TEST_F(Verify, AReplacedKeyLeavesItsCheckpointsValid) {
    with_key();
    fill(5);
    ASSERT_TRUE(open()->checkpoint());
    ASSERT_TRUE(SigningKey::create(options_.keys_directory, true));
    ASSERT_TRUE(open()->checkpoint());
    const VerifyReport report = check(true);
    EXPECT_TRUE(report.ok()) << report.finding->what;
    EXPECT_EQ(report.checkpoints, 2U);
}

TEST_F(Verify, AnUnfinishedRecordAtTheEndIsNoTampering) {
    fill(5);
    const std::string text = read(path());
    write(path(), text.substr(0, text.size() - 100));
    const VerifyReport report = check();
    EXPECT_TRUE(report.ok());
    EXPECT_EQ(report.records, 4U);
    EXPECT_GT(report.unfinished_bytes, 0U);
}

TEST_F(Verify, NothingAtAllIsWholeToo) {
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 0U);
}

TEST_F(Verify, TheKeyIsPrivate) {
    with_key();
    const std::string key = options_.keys_directory + "/key.pem";
    EXPECT_EQ(fs::status(key).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_FALSE(SigningKey::create(options_.keys_directory, false)) << "a key is not overwritten by mistake";
    fs::permissions(key, fs::perms::group_read, fs::perm_options::add);
    const auto log = Log::open(options_);
    ASSERT_FALSE(log);
    EXPECT_THAT(log.error().sentence(), HasSubstr("chmod 600"));
}

}  // namespace
}  // namespace cellblock::observe
