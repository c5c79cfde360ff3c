// System calls as functions: what they open is owned and close-on-exec, what fails says what and on which
// object.
#include "base/sys.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

namespace cellblock::sys {
namespace {

bool closes_on_exec(const UniqueFd& fd) {
    return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) != -1;
}

bool readable_within(int fd, int milliseconds) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, milliseconds) == 1;
}

class Sys : public testing::Test {
  protected:
    const TempDir dir = TempDir::create("cellblock-sys-test-").value();
    const std::string path = dir.path() + "/file";
};

TEST_F(Sys, EveryDescriptorClosesOnExec) {
    std::ofstream(path) << "x";
    EXPECT_TRUE(closes_on_exec(open(path, O_RDONLY).value()));
    const UniqueFd directory = open(dir.path(), O_RDONLY | O_DIRECTORY).value();
    const UniqueFd file = open_at(directory.get(), "file", O_RDONLY).value();
    EXPECT_TRUE(closes_on_exec(file));
    EXPECT_TRUE(closes_on_exec(duplicate(file.get()).value()));
    const auto [reading, writing] = pipe().value();
    EXPECT_TRUE(closes_on_exec(reading) && closes_on_exec(writing));
    const auto [ours, theirs] = socket_pair(SOCK_STREAM).value();
    EXPECT_TRUE(closes_on_exec(ours) && closes_on_exec(theirs));
    EXPECT_TRUE(closes_on_exec(event_fd().value()));
    EXPECT_TRUE(closes_on_exec(timer_fd().value()));
    EXPECT_TRUE(closes_on_exec(pidfd_open(::getpid()).value()));
    EXPECT_TRUE(closes_on_exec(signal_fd(std::array{SIGUSR2}).value()));
}

TEST_F(Sys, OpenSaysWhatItCouldNotOpenAndWhy) {
    EXPECT_EQ(open(path, O_RDONLY).error().what(), "open " + path + ": No such file or directory (ENOENT)");
    EXPECT_EQ(open(path, O_RDONLY).error().error_number(), ENOENT);
}

TEST_F(Sys, ReadFileIsBoundedAtItsSize) {
    std::ofstream(path) << std::string(20'000, 'x');
    EXPECT_EQ(read_file(path, 20'000)->size(), 20'000U);
    EXPECT_EQ(read_file(path, 19'999).error().what(),
              "read " + path + ": larger than the 19999 bytes expected");
    EXPECT_EQ(read_file(dir.path(), 10).error().error_number(), EISDIR);
}

TEST_F(Sys, WriteFileWritesToExistingFilesOnly) {
    EXPECT_EQ(write_file(path, "text").error().error_number(), ENOENT);
    std::ofstream(path) << "";
    EXPECT_TRUE(write_file(path, "text").ok());
    EXPECT_EQ(*read_file(path, 100), "text");
    const UniqueFd directory = open(dir.path(), O_RDONLY | O_DIRECTORY).value();
    EXPECT_TRUE(write_file_at(directory.get(), "file", "more").ok());
    EXPECT_EQ(*read_file_at(directory.get(), "file", 100), "more");
}

TEST_F(Sys, WriteFileNamesTheTextThatTheKernelRefused) {
    const auto result = write_file("/proc/self/oom_score_adj", "nonsense");
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().what(),
              "write \"nonsense\" to /proc/self/oom_score_adj: Invalid argument (EINVAL)");
}

TEST_F(Sys, WriteAllWritesMoreThanAPipeHoldsInSpiteOfSignals) {
    // Without SA_RESTART, so that each signal interrupts a write(2) that waits for the reader.
    struct sigaction on_alarm {};
    on_alarm.sa_handler = [](int) {};
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGALRM, &on_alarm, &before), 0);
    const auto [reading, writing] = pipe().value();
    const std::string sent(1 << 20, 'x');
    std::string received;
    // The signals shall hit the writer.
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &alarm, nullptr), 0);
    std::thread reader([fd = reading.get(), &received, size = sent.size()] {
        std::array<char, 16384> buffer;
        while (received.size() < size) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            const ssize_t n = ::read(fd, buffer.data(), buffer.size());
            if (n <= 0) return;
            received.append(buffer.data(), static_cast<size_t>(n));
        }
    });
    ASSERT_EQ(::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr), 0);
    const itimerval often{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto result = write_all(writing.get(), sent);
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    reader.join();
    ::sigaction(SIGALRM, &before, nullptr);
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(received, sent);
}

