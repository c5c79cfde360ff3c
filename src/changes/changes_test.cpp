// What is recorded of a hostile layer, kept, shown and carried over. The layer is a directory as overlayfs
// writes it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/sys.hpp"
#include "changes/apply.hpp"
#include "changes/names.hpp"
#include "changes/patch.hpp"
#include "changes/recorder.hpp"

namespace cellblock::changes {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

class ChangesTest : public testing::Test {
  protected:
    ChangesTest()
        : directory_(sys::TempDir::create("changes-").value()), root_(fs::canonical(directory_.path())) {
        for (const char* name : {"host", "layer", "state"}) fs::create_directory(root_ / name);
        layer_fd_ = sys::open(layer(), O_RDONLY | O_DIRECTORY).value();
    }

    fs::path host(const std::string& path = "") const { return root_ / "host" / path; }
    fs::path layer(const std::string& path = "") const { return root_ / "layer" / path; }

    void start(Bytes budget = 1_MiB) {
        recorder_ = Recorder::create({(root_ / "state").string(), host().string(), budget}).value();
    }
    void record(Recorder::Pass pass = Recorder::Pass::quick) {
        if (!recorder_) start();
        const auto recorded = recorder_->record(layer_fd_.get(), pass);
        ASSERT_TRUE(recorded) << recorded.error().sentence();
    }
    const std::vector<Change>& changes() { return recorder_->set().changes(); }
    Change change(const std::string& path) {
        for (const Change& found : changes())
            if (found.path == path) return found;
        ADD_FAILURE() << path << " is not among the changes";
        return {};
    }
    std::map<std::string, Kind> kinds() {
        std::map<std::string, Kind> result;
        for (const Change& found : changes()) result[found.path] = found.kind;
        return result;
    }
    std::map<std::string, Answer> carry_over(const Selection& selection = {}) {
        const UniqueFd held = recorder_->set().lock().value();
        auto outcomes = apply(recorder_->set(), recorder_->directory_fd(), selection);
        EXPECT_TRUE(outcomes) << outcomes.error().sentence();
        std::map<std::string, Answer> result;
        for (const Outcome& outcome : *outcomes) result[outcome.path] = outcome.answer;
        return result;
    }
    void white_out(const std::string& path) {
        fs::create_directories(layer(path).parent_path());
        ASSERT_EQ(::mknod(layer(path).c_str(), S_IFCHR, 0), 0);
    }
    void make_opaque(const std::string& path) {
        fs::create_directories(layer(path));
        ASSERT_EQ(::setxattr(layer(path).c_str(), "user.overlay.opaque", "y", 1, 0), 0);
    }

