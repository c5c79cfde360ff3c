#include "observe/key.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/sys.hpp"

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;

// RFC 8410, sections 10.3 and 10.1: two parts of one key.
constexpr std::string_view kPrivateText = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
constexpr std::string_view kPublicText = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

std::string pem(std::string_view label, std::string_view text) {
    const std::string name(label);
    return "-----BEGIN " + name + "-----\n" + std::string(text) + "\n-----END " + name + "-----\n";
}

class Keys : public testing::Test {
  protected:
    Keys() : directory_(sys::TempDir::create("keys-").value()) {}
    std::string file(const std::string& name) const { return directory_.path() + "/" + name; }
    void write(const std::string& name, const std::string& text, mode_t mode) const {
        std::ofstream(file(name)) << text;
        ::chmod(file(name).c_str(), mode);
    }
    Result<std::optional<SigningKey>> load() const { return SigningKey::load(directory_.path()); }

    sys::TempDir directory_;
};

TEST_F(Keys, OfOthersAreReadAndItsSignaturesVerified) {
    write("key.pem", pem("PRIVATE KEY", kPrivateText), 0600);
    write("other.pub.pem", "\n" + pem("PUBLIC KEY", kPublicText) + "\n", 0644);
    const auto key = load();
    ASSERT_TRUE(key.ok() && key->has_value());
    const auto known = PublicKeys::load(directory_.path()).value();
    EXPECT_TRUE(known.knows((*key)->id()));
    const std::string signature = (*key)->sign("a message");
    EXPECT_EQ(signature.size(), 128U);
    EXPECT_TRUE(known.verify((*key)->id(), "a message", signature));
    EXPECT_FALSE(known.verify((*key)->id(), "another message", signature));
    EXPECT_FALSE(known.verify((*key)->id(), "a message", signature.substr(2)));
    std::string changed = signature;
    changed[5] = changed[5] == '0' ? '1' : '0';
    EXPECT_FALSE(known.verify((*key)->id(), "a message", changed));
    EXPECT_FALSE(known.verify("0123456789abcdef", "a message", signature));
}

TEST_F(Keys, AreWrittenAsTheyAreRead) {
    auto made = SigningKey::create(directory_.path(), false);
    ASSERT_TRUE(made.ok());
    const auto read = load();
    ASSERT_TRUE(read.ok() && read->has_value());
    EXPECT_EQ((*read)->id(), made->id());
    EXPECT_EQ((*read)->sign("x"), made->sign("x")) << "Ed25519 signatures are deterministic";
    EXPECT_TRUE(PublicKeys::load(directory_.path())->verify(made->id(), "x", made->sign("x")));
    struct stat status {};
    ASSERT_EQ(::stat(file("key.pem").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_FALSE(SigningKey::create(directory_.path(), false).ok()) << "there is one";
}

TEST_F(Keys, ThatAreReplacedGoOnBeingKnown) {
    const auto first = SigningKey::create(directory_.path(), false).value();
    const auto second = SigningKey::create(directory_.path(), true).value();
    EXPECT_NE(first.id(), second.id());
    const auto known = PublicKeys::load(directory_.path()).value();
    EXPECT_TRUE(known.verify(first.id(), "x", first.sign("x")));
    EXPECT_TRUE(known.verify(second.id(), "x", second.sign("x")));
}

TEST_F(Keys, ThatAreNoneAreRefused) {
    const std::string whole(kPrivateText);
    for (const std::string& text :
         {std::string(), std::string("-----BEGIN PRIVATE KEY-----"), pem("PRIVATE KEY", ""),
          pem("PRIVATE KEY", whole.substr(4)), pem("PRIVATE KEY", whole.substr(0, whole.size() - 4)),
          pem("PRIVATE KEY", whole + "AAAA"), pem("PRIVATE KEY", "MC4CAQAwBQYDK2VuBCIE" + whole.substr(20)),
          pem("PRIVATE KEY", "!" + whole.substr(1)), pem("PRIVATE KEY", kPublicText),
          pem("PUBLIC KEY", kPrivateText), pem("PRIVATE KEY", std::string(3000, 'A')),
          pem("PRIVATE KEY", whole) + "more", "more" + pem("PRIVATE KEY", whole)}) {
        write("key.pem", text, 0600);
        EXPECT_FALSE(load().ok()) << text;
    }
    write("x.pub.pem", pem("PUBLIC KEY", kPrivateText), 0644);
    EXPECT_FALSE(PublicKeys::load(directory_.path()).ok());
}

TEST_F(Keys, ThatOthersCanReadAreRefused) {
    write("key.pem", pem("PRIVATE KEY", kPrivateText), 0640);
    EXPECT_FALSE(load().ok());
    fs::remove(file("key.pem"));
    const auto none = load();
    ASSERT_TRUE(none.ok());
    EXPECT_FALSE(none->has_value());
}

}  // namespace
}  // namespace cellblock::observe
