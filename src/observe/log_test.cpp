// Many writers, killed writers, full and read-only disks, and files that change under a writer.
#include "observe/log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <filesystem>
#include <functional>
#include <random>
#include <set>

#include "observe/log_fixture.hpp"

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Appending : public LogTest {
  protected:
    /// Runs `what` in a process of its own, which exits with 0 when that is true.
    static pid_t in_child(const std::function<bool()>& what) {
        const pid_t pid = ::fork();
        if (pid == 0) ::_exit(what() ? 0 : 1);
        return pid;
    }
    static int wait_for(pid_t pid) {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        return status;
    }
    size_t count(const std::string& text) const {
        size_t found = 0;
        for (const std::string& line : lines()) found += line.find(text) != std::string::npos ? 1U : 0U;
        return found;
    }
};

TEST_F(Appending, FiftyProcessesLoseNothingWhileSegmentsRotate) {
    options_.segment_size = 64_KiB;
    constexpr int kProcesses = 50;
    constexpr int kRecords = 40;
    std::vector<pid_t> children;
    for (int process = 0; process < kProcesses; ++process)
        children.push_back(in_child([&] {
            auto log = Log::open(options_);
            if (!log) return false;
            for (int i = 0; i < kRecords; ++i)
                if (!append(**log, process * kRecords + i, 100)) return false;
            return true;
        }));
    for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
    const VerifyReport report = check();
    ASSERT_TRUE(report.ok()) << report.finding->what;
    EXPECT_EQ(report.torn, 0U);
    EXPECT_GT(report.segments, 5U);
    EXPECT_EQ(report.records, kProcesses * kRecords + report.segments);
    std::set<std::string> numbers;
    for (const std::string& line : lines())
        if (line.find("\"cell_end\"") != std::string::npos)
            numbers.insert(
                line.substr(line.find("\"number\""), line.find("\"padding\"") - line.find("\"number\"")));
    EXPECT_EQ(numbers.size(), size_t{kProcesses * kRecords});
}

TEST_F(Appending, ThreadsOfOneProcessShareALog) {
    const auto log = open();
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) EXPECT_TRUE(append(*log, i));
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 401U);
}

TEST_F(Appending, AThousandKilledWritersLeaveAWholeChain) {
    options_.segment_size = 256_KiB;
    std::mt19937 random(1);  // NOLINT: the same moments each time
    uint64_t before = 0;
    for (int i = 0; i < 1000; ++i) {
        const pid_t child = in_child([&] {
            const auto log = open();
            for (int n = 0;; ++n)
                if (!append(*log, n, 500)) return false;
        });
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
        ::kill(child, SIGKILL);
        EXPECT_TRUE(WIFSIGNALED(wait_for(child)));
        if (i % 100 != 99) continue;
        const VerifyReport report = check();
        ASSERT_TRUE(report.ok()) << report.finding->what;
        EXPECT_GE(report.records, before);
        before = report.records;
    }
    EXPECT_GT(before, 1000U);
    EXPECT_TRUE(append(*open(), 1));
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().unfinished_bytes, 0U);
}

// What a power cut can leave of the last record: every length of it.
TEST_F(Appending, GoesOnAfterARecordThatWasTornAnywhere) {
    fill(3);
    const std::string whole = read(path());
    const size_t last = whole.rfind('\n', whole.size() - 2) + 1;
    for (size_t size = last; size < whole.size(); ++size) {
        write(path(), whole.substr(0, size));
        const bool torn = size > last;
        const VerifyReport before = check();
        ASSERT_TRUE(before.ok()) << size << before.finding->what;
        EXPECT_EQ(before.unfinished_bytes, size - last);
        ASSERT_TRUE(append(*open(), 4));
        const VerifyReport after = check();
        ASSERT_TRUE(after.ok()) << size << ": " << after.finding->what;
        EXPECT_EQ(after.unfinished_bytes, 0U);
        // All but its line feed: then it is a record, and is kept.
        const bool completed = size == whole.size() - 1;
        EXPECT_EQ(after.torn, torn && !completed ? 1U : 0U) << size;
        EXPECT_EQ(count("\"recovered\""), torn ? 1U : 0U);
        EXPECT_TRUE(read(path()).starts_with(whole.substr(0, size))) << "what was torn is left as it is";
    }
}

