// What a kernel does while its log cannot be written, and afterwards.
#include "observe/trail.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "observe/log_fixture.hpp"

namespace {
std::atomic<bool> disk_fails = false;
}

// In the place of the C library's: no file system that a test can have fails to sync when it is told to.
extern "C" int fdatasync(int fd) {
    if (!disk_fails) return static_cast<int>(::syscall(SYS_fdatasync, fd));
    errno = EIO;
    return -1;
}

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TrailTest : public LogTest {
  protected:
    // A file where the log's directory should be: neither root nor anybody else can open a log there.
    void break_log() { write(options_.directory, ""); }
    void mend_log() { fs::remove(options_.directory); }
    Trail trail(OnError on_error) const { return Trail({options_, on_error}); }
    size_t count(const std::string& text) const {
        size_t found = 0;
        for (const std::string& line : lines()) found += line.find(text) != std::string::npos ? 1U : 0U;
        return found;
    }
};

TEST_F(TrailTest, NothingIsAdmittedWithoutItsRecord) {
    break_log();
    Trail trail = this->trail(OnError::stop);
    const auto admitted = trail.admit({entry(1)});
    ASSERT_FALSE(admitted);
    EXPECT_THAT(admitted.error().sentence(), HasSubstr("without which none may run"));
    const auto permitted = trail.permit();
    ASSERT_FALSE(permitted);
    EXPECT_EQ(permitted.error().sentence(), admitted.error().sentence());
    mend_log();
    EXPECT_FALSE(trail.permit()) << "nobody knows yet";
    EXPECT_TRUE(trail.admit({entry(2)}));
    EXPECT_TRUE(trail.permit());
    EXPECT_EQ(trail.trouble(), "");
    EXPECT_EQ(count("\"number\":1,\"padding"), 0U) << "it did not happen";
    EXPECT_EQ(count("\"gap\""), 0U);
}

TEST_F(TrailTest, NothingIsAdmittedWhileSomebodyElseKeepsTheLock) {
    options_.lock_patience = std::chrono::milliseconds(30);
    Trail trail = this->trail(OnError::stop);
    ASSERT_TRUE(trail.admit({entry(1)}));
    UniqueFd held = sys::open(options_.directory + "/lock", O_RDWR).value();
    ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
    const auto admitted = trail.admit({entry(2)});
    ASSERT_FALSE(admitted);
    EXPECT_THAT(admitted.error().sentence(), HasSubstr("another process has held"));
    held.reset();
    EXPECT_TRUE(trail.admit({entry(3)}));
    EXPECT_EQ(count("\"number\":2,\"padding"), 0U);
}

TEST_F(TrailTest, WhatIsNotOnTheDiskHoldsUpTheNextCell) {
    options_.sync = Sync::cell;
    Trail trail = this->trail(OnError::stop);
    ASSERT_TRUE(trail.admit({entry(1)}));
    disk_fails = true;
    EXPECT_TRUE(trail.note({entry(2)}, Barrier::cell)) << "it is in the file";
    EXPECT_THAT(trail.trouble(), HasSubstr("EIO"));
    EXPECT_FALSE(trail.permit());
    const auto admitted = trail.admit({entry(3)});
    disk_fails = false;
    ASSERT_FALSE(admitted);
    EXPECT_THAT(admitted.error().sentence(), HasSubstr("sync the audit log"));
    EXPECT_TRUE(trail.admit({entry(4)}));
    EXPECT_EQ(trail.trouble(), "");
    EXPECT_EQ(count("\"number\":2,\"padding"), 1U);
    EXPECT_EQ(count("\"number\":3,\"padding"), 0U);
    EXPECT_TRUE(check().ok());
}

TEST_F(TrailTest, WhatHappenedIsRecordedLateAndTheGapIsNamed) {
    break_log();
    Trail trail = this->trail(OnError::stop);
    EXPECT_FALSE(trail.note({entry(1)}, Barrier::cell));
    EXPECT_NE(trail.trouble(), "");
    mend_log();
    EXPECT_TRUE(trail.admit({entry(2)}));
    EXPECT_EQ(count("\"type\":\"gap\",\"late\":1,\"missed\":0,\"reason\":\""), 1U);
    EXPECT_EQ(count("\"number\":1,\"padding"), 1U);
    EXPECT_TRUE(check().ok());
    EXPECT_TRUE(trail.note({entry(3)}, Barrier::cell));
    EXPECT_EQ(count("\"gap\""), 1U) << "once";
}

TEST_F(TrailTest, GoesOnOnlyByNameAndCountsWhatIsMissing) {
    break_log();
    Trail trail = this->trail(OnError::go_on);
    for (size_t i = 0; i < kMaxLate + 5; ++i) EXPECT_TRUE(trail.admit({entry(1)}));
    EXPECT_TRUE(trail.permit());
    mend_log();
    EXPECT_TRUE(trail.note({entry(2)}, Barrier::cell));
    EXPECT_EQ(count("\"late\":64,\"missed\":5"), 1U);
    EXPECT_EQ(count("\"number\":1,\"padding"), kMaxLate);
    EXPECT_TRUE(check().ok());
}

}  // namespace
}  // namespace cellblock::observe