TEST_F(Sys, TimersFireOnceAndZeroDisarms) {
    const UniqueFd timer = timer_fd().value();
    ASSERT_TRUE(arm_timer(timer.get(), std::chrono::milliseconds(1)).ok());
    EXPECT_TRUE(readable_within(timer.get(), 10'000));
    uint64_t expirations = 0;
    ASSERT_EQ(::read(timer.get(), &expirations, sizeof expirations), 8);
    EXPECT_EQ(expirations, 1U);
    EXPECT_FALSE(readable_within(timer.get(), 20));
    ASSERT_TRUE(arm_timer(timer.get(), std::chrono::milliseconds(1)).ok());
    ASSERT_TRUE(arm_timer(timer.get(), std::chrono::nanoseconds(0)).ok());
    EXPECT_FALSE(readable_within(timer.get(), 20));
    ASSERT_TRUE(arm_timer(timer.get(), std::chrono::seconds(-5)).ok());
    EXPECT_TRUE(readable_within(timer.get(), 10'000)) << "a deadline in the past has come";
}

TEST_F(Sys, PidfdsSignalAndReportTheEnd) {
    const pid_t child = ::fork();
    if (child == 0) {
        while (true) ::pause();
    }
    const UniqueFd pidfd = pidfd_open(child).value();
    EXPECT_FALSE(readable_within(pidfd.get(), 0));
    EXPECT_TRUE(pidfd_send_signal(pidfd.get(), SIGKILL).ok());
    EXPECT_TRUE(readable_within(pidfd.get(), 10'000));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_EQ(pidfd_send_signal(pidfd.get(), SIGKILL).error().error_number(), ESRCH);
}

TEST_F(Sys, SignalFdReadsBlockedSignals) {
    std::thread([] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
        const UniqueFd fd = signal_fd(std::array{SIGUSR1}).value();
        ASSERT_EQ(::pthread_kill(::pthread_self(), SIGUSR1), 0);
        signalfd_siginfo info{};
        ASSERT_EQ(::read(fd.get(), &info, sizeof info), static_cast<ssize_t>(sizeof info));
        EXPECT_EQ(info.ssi_signo, static_cast<uint32_t>(SIGUSR1));
    }).join();
}

TEST_F(Sys, SetNonblockingTurnsOnAndOff) {
    const auto [reading, writing] = pipe().value();
    const auto nonblocking = [fd = reading.get()] { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; };
    EXPECT_FALSE(nonblocking());
    EXPECT_TRUE(set_nonblocking(reading.get(), true).ok());
    EXPECT_TRUE(nonblocking());
    EXPECT_TRUE(set_nonblocking(reading.get(), false).ok());
    EXPECT_FALSE(nonblocking());
    EXPECT_FALSE(set_nonblocking(-1, true).ok());
}

TEST_F(Sys, DuplicatesStayAwayFromTheStandardStreams) {
    EXPECT_GT(duplicate(0).value().get(), 2);
    EXPECT_FALSE(duplicate(-1).ok());
}

TEST(TempDir, IsPrivateAndGoesWithAllThatIsInIt) {
    std::string path;
    {
        const TempDir dir = TempDir::create("cellblock-sys-test-").value();
        path = dir.path();
        struct stat status {};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0700U);
        std::filesystem::create_directories(path + "/a/b");
        std::ofstream(path + "/a/b/file") << "x";
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDir, BelongsToWhomItWasMoved) {
    TempDir first = TempDir::create("cellblock-sys-test-").value();
    const std::string path = first.path();
    {
        const TempDir second = std::move(first);
        EXPECT_EQ(second.path(), path);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDir, SaysWhereItCouldNotBeCreated) {
    EXPECT_EQ(TempDir::create("x", "/nonexistent").error().what(),
              "create a temporary directory in /nonexistent: No such file or directory (ENOENT)");
}

TEST(UniqueFd, ClosesOnce) {
    int first = -1;
    int second = -1;
    {
        auto [reading, writing] = pipe().value();
        first = reading.get();
        second = writing.get();
        UniqueFd moved = std::move(reading);
        EXPECT_FALSE(reading.valid());  // NOLINT(bugprone-use-after-move): the claim
        EXPECT_EQ(moved.get(), first);
        moved = std::move(writing);
        EXPECT_FALSE(is_open(first));
        EXPECT_TRUE(is_open(second));
        EXPECT_EQ(moved.release(), second);
    }
    EXPECT_TRUE(is_open(second));
    UniqueFd(second).reset();
    EXPECT_FALSE(is_open(second));
}

}  // namespace
}  // namespace cellblock::sys