TEST_F(Appending, GoesOnAfterARecoveryThatWasTornItself) {
    fill(3);
    const std::string whole = read(path());
    write(path(), whole.substr(0, whole.size() - 50));
    const std::string torn = read(path());
    ASSERT_TRUE(append(*open(), 4));
    const std::string recovered = read(path());
    for (size_t size = torn.size() + 1; size < torn.size() + 200; ++size) {
        write(path(), recovered.substr(0, size));
        ASSERT_TRUE(append(*open(), 5));
        const VerifyReport report = check();
        ASSERT_TRUE(report.ok()) << size << ": " << report.finding->what;
        EXPECT_EQ(report.torn, 1U);
    }
}

TEST_F(Appending, GoesOnAfterBlocksOfZeros) {
    fill(3);
    write(path(), read(path()) + std::string(300'000, '\0'));
    EXPECT_EQ(check().unfinished_bytes, 300'000U);
    ASSERT_TRUE(append(*open(), 4));
    const VerifyReport report = check();
    EXPECT_TRUE(report.ok()) << report.finding->what;
    EXPECT_EQ(report.torn, 1U);
}

TEST_F(Appending, GoesOnAfterASegmentThatWasOnlyJustCreated) {
    fill(3);
    write(path(2), "");
    ASSERT_TRUE(append(*open(), 4));
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 5U) << "with the record of the new segment";
    EXPECT_THAT(read(path(2)), HasSubstr("\"segment\",\"number\":2"));
}

TEST_F(Appending, TheChainGoesOverSegmentsThatSomebodyElseBegan) {
    options_.segment_size = 4_KiB;
    const auto one = open();
    const auto other = open();
    for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(append(*one, i, 300));
        ASSERT_TRUE(append(*other, i, 300));
    }
    const VerifyReport report = check();
    EXPECT_TRUE(report.ok()) << report.finding->what;
    EXPECT_GT(report.segments, 5U);
}

TEST_F(Appending, ARemovedSegmentLeavesAGapThatIsFound) {
    const auto log = open();
    for (int i = 1; i < 5; ++i) ASSERT_TRUE(append(*log, i));
    fs::remove(path());
    ASSERT_TRUE(append(*log, 5));
    EXPECT_THAT(read(path(2)), HasSubstr("\"records_missing\",\"last_seen\":5,\"last_found\":0"));
    const VerifyReport report = check();
    ASSERT_TRUE(report.finding);
    EXPECT_EQ(report.finding->wrong, Wrong::deleted);
}

TEST_F(Appending, AReplacedFileWithTheSameRecordsIsGoneOnWith) {
    const auto log = open();
    for (int i = 1; i < 5; ++i) ASSERT_TRUE(append(*log, i));
    fs::copy_file(path(), path() + ".copy");
    fs::rename(path() + ".copy", path());
    ASSERT_TRUE(append(*log, 5));
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 6U);
}

TEST_F(Appending, AReplacedFileWithFewerRecordsLeavesAGapThatIsFound) {
    const auto log = open();
    for (int i = 1; i < 5; ++i) ASSERT_TRUE(append(*log, i));
    auto all = lines();
    all.resize(3);
    fs::remove(path());
    write_lines(all);
    ASSERT_TRUE(append(*log, 5));
    const VerifyReport report = check();
    ASSERT_TRUE(report.finding);
    EXPECT_EQ(report.finding->wrong, Wrong::deleted);
    EXPECT_EQ(report.finding->seq, 4U);
}

TEST_F(Appending, AReplacedLockFileLocksAgain) {
    const auto one = open();
    const auto other = open();
    ASSERT_TRUE(append(*one, 1));
    fs::remove(options_.directory + "/lock");
    ASSERT_TRUE(append(*other, 2));
    ASSERT_TRUE(append(*one, 3));
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 4U);
}