    sys::TempDir directory_;
    fs::path root_;
    UniqueFd layer_fd_;
    std::unique_ptr<Recorder> recorder_;
};

// ---- what is recorded

TEST_F(ChangesTest, EachKindIsFound) {
    write(host("changed"), "old");
    write(host("touched"), "same");
    write(host("moded"), "same");
    write(host("gone"), "old");
    write(host("tree/a"), "old");
    write(host("tree/below/b"), "old");
    write(host("emptied/c"), "old");
    write(host("emptied/d"), "old");
    write(layer("changed"), "new");
    write(layer("touched"), "same");
    write(layer("moded"), "same");
    fs::permissions(layer("moded"), fs::perms(0700));
    white_out("gone");
    white_out("tree");
    make_opaque("emptied");
    write(layer("emptied/d"), "new");
    write(layer("added/file"), "new");
    record();
    EXPECT_THAT(kinds(),
                UnorderedElementsAre(Pair("added", Kind::added), Pair("added/file", Kind::added),
                                     Pair("changed", Kind::modified), Pair("moded", Kind::mode),
                                     Pair("gone", Kind::deleted), Pair("tree", Kind::deleted),
                                     Pair("tree/a", Kind::deleted), Pair("tree/below", Kind::deleted),
                                     Pair("tree/below/b", Kind::deleted), Pair("emptied/c", Kind::deleted),
                                     Pair("emptied/d", Kind::modified)));
}

TEST_F(ChangesTest, AKernelThatChangedNothingLeavesNothing) {
    record();
    recorder_.reset();
    EXPECT_TRUE(fs::is_empty(root_ / "state"));
}

TEST_F(ChangesTest, ChangesOutliveTheirKernel) {
    write(layer("out.csv"), "a,b\n");
    record();
    const std::string id = recorder_->set().id();
    EXPECT_TRUE(recorder_->set().is_running());
    recorder_.reset();
    Set set = Set::open((root_ / "state").string(), id).value();
    EXPECT_FALSE(set.is_running());
    ASSERT_EQ(set.changes().size(), 1U);
    EXPECT_EQ(set.changes().front().path, "out.csv");
    EXPECT_EQ(set.header().directory, host().string().substr(0, set.header().directory.size()));
    char text[8] = {};
    EXPECT_EQ(::read(set.open_blob(set.changes().front().blob).value().get(), text, sizeof text), 4);
    EXPECT_STREQ(text, "a,b\n");
}

TEST_F(ChangesTest, WhatTheCellTakesBackIsNoChangeAnyMore) {
    write(host("file"), "old");
    write(layer("file"), "new");
    write(layer("other"), "new");
    record();
    EXPECT_EQ(changes().size(), 2U);
    write(layer("file"), "old");
    fs::remove(layer("other"));
    record();
    EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(ChangesTest, AThoroughPassFindsWhatHasNoTimeStamp) {
    write(layer("file"), "one");
    std::this_thread::sleep_for(std::chrono::nanoseconds(2 * kTimeStep));
    record();
    const uint64_t before = change("file").blob;
    record();
    EXPECT_EQ(change("file").blob, before) << "nothing is copied twice";
    record(Recorder::Pass::thorough);
    EXPECT_NE(change("file").blob, before);
}

// ---- what a hostile layer holds

TEST_F(ChangesTest, LinksFifosAndDeepTreesAreNeitherFollowedNorWaitedFor) {
    write(root_ / "secret", "secret");
    fs::create_symlink(root_ / "secret", layer("absolute"));
    fs::create_symlink("../secret", layer("relative"));
    fs::create_directory_symlink(root_, layer("directory"));
    ASSERT_EQ(::mkfifo(layer("fifo").c_str(), 0666), 0);
    fs::path deep;
    for (int i = 0; i < kMaxDepth + 10; ++i) deep /= "d";
    fs::create_directories(layer(deep.string()));
    record();
    EXPECT_EQ(change("absolute").type, Type::symlink);
    EXPECT_EQ(change("directory").type, Type::symlink);
    EXPECT_EQ(change("fifo").type, Type::other);
    EXPECT_EQ(changes().size(), 4U + kMaxDepth + 1);
    EXPECT_FALSE(changes().back().not_saved.empty() && change("relative").target != "../secret");
    const auto answers = carry_over();
    for (const char* name : {"absolute", "relative", "directory", "fifo"}) {
        EXPECT_EQ(answers.at(name), Answer::refused) << name;
        EXPECT_FALSE(fs::exists(fs::symlink_status(host(name)))) << name;
    }
}

TEST_F(ChangesTest, ContentsHaveABudgetWhateverTheirNames) {
    start(64_KiB);
    for (const char* name : {"one", "two", "three"}) write(layer(name), std::string(40000, 'x'));
    // Each name of the same file would take as much again.
    write(layer("linked"), "x");
    fs::create_hard_link(layer("linked"), layer("again"));
    // A hole costs nothing, and stays one.
    write(layer("sparse"), "x");
    fs::resize_file(layer("sparse"), 1U << 30U);
    record();
    int kept = 0;
    for (const char* name : {"one", "two", "three"}) kept += change(name).not_saved.empty() ? 1 : 0;
    EXPECT_EQ(kept, 1);
    for (const char* name : {"linked", "again"}) EXPECT_THAT(change(name).not_saved, HasSubstr("hard link"));
    EXPECT_TRUE(change("sparse").not_saved.empty());
    carry_over({{"sparse"}, false, false});
    const auto began = std::chrono::steady_clock::now();
    record(Recorder::Pass::thorough);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(200))
        << "nobody reads a hole";
    struct stat info {};
    ASSERT_EQ(::stat(host("sparse").c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 1 << 30);
    EXPECT_LT(info.st_blocks, 1000);
}

TEST_F(ChangesTest, TooManyChangesAreSaid) {
    const auto memory = sys::TempDir::create("changes-", "/dev/shm").value();  // disks are slow at this
    layer_fd_ = sys::open(memory.path(), O_RDONLY | O_DIRECTORY).value();
    for (size_t i = 0; i < kMaxChanges + 1; ++i)
        ASSERT_EQ(::mkdirat(layer_fd_.get(), ("d" + std::to_string(i)).c_str(), 0755), 0);
    record();
    EXPECT_EQ(changes().size(), kMaxChanges);
    EXPECT_FALSE(recorder_->set().header().complete);
}

TEST_F(ChangesTest, ContentsThatNobodyNamesDoNotStayOnTheDisk) {
    const auto memory = sys::TempDir::create("changes-", "/dev/shm").value();
    layer_fd_ = sys::open(memory.path(), O_RDONLY | O_DIRECTORY).value();
    for (size_t i = 0; i < kMaxChanges; ++i)
        ASSERT_EQ(::mkdirat(layer_fd_.get(), ("d" + std::to_string(i)).c_str(), 0755), 0);
    for (int cell = 0; cell < 5; ++cell) {
        write(fs::path(memory.path()) / "z", std::string(100000, static_cast<char>('a' + cell)));
        record(Recorder::Pass::thorough);
    }
    const fs::path files = root_ / "state" / recorder_->set().id() / "files";
    EXPECT_EQ(std::distance(fs::directory_iterator(files), fs::directory_iterator()), 0);
}

TEST_F(ChangesTest, LongNamesDoNotFillOurMemory) {
    const auto memory = sys::TempDir::create("changes-", "/dev/shm").value();
    layer_fd_ = sys::open(memory.path(), O_RDONLY | O_DIRECTORY).value();
    // Each name costs a cell 255 bytes, and would cost us the 15,000 of its path, several times.
    const std::string name(250, 'n');
    UniqueFd at = sys::duplicate(layer_fd_.get()).value();
    for (int i = 0; i < kMaxDepth - 4; ++i) {
        ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0);
        at = sys::open_at(at.get(), name, O_RDONLY | O_DIRECTORY).value();
    }
    for (int i = 0; i < 1000; ++i)
        ASSERT_EQ(::mkdirat(at.get(), (name + std::to_string(i)).c_str(), 0755), 0);
    record();
    size_t bytes = 0;
    for (const Change& found : changes()) bytes += found.path.size();
    EXPECT_LE(bytes, kMaxNameBytes);
    EXPECT_FALSE(recorder_->set().header().complete);
}

TEST_F(ChangesTest, NamesOfAnyBytesAreKeptAndShownHarmless) {
    const std::string name = "a\n\x1b[31m%\xff\xe2\x80\xae\\b";
    write(layer(name), "new");
    record();
    EXPECT_EQ(change(name).path, name);
    const std::string id = recorder_->set().id();
    recorder_.reset();
    EXPECT_EQ(Set::open((root_ / "state").string(), id).value().changes().front().path, name);
    EXPECT_EQ(printable(name), "a\\x0a\\x1b[31m%\\xff\\xe2\\x80\\xae\\x5cb");
    EXPECT_EQ(decode(encode(name)).value(), name);
    EXPECT_EQ(printable("grün"), "grün");
}

TEST_F(ChangesTest, ARenameRaceNeverLeadsOut) {
    write(root_ / "outside/file", "secret");
    fs::create_directory(layer("d"));
    write(layer("d/file"), "inside");
    std::atomic<bool> ends{false};
    // The directory is a link to the outside every other moment.
    std::jthread attacker([&] {
        while (!ends) {
            fs::rename(layer("d"), layer("e"));
            fs::create_symlink(root_ / "outside", layer("d"));
            fs::remove(layer("d"));
            fs::rename(layer("e"), layer("d"));
        }
    });
    for (int i = 0; i < 100; ++i) {
        record(Recorder::Pass::thorough);
        for (const Change& found : changes()) {
            if (found.blob == 0) continue;
            char text[16] = {};
            ASSERT_GE(::read(recorder_->set().open_blob(found.blob).value().get(), text, sizeof text), 0);
            ASSERT_STREQ(text, "inside");
        }
    }
    ends = true;
}

// ---- what is carried over

TEST_F(ChangesTest, EachKindIsCarriedOver) {
    write(host("changed"), "old");
    write(host("gone/below"), "old");
    write(host("was-directory/below"), "old");
    write(host("was-file"), "old");
    write(layer("changed"), "new");
    white_out("gone");
    write(layer("was-directory"), "file");
    write(layer("was-file/below"), "new");
    write(layer("added/deep/file"), "new");
    record();
    for (const auto& [path, answer] : carry_over()) EXPECT_EQ(answer, Answer::applied) << path;
    EXPECT_EQ(read(host("changed")), "new");
    EXPECT_FALSE(fs::exists(host("gone")));
    EXPECT_EQ(read(host("was-directory")), "file");
    EXPECT_EQ(read(host("was-file/below")), "new");
    EXPECT_EQ(read(host("added/deep/file")), "new");
    EXPECT_THAT(changes(), IsEmpty());
    record();
    EXPECT_THAT(changes(), IsEmpty()) << "the layer is the same as the host";
}

TEST_F(ChangesTest, OnlyWhatIsNamedIsCarriedOver) {
    write(layer("a/one"), "1");
    write(layer("a/two"), "2");
    write(layer("ab"), "3");
    record();
    EXPECT_THAT(carry_over({{"a/one"}, false, false}), UnorderedElementsAre(Pair("a/one", Answer::applied)));
    EXPECT_EQ(read(host("a/one")), "1");
    EXPECT_THAT(kinds(), UnorderedElementsAre(Pair("a/two", Kind::added), Pair("ab", Kind::added)));
}

TEST_F(ChangesTest, ADryRunChangesNothing) {
    write(layer("file"), "new");
    record();
    EXPECT_THAT(carry_over({{}, false, true}), UnorderedElementsAre(Pair("file", Answer::applied)));
    EXPECT_FALSE(fs::exists(host("file")));
    EXPECT_EQ(changes().size(), 1U);
}

TEST_F(ChangesTest, WhatTheHostHasChangedMeanwhileIsAConflict) {
    write(host("edited"), "old");
    write(host("removed"), "old");
    write(host("deleted"), "old");
    write(layer("edited"), "cell");
    write(layer("removed"), "cell");
    write(layer("both"), "cell");
    white_out("deleted");
    record();
    write(host("edited"), "person");
    fs::remove(host("removed"));
    write(host("both"), "person");
    write(host("deleted"), "person");
    record();
    for (const auto& [path, answer] : carry_over()) EXPECT_EQ(answer, Answer::conflict) << path;
    EXPECT_EQ(read(host("edited")), "person");
    EXPECT_EQ(read(host("deleted")), "person");
    EXPECT_EQ(changes().size(), 4U);
    for (const auto& [path, answer] : carry_over({{}, true, false}))
        EXPECT_EQ(answer, Answer::applied) << path;
    EXPECT_EQ(read(host("both")), "cell");
    EXPECT_FALSE(fs::exists(host("deleted")));
}

TEST_F(ChangesTest, AfterApplyingTheCellMayGoOn) {
    write(layer("log"), "1");
    record();
    carry_over();
    write(layer("log"), "12");
    record();
    EXPECT_EQ(carry_over().at("log"), Answer::applied);
    EXPECT_EQ(read(host("log")), "12");
}

TEST_F(ChangesTest, WhatAPersonDoesAfterApplyingIsNotUndone) {
    write(host("gone"), "old");
    write(host("tree/file"), "old");
    write(layer("out"), "cell");
    write(layer("mine"), "cell");
    white_out("gone");
    make_opaque("tree");
    record();
    for (const auto& [path, answer] : carry_over()) EXPECT_EQ(answer, Answer::applied) << path;
    // A person goes on with the files; cells have not touched them since.
    write(host("out"), "person");
    fs::remove(host("mine"));
    write(host("gone"), "person");
    write(host("tree/new"), "person");
    for (int cell = 0; cell < 3; ++cell) {
        record(cell == 2 ? Recorder::Pass::thorough : Recorder::Pass::quick);
        for (const auto& [path, answer] : carry_over()) EXPECT_EQ(answer, Answer::conflict) << path;
    }
    EXPECT_EQ(read(host("out")), "person");
    EXPECT_FALSE(fs::exists(host("mine")));
    EXPECT_EQ(read(host("gone")), "person");
    EXPECT_EQ(read(host("tree/new")), "person");
}

TEST_F(ChangesTest, WhatIsAppliedByAnotherProgramIsKnown) {
    write(layer("log"), "1");
    record();
    {
        Set other = Set::open((root_ / "state").string(), recorder_->set().id()).value();
        ASSERT_TRUE(apply(other, recorder_->directory_fd(), {}));
    }
    write(layer("log"), "12");
    record();
    EXPECT_EQ(carry_over().at("log"), Answer::applied);
    write(host("log"), "person");
    write(layer("log"), "123");
    record();
    EXPECT_EQ(carry_over().at("log"), Answer::conflict);
}

TEST_F(ChangesTest, WhatAPersonDoesDuringTheCellIsAConflict) {
    write(host("before"), "old");
    write(host("during"), "old");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    write(layer("before"), "cell");
    write(layer("during"), "cell");
    write(host("during"), "person");
    start();
    ASSERT_TRUE(recorder_->record(layer_fd_.get(), Recorder::Pass::quick,
                                  int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec));
    EXPECT_THAT(carry_over(),
                UnorderedElementsAre(Pair("before", Answer::applied), Pair("during", Answer::conflict)));
    EXPECT_EQ(read(host("during")), "person");
}

TEST_F(ChangesTest, ADirectoryThatBecameALinkIsNotOpened) {
    fs::create_directories(root_ / "above/project");
    EXPECT_TRUE(open_real_directory(root_ / "above/project"));
    fs::rename(root_ / "above", root_ / "moved");
    fs::create_directory_symlink(root_ / "moved", root_ / "above");
    const auto linked = open_real_directory(root_ / "above/project");
    ASSERT_FALSE(linked);
    EXPECT_THAT(linked.error().remedy(), HasSubstr("symbolic link"));
}

TEST_F(ChangesTest, ProtectedFilesHaveToBeNamed) {
    for (const char* path : {".git/hooks/pre-commit", ".env", "sub/.ENV", "jupyter_server_config.py", "a.pth",
                             "cellblock.toml", "n.ipynb", "pkg/__pycache__/x.cpython-311.pyc", "conftest.py"})
        write(layer(path), "evil");
    record();
    for (const auto& [path, answer] : carry_over())
        EXPECT_EQ(answer, find_protection(path) ? Answer::protected_name : Answer::applied) << path;
    for (const char* path : {".git", ".env", "sub/.ENV", "a.pth", "cellblock.toml", "n.ipynb"})
        EXPECT_FALSE(fs::exists(host(path))) << path;
    EXPECT_EQ(carry_over({{".git"}, false, false}).at(".git/hooks/pre-commit"), Answer::protected_name)
        << "naming the directory is not naming the file";
    EXPECT_EQ(carry_over({{"n.ipynb"}, false, false}).at("n.ipynb"), Answer::applied);
    EXPECT_EQ(read(host("n.ipynb")), "evil");
}

TEST_F(ChangesTest, NothingIsWrittenThroughLinksOfTheHostsDirectory) {
    fs::create_directory(root_ / "outside");
    write(root_ / "outside/file", "secret");
    write(layer("d/file"), "evil");
    write(layer("link"), "evil");
    record();
    // What a cell of another kernel, or a person, has put there since.
    fs::create_directory_symlink(root_ / "outside", host("d"));
    fs::create_symlink(root_ / "outside/file", host("link"));
    for (const bool over_conflicts : {false, true}) carry_over({{"d/file", "link"}, over_conflicts, false});
    EXPECT_EQ(read(root_ / "outside/file"), "secret");
    EXPECT_EQ(read(host("link")), "evil") << "the link itself is replaced";
}

TEST_F(ChangesTest, NoPrivilegeIsCarriedOver) {
    write(host("private/key"), "old");
    write(layer("private/key"), "new");
    fs::permissions(host("private"), fs::perms(0700));
    fs::permissions(host("private/key"), fs::perms(0600));
    fs::permissions(layer("private"), fs::perms(0777));
    fs::permissions(layer("private/key"), fs::perms(0777));
    write(layer("tool"), "#!/bin/sh\n");
    ASSERT_EQ(::chmod(layer("tool").c_str(), 06777), 0);
    ASSERT_EQ(::setxattr(layer("tool").c_str(), "user.evil", "1", 1, 0), 0);
    record();
    carry_over();
    struct stat info {};
    ASSERT_EQ(::stat(host("tool").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0755U);
    for (const char* kept : {"private", "private/key"})
        EXPECT_EQ(fs::status(host(kept)).permissions(), fs::perms(0700)) << kept;
    EXPECT_EQ(::getxattr(host("tool").c_str(), "user.evil", nullptr, 0), -1);
}

TEST_F(ChangesTest, RootsFilesGetTheOwnerOfTheirDirectory) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    write(host("old"), "old");
    ASSERT_EQ(::chown(host().c_str(), 54321, 54321), 0);
    ASSERT_EQ(::chown(host("old").c_str(), 54322, 54322), 0);
    write(layer("old"), "new");
    write(layer("d/new"), "new");
    record();
    carry_over();
    const auto owner = [&](const char* path) {
        struct stat info {};
        ::stat(host(path).c_str(), &info);
        return info.st_uid;
    };
    EXPECT_EQ(owner("old"), 54322U);
    EXPECT_EQ(owner("d"), 54321U);
    EXPECT_EQ(owner("d/new"), 54321U);
}

TEST_F(ChangesTest, AHardLinkOfTheHostKeepsItsContents) {
    write(root_ / "elsewhere", "old");
    fs::create_hard_link(root_ / "elsewhere", host("file"));
    write(layer("file"), "new");
    record();
    carry_over();
    EXPECT_EQ(read(host("file")), "new");
    EXPECT_EQ(read(root_ / "elsewhere"), "old");
}

// ---- sets

TEST_F(ChangesTest, KernelsCannotFillTheDiskWithSets) {
    Header header;
    header.directory = host().string();
    std::vector<Set> sets;
    for (size_t i = 0; i < kMaxSets; ++i)
        sets.push_back(Set::create((root_ / "state").string(), header).value());
    const auto another = Set::create((root_ / "state").string(), header);
    ASSERT_FALSE(another);
    EXPECT_THAT(another.error().remedy(), HasSubstr("cellblock discard"));
}

TEST_F(ChangesTest, EmptySetsOfKilledKernelsAreRemovedByTheNextKernel) {
    const std::string state = (root_ / "state").string();
    Header header;
    header.directory = host().string();
    write(layer("file"), "new");
    record();
    const std::string changed = recorder_->set().id();
    recorder_.reset();
    {
        const Set living = Set::create(state, header).value();
        for (size_t i = 0; i < kMaxSets; ++i)
            fs::copy(root_ / "state" / living.id(), root_ / "state" / ("left-" + std::to_string(i)),
                     fs::copy_options::recursive);
        const Set another = Set::create(state, header).value();
        EXPECT_THAT(list_sets(state).value(), UnorderedElementsAre(changed, living.id(), another.id()));
    }
    EXPECT_THAT(list_sets(state).value(), testing::ElementsAre(changed));
}

TEST_F(ChangesTest, AManifestThatLeadsElsewhereIsRefused) {
    write(layer("file"), "new");
    record();
    const fs::path manifest = root_ / "state" / recorder_->set().id() / "manifest";
    std::string text = read(manifest);
    text.replace(text.find("\"file\"", text.find("path")), 6, "\"../x\"");
    write(manifest, text);
    const auto set = Set::open((root_ / "state").string(), recorder_->set().id());
    ASSERT_FALSE(set);
    EXPECT_THAT(set.error().sentence(), HasSubstr("leads elsewhere"));
    EXPECT_FALSE(Set::open((root_ / "state").string(), "../state"));
}

TEST(ProtectedNames, AreUniqueAndHaveReasons) {
    std::map<std::string_view, int> globs;
    for (const ProtectedName& row : protected_names()) {
        EXPECT_EQ(++globs[row.glob], 1) << row.glob;
        EXPECT_GE(row.reason.size(), 10U) << row.glob;
    }
    // Code that runs when somebody merely enters the directory, opens it in an editor, or starts an
    // interpreter.
    for (const char* obeyed : {"HEAD",
                               "sub/HEAD",
                               ".Rprofile",
                               ".RData",
                               ".gdbinit",
                               ".flake8",
                               ".dir-locals.el",
                               ".cargo/config.toml",
                               ".eslintrc.js",
                               "eslint.config.mjs",
                               ".tool-versions",
                               "sitecustomize/__init__.py",
                               "setup.py",
                               "pylintrc",
                               "mypy.ini",
                               "utils.cpython-311-x86_64-linux-gnu.so",
                               "x.dist-info/entry_points.txt",
                               "env/bin/activate",
                               "my-venv/bin/python",
                               "p.code-workspace",
                               ".git./config"})
        EXPECT_NE(find_protection(obeyed), nullptr) << obeyed;
    for (const char* harmless : {"out.csv", "figure.png", "data/model.bin", "module.py", "environment.yml"})
        EXPECT_EQ(find_protection(harmless), nullptr) << harmless;
}

TEST(Patch, ReadsAsDiffWritesIt) {
    EXPECT_EQ(unified_diff("f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
              "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    EXPECT_EQ(unified_diff("f", std::nullopt, "new"),
              "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file\n");
    EXPECT_EQ(unified_diff("f", "a\x1b[0m\n", std::nullopt),
              "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\\x1b[0m\n");
}

}  // namespace
}  // namespace cellblock::changes
