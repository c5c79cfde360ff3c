// What a name may not lead to.
#include "network/address_policy.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <string>

namespace cellblock::network {
namespace {

IpAddress ip(const std::string& text) {
    return parse_ip_address(text).value();
}

TEST(AddressPolicy, EachRowIsUniqueJustifiedAndInEffectFromItsFirstAddressToItsLast) {
    std::set<std::string> seen;
    for (const AddressRow& row : refused_addresses()) {
        EXPECT_TRUE(seen.insert(std::string(row.prefix) + "/" + std::to_string(row.bits)).second)
            << row.prefix;
        EXPECT_NE(std::string(row.reason), "");
        IpAddress first = ip(row.prefix);
        IpAddress last = first;
        const int size = first.family == AF_INET ? 32 : 128;
        for (int bit = row.bits; bit < size; ++bit) {
            auto& byte = last.bytes[static_cast<size_t>(bit / 8)];
            EXPECT_EQ(byte & (0x80U >> unsigned(bit % 8)), 0U) << row.prefix << " has bits beyond its length";
            byte = static_cast<uint8_t>(byte | 0x80U >> unsigned(bit % 8));
        }
        EXPECT_TRUE(why_refused(first)) << to_text(first);
        EXPECT_TRUE(why_refused(last)) << to_text(last);
    }
}

TEST(AddressPolicy, NothingThatIsNotOfThePublicInternetIsLeft) {
    for (const char* address : {"127.0.0.1",
                                "127.255.255.254",
                                "0.0.0.0",
                                "10.1.2.3",
                                "172.16.0.1",
                                "172.31.255.255",
                                "192.168.1.1",
                                "100.64.0.1",
                                "100.100.100.200",
                                "169.254.169.254",
                                "168.63.129.16",
                                "192.0.0.192",
                                "198.18.0.1",
                                "198.19.255.255",
                                "224.0.0.251",
                                "239.255.255.250",
                                "255.255.255.255",
                                "::",
                                "::1",
                                "::ffff:127.0.0.1",
                                "::ffff:8.8.8.8",
                                "::127.0.0.1",
                                "64:ff9b::7f00:1",
                                "64:ff9b:1::a00:1",
                                "2002:7f00:1::",
                                "2001:0:7f00:1::",
                                "fe80::1",
                                "fc00::1",
                                "fd00:ec2::254",
                                "ff02::1",
                                "fec0::1",
                                "2001:db8::1",
                                "2001:2::1",
                                "100::1",
                                "4000::1",
                                "8000::1"})
        EXPECT_TRUE(why_refused(ip(address))) << address;
}

TEST(AddressPolicy, ThePublicInternetIsNotRefused) {
    for (const char* address : {"1.1.1.1",
                                "8.8.8.8",
                                "9.255.255.255",
                                "11.0.0.0",
                                "172.15.255.255",
                                "172.32.0.0",
                                "100.63.255.255",
                                "100.128.0.0",
                                "168.63.129.15",
                                "168.63.129.17",
                                "192.0.1.0",
                                "198.17.255.255",
                                "198.20.0.0",
                                "223.255.255.255",
                                "2606:4700:4700::1111",
                                "2a00:1450::1",
                                "2001:4860:4860::8888",
                                "2003::1",
                                "2001:200::1",
                                "2620:fe::fe"})
        EXPECT_FALSE(why_refused(ip(address))) << address << ": " << *why_refused(ip(address));
}

TEST(AddressPolicy, TheReasonIsTheRows) {
    EXPECT_EQ(*why_refused(ip("169.254.169.254")), "the local link; clouds' metadata and credentials");
    EXPECT_EQ(*why_refused(ip("::ffff:10.0.0.1")), "an IPv4 address in an IPv6 one (mapped)");
}

TEST(AddressPolicy, TheHostsOwnAddressesAreRefusedWhateverTheyAre) {
    ifaddrs* list = nullptr;
    ASSERT_EQ(::getifaddrs(&list), 0);
    size_t seen = 0;
    for (const ifaddrs* each = list; each; each = each->ifa_next) {
        if (!each->ifa_addr ||
            (each->ifa_addr->sa_family != AF_INET && each->ifa_addr->sa_family != AF_INET6))
            continue;
        ++seen;
        EXPECT_TRUE(why_refused(ip_address_of(*each->ifa_addr))) << to_text(ip_address_of(*each->ifa_addr));
    }
    ::freeifaddrs(list);
    EXPECT_GT(seen, 0U);
}

/// Gives the loopback interface of this network namespace an address.
bool add_address(const char* name, const char* address) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    const auto set = [&](unsigned long what, const char* value) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        ::inet_pton(AF_INET, value, &in.sin_addr);
        std::memcpy(&request.ifr_addr, &in, sizeof in);
        return ::ioctl(fd, what, &request) == 0;
    };
    if (!set(SIOCSIFADDR, address) || !set(SIOCSIFNETMASK, "255.255.255.0")) return false;
    request.ifr_flags = IFF_UP;
    return ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

enum Told : int { as_wanted, not_possible_here, second_not_refused, no_descriptor_not_refused };

/// In a process of its own, in a network namespace of its own.
Told what_a_host_of_two_addresses_refuses() {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 || !add_address("lo", "9.9.9.2") ||
        !add_address("lo:1", "9.9.9.3"))
        return not_possible_here;
    for (const char* address : {"9.9.9.2", "9.9.9.3", "9.9.9.255"})
        if (why_refused(ip(address)) != "an address of this host") return second_not_refused;
    const rlimit nothing{0, 0};
    ::setrlimit(RLIMIT_NOFILE, &nothing);
    return why_refused(ip("9.9.9.3")) ? as_wanted : no_descriptor_not_refused;
}

int status_of(Told (*ask)()) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(ask());
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

// A second address of one network has the first one for its source.
TEST(AddressPolicy, ASecondAddressOfTheHostIsRefusedAndSoIsWhatCannotBeAsked) {
    EXPECT_EQ(status_of(what_a_host_of_two_addresses_refuses), as_wanted);
}

TEST(IpAddress, IsReadAndWritten) {
    for (const char* text : {"1.2.3.4", "2001:4860:4860::8888", "::"}) EXPECT_EQ(to_text(ip(text)), text);
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4 ", "[::1]", "fe80::1%lo"})
        EXPECT_FALSE(parse_ip_address(text)) << text;
    const SocketAddress full = with_port(ip("2001:4860:4860::8888"), 443);
    EXPECT_EQ(ip_address_of(*full.get()), ip("2001:4860:4860::8888"));
}

}  // namespace
}  // namespace cellblock::network
