#include "run/store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>
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
    [[nodiscard]] std::string result_file(const std::string& key) const {
        return at("cache/cellblock/results/" + key);
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
    ASSERT_TRUE(store.keep_result(key_of("x"), bytes).ok());
    EXPECT_EQ(store.result(key_of("x")), bytes);
    EXPECT_FALSE(store.program(key_of("x")).has_value());
    EXPECT_EQ(store.result(key_of("y")), std::nullopt);
    ASSERT_TRUE(store.keep_result(key_of("x"), "").ok());
    EXPECT_EQ(store.result(key_of("x")), "");
}

TEST_F(Stores, ShowProgramsAndGiveBackWhatLiesBesideThem) {
    const Store store = this->store();
    const std::vector<File> files{{"bin/program", std::string(200'000, 'p'), true}, {"data", "d", false}};
    ASSERT_TRUE(store.keep_program(key_of("x"), files).ok());
    ASSERT_TRUE(store.keep_program(key_of("x"), files).ok()) << "somebody else has built the same";
    const auto kept = store.program(key_of("x"));
    ASSERT_TRUE(kept.has_value());
    ASSERT_EQ(kept->programs.size(), 1U);
    EXPECT_EQ(kept->programs[0].path, "bin/program");
    EXPECT_EQ(*sys::read_file(kept->programs[0].source, 300'000), files[0].content);
    EXPECT_EQ(fs::status(kept->programs[0].source).permissions(), static_cast<fs::perms>(0555));
    ASSERT_EQ(kept->files.size(), 1U);
    EXPECT_EQ(kept->files[0].path, "data");
    EXPECT_EQ(kept->files[0].content, "d");
    EXPECT_EQ(std::distance(fs::directory_iterator(at("cache/cellblock/programs")), {}), 1);
}

TEST_F(Stores, KeepNoProgramThatIsToLieElsewhere) {
    const Store store = this->store();
    for (const char* path : {"../escape", "/escape", "a/../../escape"}) {
        const std::vector<File> files{{path, "x", true}};
        EXPECT_FALSE(store.keep_program(key_of("x"), files).ok()) << path;
    }
    EXPECT_FALSE(fs::exists(at("cache/cellblock/programs/escape")));
    EXPECT_EQ(std::distance(fs::directory_iterator(at("cache/cellblock/programs")), {}), 0);
}

TEST_F(Stores, KeepWhatAJailCanShowWhateverItIsCalledAndTheUmaskSays) {
    const Store store = this->store();
    const mode_t before = ::umask(0077);
    const std::vector<File> files{{"a/\n/\x1b[2J", "p", true}, {std::string(200, 'x'), "q", true}};
    const auto kept = store.keep_program(key_of("x"), files);
    ::umask(before);
    ASSERT_TRUE(kept.ok());
    const auto program = store.program(key_of("x"));
    ASSERT_TRUE(program.has_value());
    ASSERT_EQ(program->programs.size(), 2U);
    EXPECT_EQ(program->programs[0].path, files[0].path);
    EXPECT_EQ(program->programs[0].source, program_file(key_of("x")) + "/tree/0");
    EXPECT_EQ(*sys::read_file(program->programs[1].source, 10), "q");
    EXPECT_EQ(fs::status(program_file(key_of("x")) + "/tree").permissions(), static_cast<fs::perms>(0755));
}

TEST_F(Stores, KeepNoMoreProgramsThanABuildHas) {
    const Store store = this->store();
    std::vector<File> files(17, {"", "x", true});
    for (size_t i = 0; i < files.size(); ++i) files[i].path = std::to_string(i);
    EXPECT_FALSE(store.keep_program(key_of("x"), files).ok());
    files.pop_back();
    EXPECT_TRUE(store.keep_program(key_of("x"), files).ok());
}

TEST_F(Stores, DropProgramsThatAreDamaged) {
    const Store store = this->store();
    const std::string key = key_of("x");
    const std::string program = program_file(key) + "/tree/0";
    const auto damage = [&](const auto& act) {
        const std::vector<File> files{{"program", std::string(100'000, 'p'), true}, {"data", "d", false}};
        ASSERT_TRUE(store.keep_program(key, files).ok());
        ASSERT_TRUE(store.program(key).has_value());
        act();
        EXPECT_FALSE(store.program(key).has_value());
        EXPECT_FALSE(fs::exists(program_file(key)));
    };
    damage([&] { fs::remove(program); });
    damage([&] { fs::resize_file(program, 99'999); });
    damage([&] {
        fs::permissions(program, fs::perms::owner_write, fs::perm_options::add);
        std::fstream file(program);
        file.seekp(70'000);
        file << "x";
    });
    damage([&] {
        fs::remove(program);
        fs::create_symlink("/etc/passwd", program);
    });
    damage([&] { fs::resize_file(program_file(key) + "/files", 30); });
    damage([&] { fs::remove(program_file(key) + "/files"); });
}

TEST_F(Stores, NoticeThatAProgramWasChangedAfterItHadBeenTrusted) {
    const Store store = this->store();
    const std::string key = key_of("x");
    const std::string program = program_file(key) + "/tree/0";
    ASSERT_TRUE(store.keep_program(key, std::vector<File>{{"program", "abc", true}}).ok());
    // Until its change time says enough, it is read.
    const auto pass_time = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2100)); };
    pass_time();
    EXPECT_TRUE(store.program(key).has_value());
    // Another file with the same content, as in a copy of the cache.
    fs::rename(program, program + "x");
    fs::copy_file(program + "x", program);
    pass_time();
    EXPECT_TRUE(store.program(key).has_value());
    fs::permissions(program, fs::perms::owner_write, fs::perm_options::add);
    std::fstream(program) << "abd";
    pass_time();
    EXPECT_FALSE(store.program(key).has_value());
}

TEST_F(Stores, AreTheUsersAlone) {
    (void)store();
    struct stat status {};
    ASSERT_EQ(::stat(at("cache/cellblock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    ::chmod(at("cache/cellblock").c_str(), 0770);
    EXPECT_THAT(Store::open(at("cache/cellblock")).error().sentence(), HasSubstr("chmod go-w"));
    ::chmod(at("cache/cellblock").c_str(), 0700);
    for (const char* name : {"programs", "results", "prepared"}) {
        ::chmod(at(std::string("cache/cellblock/") + name).c_str(), 0702);
        EXPECT_THAT(Store::open(at("cache/cellblock")).error().sentence(), HasSubstr("chmod go-w"));
        ::chmod(at(std::string("cache/cellblock/") + name).c_str(), 0700);
    }
    ::chmod(at("cache").c_str(), 0777);
    EXPECT_THAT(Store::open(at("cache/cellblock")).error().sentence(), HasSubstr("everybody may exchange"));
    ::chmod(at("cache").c_str(), 01777);
    EXPECT_TRUE(Store::open(at("cache/cellblock")).ok());
    std::ofstream(at("file")) << "";
    EXPECT_FALSE(Store::open(at("file")).ok());
}

TEST_F(Stores, DropWhatIsDamaged) {
    const Store store = this->store();
    const std::string key = key_of("x");
    const auto damage = [&](const auto& act) {
        ASSERT_TRUE(store.keep_result(key, "0123456789").ok());
        act(result_file(key));
        EXPECT_EQ(store.result(key), std::nullopt);
        EXPECT_FALSE(fs::exists(result_file(key)));
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
    ASSERT_TRUE(store.keep_result(key_of("x"), "1").ok());
    fs::copy_file(result_file(key_of("x")), result_file(key_of("y")));
    EXPECT_EQ(store.result(key_of("y")), std::nullopt);
}

TEST_F(Stores, RemoveWhatWasUsedLeastRecently) {
    const Store store = this->store(Bytes{2500});
    const std::string thousand(1000, 'x');
    for (const char* name : {"a", "b"}) {
        ASSERT_TRUE(store.keep_result(key_of(name), thousand).ok());
        std::this_thread::sleep_for(20ms);  // two ticks of the clock of files
    }
    ASSERT_TRUE(store.result(key_of("a")).has_value());
    std::this_thread::sleep_for(20ms);
    ASSERT_TRUE(store.keep_result(key_of("c"), thousand).ok());
    EXPECT_TRUE(store.result(key_of("a")).has_value());
    EXPECT_FALSE(store.result(key_of("b")).has_value());
    EXPECT_TRUE(store.result(key_of("c")).has_value());
}

void set_time_of_use(const std::string& path, time_t time) {
    const std::array<timespec, 2> times{{{time, 0}, {time, 0}}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
}

// A clock was years ahead, and is right again.
TEST_F(Stores, RemoveWhatWasUsedInTheFutureBeforeWhatIsUsedNow) {
    const Store store = this->store(Bytes{2500});
    const std::string thousand(1000, 'x');
    for (const char* name : {"a", "b"}) {
        ASSERT_TRUE(store.keep_result(key_of(name), thousand).ok());
        set_time_of_use(result_file(key_of(name)), ::time(nullptr) + 400L * 24 * 3600);
    }
    ASSERT_TRUE(store.keep_result(key_of("c"), thousand).ok());
    EXPECT_TRUE(store.result(key_of("c")).has_value());
    EXPECT_EQ(std::distance(fs::directory_iterator(at("cache/cellblock/results")), {}), 2);
}

TEST_F(Stores, RemoveOthersForWhatIsTooMuchAndCannotBeRemoved) {
    const Store store = this->store(Bytes{2500});
    const std::vector<File> program{{"program", std::string(2000, 'p'), true}};
    ASSERT_TRUE(store.keep_program(key_of("shown"), program).ok());
    const auto shown = store.program(key_of("shown"));
    ASSERT_TRUE(shown.has_value());
    set_time_of_use(program_file(key_of("shown")), 1);
    ASSERT_TRUE(store.keep_result(key_of("a"), std::string(400, 'x')).ok());
    std::this_thread::sleep_for(20ms);
    ASSERT_TRUE(store.keep_result(key_of("b"), std::string(400, 'x')).ok());
    std::this_thread::sleep_for(20ms);
    ASSERT_TRUE(store.keep_result(key_of("c"), std::string(1, 'x')).ok());
    EXPECT_FALSE(store.result(key_of("a")).has_value());
    EXPECT_TRUE(fs::exists(shown->programs.at(0).source));
}

TEST_F(Stores, RemoveWhatNobodyFinishesAnyMore) {
    const Store store = this->store(Bytes{1});
    const time_t now = ::time(nullptr);
    for (const time_t time : {now - 3000, now + 3000}) {
        for (const bool is_held : {false, true}) {
            const std::string fresh = program_file(".new-" + std::to_string(time) + (is_held ? "-held" : ""));
            ASSERT_TRUE(fs::create_directories(fresh + "/tree"));
            set_time_of_use(fresh, time);
        }
    }
    std::vector<UniqueFd> held;
    for (const time_t time : {now - 3000, now + 3000}) {
        held.push_back(*sys::open(program_file(".new-" + std::to_string(time) + "-held"), O_RDONLY));
        ASSERT_EQ(::flock(held.back().get(), LOCK_SH), 0);
    }
    const std::string young = program_file(".new-young");
    ASSERT_TRUE(fs::create_directory(young));
    store.trim();
    EXPECT_EQ(std::distance(fs::directory_iterator(at("cache/cellblock/programs")), {}), 3);
    EXPECT_TRUE(fs::exists(young));
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

TEST_F(Stores, MakeAPreparationAgainThatIsDamaged) {
    const Store store = this->store();
    const std::string key = key_of("go");
    int made = 0;
    const auto prepare = [&] {
        return store.prepared(key, [&](const std::string& directory) -> Result<void> {
            ++made;
            fs::create_directory(directory + "/sub");
            std::ofstream(directory + "/sub/a") << "1234";
            return make_one(directory);
        });
    };
    const std::string tree = at("cache/cellblock/prepared/" + key + "/tree");
    const auto damage = [&](const auto& act) {
        made = 0;
        auto prepared = prepare();
        ASSERT_TRUE(prepared.ok()) << prepared.error().sentence();
        auto other = prepare();
        ASSERT_TRUE(other.ok());
        EXPECT_FALSE(store.drop_if_damaged(key, *prepare())) << "it is whole";
        EXPECT_EQ(made, 1);
        act();
        EXPECT_TRUE(store.drop_if_damaged(key, *std::move(prepared)));
        ASSERT_TRUE(prepare().ok());
        EXPECT_EQ(made, 2);
        EXPECT_TRUE(store.drop_if_damaged(key, *std::move(other))) << "the other one was";
        EXPECT_FALSE(store.drop_if_damaged(key, *prepare()));
        EXPECT_EQ(made, 2);
        fs::remove_all(at("cache/cellblock/prepared/" + key));
    };
    damage([&] { fs::remove(tree + "/sub/a"); });
    damage([&] { fs::resize_file(tree + "/sub/a", 0); });
    damage([&] { std::ofstream(tree + "/b") << "more"; });
    damage([&] { fs::remove_all(tree + "/sub"); });
    damage([&] { fs::remove(at("cache/cellblock/prepared/" + key + "/whole")); });
}

TEST_F(Stores, PrepareWhereSomethingElseIsInTheWay) {
    const Store store = this->store();
    const std::string path = at("cache/cellblock/prepared/" + key_of("go"));
    const auto expect_prepared = [&] {
        const auto prepared = store.prepared(key_of("go"), make_one);
        ASSERT_TRUE(prepared.ok()) << prepared.error().sentence();
        EXPECT_TRUE(fs::exists(prepared->directory + "/a"));
    };
    std::ofstream(path) << "no directory";
    expect_prepared();
    fs::remove_all(path + "/tree");  // as who removes old files does, and then empty directories
    expect_prepared();
    fs::remove_all(path);
    fs::create_symlink("/etc", path);
    expect_prepared();
    EXPECT_FALSE(fs::is_symlink(path));
    EXPECT_EQ(std::distance(fs::directory_iterator(at("cache/cellblock/prepared")), {}), 1);
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
    const auto prepared = store.prepared(key_of("go"), [&](const std::string& directory) {
        sys::signal_event(stop->get());
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
            good = store->keep_result(key, std::string(1000, 'x')).ok();
            const auto got = store->result(key);
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
