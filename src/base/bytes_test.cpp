// Byte counts as people write and read them.
#include "base/bytes.hpp"

#include <gtest/gtest.h>

namespace cellblock {
namespace {

TEST(ParseBytes, TakesBinaryAndDecimalUnits) {
    EXPECT_EQ(*parse_bytes("0B"), Bytes{0});
    EXPECT_EQ(*parse_bytes("512B"), Bytes{512});
    EXPECT_EQ(*parse_bytes("64KiB"), 64_KiB);
    EXPECT_EQ(*parse_bytes("2 GiB"), 2_GiB);
    EXPECT_EQ(*parse_bytes("1.5GiB"), 1536_MiB);
    EXPECT_EQ(*parse_bytes("1TiB"), 1024_GiB);
    EXPECT_EQ(*parse_bytes("64kB"), Bytes{64'000});
    EXPECT_EQ(*parse_bytes("64MB"), Bytes{64'000'000});
    EXPECT_EQ(*parse_bytes("1GB"), Bytes{1'000'000'000});
}

TEST(ParseBytes, RefusesWhatCouldMeanSomethingElse) {
    for (const char* text :
         {"", "2", "GiB", "2gb", "2G", "2GiBs", "2 GiB ", " 2GiB", "-1B", "+1B", "0x10B", "1,5GiB", "1e3B",
          "nanB", "infB", "-infB", "two GiB", "8388608TiB", "99999999999999999999B"})
        EXPECT_FALSE(parse_bytes(text).ok()) << text;
}

TEST(ParseBytes, NamesTheTextAndShowsHowToWriteIt) {
    const auto result = parse_bytes("2");
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().what().find("\"2\""), std::string::npos);
    EXPECT_NE(result.error().remedy().find("512MiB"), std::string::npos);
}

TEST(ToText, HasOneDecimalAndBinaryUnits) {
    EXPECT_EQ(to_text(Bytes{0}), "0 B");
    EXPECT_EQ(to_text(Bytes{1023}), "1023 B");
    EXPECT_EQ(to_text(Bytes{1024}), "1.0 KiB");
    EXPECT_EQ(to_text(1536_MiB), "1.5 GiB");
    EXPECT_EQ(to_text(Bytes{uint64_t{5} << 50}), "5120.0 TiB");
}

TEST(ToText, IsReadBackByParseBytes) {
    for (const Bytes bytes : {Bytes{0}, Bytes{100}, 64_KiB, 3_MiB, 2_GiB, 4096_GiB})
        EXPECT_EQ(*parse_bytes(to_text(bytes)), bytes);
}

}  // namespace
}  // namespace cellblock