TEST_F(Appending, ARemovedDirectoryIsAnError) {
    const auto log = open();
    fs::remove_all(options_.directory);
    EXPECT_FALSE(append(*log, 1));
}

TEST_F(Appending, AHeldLockIsWaitedForNotForEver) {
    options_.lock_patience = std::chrono::milliseconds(50);
    const auto log = open();
    const UniqueFd held = sys::open(options_.directory + "/lock", O_RDWR).value();
    ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
    const auto written = append(*log, 1);
    ASSERT_FALSE(written);
    EXPECT_THAT(written.error().sentence(), HasSubstr("another process has held"));
}

TEST_F(Appending, AFullFileLeavesTheLogAsItWasAndIsAnError) {
    fill(3);
    // In a child: the limit cannot be raised again. SIGXFSZ is left as it is, and would end the process.
    const int status = wait_for(in_child([&] {
        const auto log = open();
        const uint64_t size = fs::file_size(path());
        const rlimit limit{size + 100, size + 100};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
        const auto written = append(*log, 4);
        return !written && written.error().error_number() == EFBIG && fs::file_size(path()) == size;
    }));
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(append(*open(), 4));
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 4U);
}

TEST_F(Appending, ADirectoryThatCannotBeMadeIsAnError) {
    write(parent_.path() + "/file", "");
    options_.directory = parent_.path() + "/file/log";
    EXPECT_FALSE(Log::open(options_));
}

TEST_F(Appending, SegmentsThatAreNoFilesAreAnError) {
    fill(2);
    fs::remove(path());
    fs::create_symlink("/etc/passwd", path());
    EXPECT_FALSE(Log::open(options_)) << "a link would lead elsewhere";
    fs::remove(path());
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    EXPECT_FALSE(Log::open(options_)) << "and must not be waited for";
}

TEST_F(Appending, FilesArePrivate) {
    fill(2);
    EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(fs::status(options_.directory).permissions(), fs::perms::owner_all);
}

TEST_F(Appending, SignsEverySoManyRecords) {
    options_.keys_directory = parent_.path() + "/keys";
    ASSERT_TRUE(SigningKey::create(options_.keys_directory, false));
    options_.checkpoint_every = 10;
    fill(36);
    const VerifyReport report = check(true);
    ASSERT_TRUE(report.ok()) << report.finding->what;
    EXPECT_EQ(report.checkpoints, 3U);
}

TEST_F(Appending, ACheckpointThatCannotBeKeptHoldsUpTheNextAppend) {
    options_.keys_directory = parent_.path() + "/keys";
    ASSERT_TRUE(SigningKey::create(options_.keys_directory, false));
    options_.checkpoint_every = 2;
    const auto log = open();
    ASSERT_FALSE(append(*log, 1)->not_synced);
    fs::rename(options_.keys_directory, parent_.path() + "/away");
    const auto written = append(*log, 2);
    ASSERT_TRUE(written);
    EXPECT_TRUE(written->not_synced);
    EXPECT_FALSE(append(*log, 3));
    fs::rename(parent_.path() + "/away", options_.keys_directory);
    EXPECT_TRUE(append(*log, 4));
    EXPECT_TRUE(check(true).ok());
}

class EverySync : public LogTest, public testing::WithParamInterface<Sync> {};

TEST_P(EverySync, WritesTheSameRecords) {
    options_.sync = GetParam();
    {
        const auto log = open();
        for (int i = 0; i < 5; ++i) {
            const Entry one = entry(i);
            const auto written = log->append(std::span(&one, 1), Barrier::cell);
            ASSERT_TRUE(written);
            EXPECT_FALSE(written->not_synced);
        }
        EXPECT_TRUE(log->checkpoint());
    }
    EXPECT_TRUE(check().ok());
    EXPECT_EQ(check().records, 6U);
}

INSTANTIATE_TEST_SUITE_P(Log, EverySync, testing::Values(Sync::each, Sync::cell, Sync::interval),
                         [](const auto& sync) { return std::string(to_text(sync.param)); });

}  // namespace
}  // namespace cellblock::observe
