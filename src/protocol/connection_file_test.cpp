// Every mistake in a connection file has its own sentence; what real front ends write is read.
#include "protocol/connection_file.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/sys.hpp"

namespace cellblock::protocol {
namespace {

nlohmann::json good() {
    return {{"shell_port", 50001},       {"iopub_port", 50002}, {"stdin_port", 50003},
            {"control_port", 50004},     {"hb_port", 50005},    {"ip", "127.0.0.1"},
            {"key", "a0b1-c2"},          {"transport", "tcp"},  {"signature_scheme", "hmac-sha256"},
            {"kernel_name", "cellblock"}};
}

nlohmann::json with(const char* member, const nlohmann::json& value) {
    auto file = good();
    file[member] = value;
    return file;
}

nlohmann::json without(const char* member) {
    auto file = good();
    file.erase(member);
    return file;
}

Result<ConnectionFile> parse(const nlohmann::json& file) {
    return parse_connection_file(file.dump(1), "k.json");
}

/// The error without what all of them begin with.
std::string mistake(const Result<ConnectionFile>& file) {
    if (file.ok()) return "accepted";
    const std::string start = "read the connection file k.json: ";
    EXPECT_EQ(file.error().what().substr(0, start.size()), start);
    EXPECT_FALSE(file.error().remedy().empty());
    return file.error().what().substr(start.size());
}

TEST(ConnectionFile, ReadsWhatJupyterClientWrites) {
    const auto file = parse(good());
    ASSERT_TRUE(file.ok()) << file.error().what();
    EXPECT_EQ(file->transport, Transport::tcp);
    EXPECT_EQ(file->ip, "127.0.0.1");
    EXPECT_EQ(file->shell_port, 50001);
    EXPECT_EQ(file->iopub_port, 50002);
    EXPECT_EQ(file->stdin_port, 50003);
    EXPECT_EQ(file->control_port, 50004);
    EXPECT_EQ(file->hb_port, 50005);
    EXPECT_EQ(file->key, "a0b1-c2");
    EXPECT_EQ(file->signature_scheme, "hmac-sha256");
    EXPECT_EQ(file->curve_publickey, "");
    EXPECT_EQ(file->endpoint(50001), "tcp://127.0.0.1:50001");
}

TEST(ConnectionFile, HasTheDefaultsOfIpykernel) {
    EXPECT_EQ(parse(without("transport"))->transport, Transport::tcp);
    EXPECT_EQ(parse(without("signature_scheme"))->signature_scheme, "hmac-sha256");
    EXPECT_TRUE(parse(without("kernel_name")).ok());
}

TEST(ConnectionFile, TakesIpv6WithAndWithoutBrackets) {
    EXPECT_EQ(parse(with("ip", "::1"))->endpoint(7), "tcp://[::1]:7");
    EXPECT_EQ(parse(with("ip", "[::1]"))->endpoint(7), "tcp://[::1]:7");
    EXPECT_EQ(parse(with("ip", "[::1]"))->ip, "::1");
    EXPECT_EQ(parse(with("ip", "fe80::1%eth0"))->endpoint(7), "tcp://[fe80::1%eth0]:7");
    EXPECT_EQ(parse(with("ip", "*"))->endpoint(7), "tcp://*:7");
    EXPECT_EQ(parse(with("ip", "localhost"))->endpoint(7), "tcp://localhost:7");
    for (const char* ip :
         {"", "[", "[]", "[localhost]", "::1]", "1:2", "a b", "a/b", "127.0.0.1\n", "::g", "**"})
        EXPECT_EQ(mistake(parse(with("ip", ip))).substr(0, 4), "\"ip\"") << ip;
}

TEST(ConnectionFile, TakesIpcPathsThatFitIntoASocketName) {
    auto file = with("transport", "ipc");
    file["ip"] = "/run/x/kernel";
    EXPECT_EQ(parse(file)->endpoint(1), "ipc:///run/x/kernel-1");
    EXPECT_EQ(parse(file)->transport, Transport::ipc);
    file["ip"] = "/" + std::string(100, 'p');
    EXPECT_TRUE(parse(file).ok());
    file["ip"] = "/" + std::string(101, 'p');
    EXPECT_EQ(mistake(parse(file)), "\"ip\" is a path of 102 bytes, at most 101 fit into a socket's name");
    EXPECT_NE(parse(file).error().remedy().find("JUPYTER_RUNTIME_DIR"), std::string::npos);
    file["ip"] = "";
    EXPECT_EQ(mistake(parse(file)), "\"ip\" is no path, which the transport ipc needs");
    file["ip"] = std::string("/a\0b", 4);
    EXPECT_EQ(mistake(parse(file)), "\"ip\" is no path, which the transport ipc needs");
}

TEST(ConnectionFile, NamesTheMemberThatIsMissing) {
    for (const char* member :
         {"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port", "ip", "key"})
        EXPECT_EQ(mistake(parse(without(member))), "\"" + std::string(member) + "\" is missing");
}

TEST(ConnectionFile, TakesPortsFrom1To65535) {
    for (const char* member : {"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"}) {
        EXPECT_TRUE(parse(with(member, 1)).ok());
        EXPECT_TRUE(parse(with(member, 65535)).ok());
        const auto said = [&](const nlohmann::json& value) { return mistake(parse(with(member, value))); };
        const auto expected = [&](const std::string& found) {
            return "\"" + std::string(member) + "\" is " + found + ", a number from 1 to 65535 is expected";
        };
        EXPECT_EQ(said(0), expected("0"));
        EXPECT_EQ(said(-1), expected("-1"));
        EXPECT_EQ(said(65536), expected("65536"));
        EXPECT_EQ(said("50001"), expected("a string"));
        EXPECT_EQ(said(nullptr), expected("null"));
        EXPECT_EQ(said(true), expected("a boolean"));
        EXPECT_EQ(said({1}), expected("a list"));
        EXPECT_EQ(said(1.5), expected("a number that is no integer or too large"));
        EXPECT_EQ(said(UINT64_MAX), expected("a number that is no integer or too large"));
    }
}

TEST(ConnectionFile, NamesThePortsThatAreEqual) {
    EXPECT_EQ(mistake(parse(with("hb_port", 50002))), "\"iopub_port\" and \"hb_port\" are both 50002");
}

TEST(ConnectionFile, TakesAnEmptyKeyOnlyWhenItIsWritten) {
    EXPECT_EQ(parse(with("key", ""))->key, "");
    EXPECT_EQ(mistake(parse(with("key", nullptr))), "\"key\" is no string");
    EXPECT_EQ(mistake(parse(with("key", 5))), "\"key\" is no string");
}

TEST(ConnectionFile, RefusesTransportsAndSignaturesThatItDoesNotSpeak) {
    EXPECT_EQ(mistake(parse(with("transport", "udp"))), "\"transport\" is neither \"tcp\" nor \"ipc\"");
    EXPECT_EQ(mistake(parse(with("transport", 1))), "\"transport\" is no string");
    EXPECT_EQ(mistake(parse(with("signature_scheme", "hmac-md5"))),
              "\"signature_scheme\" is not \"hmac-sha256\", the only one that Cellblock speaks");
    EXPECT_NE(mistake(parse(with("signature_scheme", ""))), "accepted");
}

TEST(ConnectionFile, TakesCurveKeysInPairs) {
    // The server's test keys of the CurveZMQ documentation.
    const std::string public_key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const std::string secret_key = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
    auto file = with("curve_publickey", public_key);
    EXPECT_EQ(mistake(parse(file)), "\"curve_secretkey\" is missing");
    file["curve_secretkey"] = secret_key;
    EXPECT_EQ(parse(file)->curve_publickey, public_key);
    EXPECT_EQ(parse(file)->curve_secretkey, secret_key);
    for (const std::string& bad : {std::string(), secret_key.substr(1), secret_key + "0",
                                   secret_key.substr(1) + "~", std::string(40, ' ')}) {
        file["curve_secretkey"] = bad;
        EXPECT_EQ(mistake(parse(file)), "\"curve_secretkey\" is no key of 40 characters in Z85 notation");
    }
    file["curve_secretkey"] = file["curve_publickey"] = nullptr;
    EXPECT_EQ(parse(file)->curve_publickey, "");
}

TEST(ConnectionFile, SaysWhereTheTextIsNoJsonObject) {
    EXPECT_EQ(mistake(parse_connection_file("", "k.json")), "invalid JSON at byte 0: an object is expected");
    EXPECT_EQ(mistake(parse_connection_file("[]", "k.json")),
              "invalid JSON at byte 0: an object is expected");
    EXPECT_EQ(mistake(parse_connection_file("{\"ip\": 'x'}", "k.json")),
              "invalid JSON at byte 7: a value is expected");
}

TEST(ConnectionFile, NeverQuotesAKey) {
    for (const auto& file :
         {with("key", nlohmann::json::array({"SECRET"})), with("curve_secretkey", "SECRET")})
        EXPECT_EQ(mistake(parse(file)).find("SECRET"), std::string::npos);
}

TEST(ReadConnectionFile, ReadsAFile) {
    const auto dir = sys::TempDir::create("cellblock-connection-").value();
    const std::string path = dir.path() + "/k.json";
    std::ofstream(path) << good().dump();
    const auto file = read_connection_file(path);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->key, "a0b1-c2");
    std::ofstream(path) << "{";
    EXPECT_EQ(read_connection_file(path).error().what(),
              "read the connection file " + path + ": invalid JSON at byte 1: a member name is expected");
}

TEST(ReadConnectionFile, SaysWhyItCannotBeRead) {
    const auto dir = sys::TempDir::create("cellblock-connection-").value();
    const auto said = [](const std::string& path) {
        const auto file = read_connection_file(path);
        return file.ok() ? "accepted" : file.error().what();
    };
    const std::string missing = dir.path() + "/missing.json";
    EXPECT_EQ(said(missing),
              "read the connection file: open " + missing + ": No such file or directory (ENOENT)");
    EXPECT_EQ(said(dir.path()), "read the connection file: " + dir.path() + " is a directory");
    const std::string pipe = dir.path() + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(said(pipe), "read the connection file: " + pipe + " is no regular file");
    const std::string big = dir.path() + "/big.json";
    std::ofstream(big) << good().dump() << std::string(65536, ' ');
    EXPECT_EQ(said(big), "read the connection file: read " + big + ": larger than the 65536 bytes expected");
}

TEST(ReadConnectionFile, SaysThatItMayNotBeRead) {
    const auto dir = sys::TempDir::create("cellblock-connection-").value();
    const std::string path = dir.path() + "/k.json";
    std::ofstream(path) << good().dump();
    ASSERT_EQ(::chmod(path.c_str(), 0), 0);
    // Permission bits do not stop root, but capabilities belong to threads: this one has none.
    std::thread([&path] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        const std::array<__user_cap_data_struct, 2> none{};
        ASSERT_EQ(::syscall(SYS_capset, &header, none.data()), 0);
        const auto file = read_connection_file(path);
        ASSERT_FALSE(file.ok());
        EXPECT_EQ(file.error().what(),
                  "read the connection file: open " + path + ": Permission denied (EACCES)");
    }).join();
}

}  // namespace
}  // namespace cellblock::protocol
