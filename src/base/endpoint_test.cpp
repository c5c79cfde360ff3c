// Which names can be allowed, and how they are written.
#include "base/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cellblock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string why_not(std::string_view text) {
    const auto parsed = parse_endpoints(text);
    return parsed ? "allowed" : parsed.error().sentence();
}

TEST(Endpoint, ANameStandsForTheWebsPorts) {
    EXPECT_THAT(*parse_endpoints("data.example.org"),
                ElementsAre(Endpoint{"data.example.org", 443}, Endpoint{"data.example.org", 80}));
}

TEST(Endpoint, APortCanBeNamed) {
    EXPECT_THAT(*parse_endpoints("db.example.org:5432"), ElementsAre(Endpoint{"db.example.org", 5432}));
    EXPECT_THAT(*parse_endpoints("db.example.org:1"), ElementsAre(Endpoint{"db.example.org", 1}));
    EXPECT_THAT(*parse_endpoints("db.example.org:65535"), ElementsAre(Endpoint{"db.example.org", 65535}));
    EXPECT_EQ(to_text(Endpoint{"db.example.org", 5432}), "db.example.org:5432");
}

TEST(Endpoint, CaseAndTheDotAtTheEndAreNotPartOfAName) {
    EXPECT_THAT(*parse_endpoints("Data.Example.Org.:443"), ElementsAre(Endpoint{"data.example.org", 443}));
}

TEST(Endpoint, NamesAreAsInTheDns) {
    EXPECT_EQ(why_not("xn--bcher-kva.example"), "allowed");
    EXPECT_EQ(why_not("a_b.example"), "allowed");
    EXPECT_EQ(why_not("1.2.3.example"), "allowed");
    EXPECT_THAT(why_not("bücher.example"), HasSubstr("xn--"));
    EXPECT_THAT(why_not("a..example"), HasSubstr("nothing between two dots"));
    EXPECT_THAT(why_not(".example.org"), HasSubstr("nothing between two dots"));
    EXPECT_THAT(why_not("example.org.."), HasSubstr("nothing between two dots"));
    EXPECT_THAT(why_not("a b.example"), HasSubstr("letters, digits"));
    EXPECT_THAT(why_not("https://example.org/"), HasSubstr("no URL"));
    EXPECT_THAT(why_not(std::string("example.org\0", 12)), HasSubstr("letters, digits"));
    EXPECT_THAT(why_not("-a.example"), HasSubstr("\"-\""));
    EXPECT_THAT(why_not(""), HasSubstr("no name"));
    EXPECT_THAT(why_not("."), HasSubstr("no name"));
}

TEST(Endpoint, LengthsAreThoseOfTheDns) {
    EXPECT_EQ(why_not(std::string(63, 'a') + ".example"), "allowed");
    EXPECT_THAT(why_not(std::string(64, 'a') + ".example"), HasSubstr("more than 63"));
    std::string name;
    while (name.size() < 250) name += "a.";
    EXPECT_EQ(why_not(name + "com"), "allowed") << name.size();
    EXPECT_THAT(why_not(name + "comm"), HasSubstr("more than 253"));
}

TEST(Endpoint, AddressesAreNoNames) {
    for (const char* address : {"127.0.0.1", "127.0.0.1:80", "2130706433", "127.1", "0x7f.1", "1.0x7f",
                                "[::1]", "[::1]:443", "::1", "fe80::1", "example.1", "256.256.256.256"})
        EXPECT_THAT(why_not(address), HasSubstr("address")) << address;
}

TEST(Endpoint, NamesOfThisMachineAndItsSiteAreRefused) {
    EXPECT_THAT(why_not("localhost"), HasSubstr("this machine"));
    EXPECT_THAT(why_not("LOCALHOST.:80"), HasSubstr("this machine"));
    EXPECT_THAT(why_not("foo.localhost"), HasSubstr("this machine"));
    EXPECT_THAT(why_not("intranet"), HasSubstr("without a dot"));
}

TEST(Endpoint, PatternsAreRefused) {
    EXPECT_THAT(why_not("*.example.org"), HasSubstr("no patterns"));
    EXPECT_THAT(why_not("*"), HasSubstr("no patterns"));
}

TEST(Endpoint, PortsAreNumbers) {
    for (const char* port : {"", "0", "65536", "-1", "+1", "1 ", "https", "99999999999999999999"})
        EXPECT_THAT(why_not(std::string("example.org:") + port), HasSubstr("is no port")) << port;
}

TEST(Endpoint, ThereAreOnlySoMany) {
    std::vector<Endpoint> endpoints;
    for (size_t i = 0; i < kMaxAllowedNames; ++i)
        for (const uint16_t port : kDefaultPorts)
            endpoints.push_back({"a" + std::to_string(i) + ".example", port});
    EXPECT_EQ(endpoints.size(), kMaxAllowedEndpoints);
    EXPECT_TRUE(check_endpoints(endpoints));
    endpoints.push_back({"a1.example", 8080});
    EXPECT_THAT(check_endpoints(endpoints).error().sentence(), HasSubstr("128 are the most"));
    endpoints.assign(kMaxAllowedNames + 1, {});
    for (size_t i = 0; i < endpoints.size(); ++i) endpoints[i] = {"a" + std::to_string(i) + ".example", 80};
    EXPECT_THAT(check_endpoints(endpoints).error().sentence(), HasSubstr("64 are the most"));
}

}  // namespace
}  // namespace cellblock
