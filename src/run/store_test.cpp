#include "run/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/sys.hpp"

namespace cellblock::run {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string key_of(std::string_view part) {
    const std::array parts{part};
    return store_key(parts);
}

class Stores : public ::testing::Test {
  protected:
    void SetUp() override {
        auto created = sys::TempDir::create("cellblock-store-");
        ASSERT_TRUE(created.ok());
        directory_ = std::make_unique<sys::TempDir>(*std::move(created));
    }
    [[nodiscard]] std::string at(const std::string& path) const { return directory_->path() + "/" + path; }
    [[nodiscard]] Store store(Bytes most = kMaxStore) const {
        auto opened = Store::open(at("cache/cellblock"), most);
        EXPECT_TRUE(opened.ok()) << opened.error().sentence();
        return *std::move(opened);
    }
    [[nodiscard]] std::string program_file(const std::string& key) const {
        return at("cache/cellblock/programs/" + key);
    }
    std::unique_ptr<sys::TempDir> directory_;
};

TEST(StoreKeys, DifferWhereverTheirPartsDo) {
    const std::array<std::string_view, 2> a{"ab", "c"};
    const std::array<std::string_view, 2> b{"a", "bc"};
    const std::array<std::string_view, 3> c{"ab", "c", ""};
    EXPECT_NE(store_key(a), store_key(b));
    EXPECT_NE(store_key(a), store_key(c));
    EXPECT_EQ(store_key(a), store_key(a));
    EXPECT_EQ(store_key(a).size(), 64U);
}

TEST_F(Stores, GiveBackWhatTheyWereGiven) {
    const Store store = this->store();
    const std::string bytes("a\0\n\xff", 4);
    ASSERT_TRUE(store.put(Kind::program, key_of("x"), bytes).ok());
    EXPECT_EQ(store.get(Kind::program, key_of("x")), bytes);
    EXPECT_EQ(store.get(Kind::result, key_of("x")), std::nullopt);
    EXPECT_EQ(store.get(Kind::program, key_of("y")), std::nullopt);
    ASSERT_TRUE(store.put(Kind::program, key_of("x"), "").ok());
    EXPECT_EQ(store.get(Kind::program, key_of("x")), "");
}

TEST_F(Stores, AreTheUsersAlone) {
    (void)store();
    struct stat status {};
    ASSERT_EQ(::stat(at("cache/cellblock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    ::chmod(at("cache/cellblock").c_str(), 0770);
    EXPECT_THAT(Store::open(at("cache/cellblock")).error().sentence(), HasSubstr("chmod go-w"));
    std::ofstream(at("file")) << "";
    EXPECT_FALSE(Store::open(at("file")).ok());
}

TEST_F(Stores, DropWhatIsDamaged) {
    const Store store = this->store();
    const std::string key = key_of("x");
    const auto damage = [&](const auto& act) {
        ASSERT_TRUE(store.put(Kind::program, key, "0123456789").ok());
        act(program_file(key));
        EXPECT_EQ(store.get(Kind::program, key), std::nullopt);
        EXPECT_FALSE(fs::exists(program_file(key)));
    };
    damage([](const std::string& path) { fs::resize_file(path, fs::file_size(path) - 1); });
    damage([](const std::string& path) { fs::resize_file(path, 3); });
    damage([](const std::string& path) { fs::resize_file(path, 0); });
    damage([](const std::string& path) { std::ofstream(path, std::ios::app) << "x"; });
    damage([](const std::string& path) {
        std::fstream file(path);
        file.seekp(-1, std::ios::end);
        file << "x";
    });
}

TEST_F(Stores, TakeNoEntryForAnother) {
    const Store store = this->store();
    ASSERT_TRUE(store.put(Kind::program, key_of("x"), "1").ok());
    fs::copy_file(program_file(key_of("x")), program_file(key_of("y")));
    EXPECT_EQ(store.get(Kind::program, key_of("y")), std::nullopt);
}

TEST_F(Stores, RemoveWhatWasUsedLeastRecently) {
    const Store store = this->store(Bytes{2500});
    const std::string thousand(1000, 'x');
    for (const char* name : {"a", "b"}) {
        ASSERT_TRUE(store.put(Kind::program, key_of(name), thousand).ok());
        std::this_thread::sleep_for(20ms);  // two ticks of the clock of files
    }
    ASSERT_TRUE(store.get(Kind::program, key_of("a")).has_value());
    std::this_thread::sleep_for(20ms);
    ASSERT_TRUE(store.put(Kind::program, key_of("c"), thousand).ok());
    EXPECT_TRUE(store.get(Kind::program, key_of("a")).has_value());
    EXPECT_FALSE(store.get(Kind::program, key_of("b")).has_value());
    EXPECT_TRUE(store.get(Kind::program, key_of("c")).has_value());
}

Result<void> make_one(const std::string& directory) {
    std::ofstream(directory + "/a") << "1";
    return {};
}

TEST_F(Stores, PrepareOnce) {
    const Store store = this->store();
    int made = 0;
    const auto make = [&](const std::string& directory) {
        ++made;
        return make_one(directory);
    };
    for (int i = 0; i < 2; ++i) {
        const auto prepared = store.prepared(key_of("go"), make);
        ASSERT_TRUE(prepared.ok()) << prepared.error().sentence();
        EXPECT_EQ(*sys::read_file(prepared->directory + "/a", 10), "1");
        EXPECT_EQ(fs::status(prepared->directory + "/a").permissions(), static_cast<fs::perms>(0444));
    }
    EXPECT_EQ(made, 1);
}

TEST_F(Stores, KeepNothingOfAPreparationThatFailed) {
    const Store store = this->store();
    const auto failed = store.prepared(key_of("go"), [](const std::string& directory) -> Result<void> {
        std::ofstream(directory + "/a") << "1";
        return Error("no");
    });
    EXPECT_FALSE(failed.ok());
    EXPECT_TRUE(fs::is_empty(at("cache/cellblock/prepared")));
    EXPECT_TRUE(store.prepared(key_of("go"), make_one).ok());
}

TEST_F(Stores, KeepNoLinksOfAPreparation) {
    const auto failed = store().prepared(key_of("go"), [](const std::string& directory) -> Result<void> {
        fs::create_symlink("/etc", directory + "/etc");
        return {};
    });
    EXPECT_THAT(failed.error().sentence(), HasSubstr("no file"));
}

TEST_F(Stores, LeaveAPreparationWhereItIsWhileItIsUsed) {
    const Store store = this->store(Bytes{1});
    auto prepared = store.prepared(key_of("go"), [](const std::string& directory) -> Result<void> {
        std::ofstream(directory + "/a") << "1234";
        return {};
    });
    ASSERT_TRUE(prepared.ok()) << prepared.error().sentence();
    store.trim();
    EXPECT_TRUE(fs::exists(prepared->directory));
    const std::string directory = prepared->directory;
    prepared->use.reset();
    store.trim();
    EXPECT_FALSE(fs::exists(directory));
}

TEST_F(Stores, LetOthersWaitForAPreparation) {
    const Store store = this->store();
    std::array<int, 2> counts{};
    const auto prepare = [&](int& count) {
        const auto prepared = store.prepared(key_of("go"), [&](const std::string& directory) {
            ++count;
            std::this_thread::sleep_for(50ms);
            return make_one(directory);
        });
        EXPECT_TRUE(prepared.ok());
    };
    std::thread other([&] { prepare(counts[0]); });
    prepare(counts[1]);
    other.join();
    EXPECT_EQ(counts[0] + counts[1], 1);
}

TEST_F(Stores, RemoveWhatAKilledRunHasLeftUnfinished) {
    (void)store();
    const pid_t killed = ::fork();
    if (killed == 0) {
        const auto never = store().prepared(key_of("go"), [](const std::string& directory) -> Result<void> {
            (void)make_one(directory);
            ::raise(SIGKILL);
            return {};
        });
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(killed, &status, 0), killed);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_FALSE(fs::is_empty(at("cache/cellblock/prepared")));
    (void)store();
    EXPECT_TRUE(fs::is_empty(at("cache/cellblock/prepared")));
}

TEST_F(Stores, LeaveAloneWhatSomebodyPrepares) {
    const auto prepared = store().prepared(key_of("go"), [&](const std::string& directory) {
        (void)store();
        return make_one(directory);
    });
    ASSERT_TRUE(prepared.ok()) << prepared.error().sentence();
    EXPECT_TRUE(fs::exists(prepared->directory + "/a"));
}

TEST_F(Stores, CanBeToldToStopWaiting) {
    const Store store = this->store();
    auto stop = sys::event_fd();
    ASSERT_TRUE(stop.ok());
    const uint64_t one = 1;
    const auto prepared = store.prepared(key_of("go"), [&](const std::string& directory) {
        EXPECT_EQ(::write(stop->get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
        const auto second = store.prepared(key_of("other"), make_one, stop->get());
        EXPECT_EQ(second.error().error_number(), ECANCELED);
        return make_one(directory);
    });
    EXPECT_TRUE(prepared.ok());
}

TEST_F(Stores, SurviveManyWritersAtOnce) {
    constexpr int kProcesses = 4;
    constexpr int kEntries = 25;
    (void)store();
    std::array<pid_t, kProcesses> children{};
    for (pid_t& child : children) {
        child = ::fork();
        if (child != 0) continue;
        const auto store = Store::open(at("cache/cellblock"), Bytes{20'000});
        bool good = store.ok();
        for (int i = 0; good && i < kEntries; ++i) {
            const std::string key = key_of(std::to_string(i));
            good = store->put(Kind::program, key, std::string(1000, 'x')).ok();
            const auto got = store->get(Kind::program, key);
            good = good && (!got || got->size() == 1000);
        }
        ::_exit(good ? 0 : 1);
    }
    for (const pid_t child : children) {
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    for (const auto& entry : fs::directory_iterator(at("cache/cellblock/programs")))
        EXPECT_EQ(entry.path().filename().string().size(), 64U) << entry.path();
}

TEST(StorePlaces, FollowTheUsersVariables) {
    EXPECT_EQ(*Store::default_directory([](const std::string& name) { return name == "HOME" ? "/h" : ""; }),
              "/h/.cache/cellblock");
    EXPECT_EQ(*Store::default_directory([](const std::string& /*name*/) { return "/c"; }), "/c/cellblock");
    const auto none = Store::default_directory([](const std::string& /*name*/) { return "relative"; });
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error().sentence(),
              "find a directory for built programs: neither XDG_CACHE_HOME nor HOME is an absolute path. Set "
              "one of them.");
}

TEST(Packing, IsUndone) {
    const std::vector<File> files{{"a/b", std::string("\0x", 2), true}, {"c", "", false}};
    const auto back = unpack(pack(files));
    ASSERT_TRUE(back.ok());
    ASSERT_EQ(back->size(), 2U);
    EXPECT_EQ((*back)[0].path, "a/b");
    EXPECT_EQ((*back)[0].content, files[0].content);
    EXPECT_TRUE((*back)[0].is_executable);
    EXPECT_FALSE((*back)[1].is_executable);
}

TEST(Packing, OfDamagedBytesIsAnError) {
    const std::string whole = pack(std::vector<File>{{"a", "bc", false}});
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(unpack(whole.substr(0, size)).ok()) << size;
    EXPECT_FALSE(unpack(whole + "x").ok());
    EXPECT_FALSE(unpack(std::string(8, '\xff')).ok());
}

}  // namespace
}  // namespace cellblock::run
