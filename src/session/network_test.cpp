// Allowed network names from end to end: programs as people have them, in a real jail, through a real broker,
// whose lookup knows the test's names and lets its servers on this host be reached. And attacks from inside.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/sys.hpp"
#include "jail/jail.hpp"
#include "network/broker.hpp"

namespace cellblock::session {
namespace {

using network::Act;
using network::Report;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience{60};

/// Answers every request with one text, as HTTP has it.
class WebServer {
  public:
    WebServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_.get(), 128), 0);
        EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~WebServer() {
        stopped_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    WebServer(const WebServer&) = delete;
    WebServer& operator=(const WebServer&) = delete;

    [[nodiscard]] uint16_t port() const { return port_; }
    [[nodiscard]] int served() const { return served_; }

  private:
    void serve() {
        while (!stopped_) {
            const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!peer.valid()) continue;
            std::string request;
            char buffer[4096];
            ssize_t n;
            while (request.find("\r\n\r\n") == std::string::npos &&
                   (n = ::recv(peer.get(), buffer, sizeof buffer, 0)) > 0)
                request.append(buffer, static_cast<size_t>(n));
            if (request.empty()) continue;
            const std::string answer =
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nConnection: "
                "close\r\n\r\nserved\n";
            ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
            ++served_;
        }
    }

    UniqueFd listener_;
    uint16_t port_ = 0;
    std::atomic<bool> stopped_{false};
    std::atomic<int> served_{0};
    std::thread thread_;
};

struct JailWithNames {
    std::unique_ptr<jail::Jail> jail;
    std::unique_ptr<network::Broker> broker;  // the first to go
};

class AllowedNames : public ::testing::Test {
  protected:
    AllowedNames() {
        options_.lookup = [](const std::string&) -> Result<network::Addresses> {
            return network::Addresses{network::parse_ip_address("127.0.0.1").value()};
        };
        options_.refuses = [](const network::IpAddress&) { return std::nullopt; };
        options_.report = [this](const std::vector<Report>& reports) {
            const std::lock_guard lock(mutex_);
            reports_.insert(reports_.end(), reports.begin(), reports.end());
        };
        plan_.level = jail::Level::namespaced;
        plan_.name = "test";
        plan_.network = jail::Network::allow;
        plan_.allowed = {{"a.example", server_.port()}, {"b.example", server_.port()}};
        plan_.limits.memory = 4_GiB;
    }

    JailWithNames start() {
        JailWithNames both;
        both.jail = jail::Jail::start(plan_).value();
        both.broker = network::Broker::start(both.jail->take_network_sockets(), options_).value();
        return both;
    }

    /// What a program says, on both streams.
    static std::string run(jail::Jail& jail, std::vector<std::string> argv) {
        const UniqueFd out(::memfd_create("output", MFD_CLOEXEC));
        jail::Command command;
        command.argv = std::move(argv);
        command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", std::string("HOME=") + jail::kHome,
                               "LC_ALL=C"};
        command.working_directory = "/tmp";
        command.stdout_fd = command.stderr_fd = out.get();
        const auto spawned = jail.spawn(command);
        EXPECT_TRUE(spawned) << spawned.error().sentence();
        if (!spawned) return "";
        pollfd entry{jail.event_fd(), POLLIN, 0};
        EXPECT_EQ(::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())), 1);
        EXPECT_EQ(jail.take_events().size(), 1U);
        std::string text(size_t{1} << 16U, '\0');
        const ssize_t n = ::pread(out.get(), text.data(), text.size(), 0);
        text.resize(n > 0 ? static_cast<size_t>(n) : 0);
        return text;
    }

    std::string python(jail::Jail& jail, const std::string& code) {
        const std::string names =
            "import socket, errno, urllib.request\nPORT = " + std::to_string(server_.port()) + "\n" + R"(
def attempt(action):
    try:
        return action()
    except socket.gaierror as error:
        return 'gaierror'
    except OSError as error:
        return errno.errorcode[error.errno] if error.errno else repr(error)
)";
        return run(jail, {"/usr/bin/python3", "-c", names + code});
    }

    [[nodiscard]] std::string url(const std::string& host) const {
        return "http://" + host + ":" + std::to_string(server_.port()) + "/";
    }

    uint64_t count(network::Broker& broker, Act act, const std::string& host) {
        broker.flush();
        const std::lock_guard lock(mutex_);
        uint64_t sum = 0;
        for (const Report& report : reports_)
            if (report.act == act && report.host == host) sum += report.count;
        return sum;
    }

    WebServer server_;
    std::mutex mutex_;
    std::vector<Report> reports_;
    network::BrokerOptions options_;
    jail::Plan plan_;
};

TEST_F(AllowedNames, PythonReachesThem) {
    const JailWithNames both = start();
    EXPECT_EQ(python(*both.jail, "print(urllib.request.urlopen('" + url("a.example") + "').read())"),
              "b'served\\n'\n");
    EXPECT_EQ(python(*both.jail,
                     "import asyncio\nasync def main():\n    reader, writer = await "
                     "asyncio.open_connection('b.example', PORT)\n"
                     "    writer.write(b'GET / HTTP/1.0\\r\\n\\r\\n')\n    print((await "
                     "reader.read())[-7:])\nasyncio.run(main())"),
              "b'served\\n'\n");
    EXPECT_EQ(count(*both.broker, Act::connected, "a.example"), 1U);
    EXPECT_EQ(count(*both.broker, Act::connected, "b.example"), 1U);
    EXPECT_EQ(server_.served(), 2);
}

TEST_F(AllowedNames, NamesAreThoseOfTheDnsWhateverTheirCaseAndDot) {
    const JailWithNames both = start();
    for (const char* name : {"A.Example", "a.example.", "A.EXAMPLE."})
        EXPECT_EQ(python(*both.jail, std::string("print(socket.create_connection(('") + name +
                                         "', PORT)).getpeername()[0])"),
                  "198.18.0.1\n");
}

/// Where a jail sees programs; empty when there is none.
std::string find(const std::string& program) {
    for (const char* directory : {"/usr/local/bin/", "/usr/bin/", "/usr/local/go/bin/"})
        if (::access((directory + program).c_str(), X_OK) == 0) return directory + program;
    return "";
}

#define NEEDS(variable, program)                \
    const std::string variable = find(program); \
    if (variable.empty()) GTEST_SKIP() << "no " program " on this machine"

TEST_F(AllowedNames, CurlReachesThem) {
    NEEDS(curl, "curl");
    const JailWithNames both = start();
    EXPECT_EQ(run(*both.jail, {curl, "-sS", url("a.example")}), "served\n");
    EXPECT_THAT(run(*both.jail, {curl, "-sS", url("c.example")}), HasSubstr("Could not resolve host"));
}

TEST_F(AllowedNames, NodeReachesThem) {
    NEEDS(node, "node");
    const JailWithNames both = start();
    EXPECT_EQ(run(*both.jail, {node, "-e",
                               "fetch('" + url("a.example") +
                                   "').then(r => r.text()).then(t => process.stdout.write(t))"}),
              "served\n");
    EXPECT_THAT(run(*both.jail, {node, "-e", "fetch('" + url("c.example") + "')"}), HasSubstr("ENOTFOUND"));
}

TEST_F(AllowedNames, JavaReachesThem) {
    NEEDS(javac, "javac");
    // Where Debian keeps what the JDK's own directory links to.
    for (const auto& entry : std::filesystem::directory_iterator("/etc"))
        if (entry.path().filename().string().starts_with("java"))
            plan_.mounts.push_back({entry.path(), entry.path()});
    const JailWithNames both = start();
    const std::string program = R"(
import java.net.URI;
import java.net.http.*;
public class Client {
    public static void main(String[] arguments) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
        System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
)";
    EXPECT_EQ(run(*both.jail, {"/bin/sh", "-c", "printf %s \"$1\" > Client.java && java Client.java \"$2\"",
                               "sh", program, url("a.example")}),
              "served\n");
}

TEST_F(AllowedNames, GoReachesThemByItsOwnResolver) {
    NEEDS(compiler, "go");
    const auto directory = sys::TempDir::create("cellblock-test-");
    ASSERT_TRUE(directory);
    std::filesystem::permissions(directory->path(), std::filesystem::perms(0755));
    std::ofstream(directory->path() + "/client.go") << R"(
package main
import ("fmt"; "io"; "net"; "os")
func main() {
    connection, err := net.Dial("tcp", os.Args[1])
    if err != nil { fmt.Println(err); return }
    fmt.Fprint(connection, "GET / HTTP/1.0\r\n\r\n")
    answer, _ := io.ReadAll(connection)
    fmt.Print(string(answer[len(answer)-7:]))
}
)";
    const std::string build =
        "cd " + directory->path() + " && CGO_ENABLED=0 GOFLAGS= " + compiler + " build client.go";
    ASSERT_EQ(std::system(build.c_str()), 0);
    plan_.mounts = {{directory->path(), "/opt/clients"}};
    const JailWithNames both = start();
    const std::string port = ":" + std::to_string(server_.port());
    EXPECT_EQ(run(*both.jail, {"/opt/clients/client", "a.example" + port}), "served\n");
    EXPECT_THAT(run(*both.jail, {"/opt/clients/client", "c.example" + port}), HasSubstr("no such host"));
}

// The attack: names near the allowed one, and names that carry data.
TEST_F(AllowedNames, OtherNamesDoNotExistAndAreReported) {
    const JailWithNames both = start();
    EXPECT_EQ(python(*both.jail,
                     "for name in ('www.a.example', 'example', 'a.example.evil.example', 'aa.example', "
                     "'localhost.evil.example'):\n"
                     "    print(attempt(lambda: socket.getaddrinfo(name, 80)))"),
              "gaierror\ngaierror\ngaierror\ngaierror\ngaierror\n");
    EXPECT_GE(count(*both.broker, Act::unknown_name, "a.example.evil.example"), 1U);
    EXPECT_EQ(server_.served(), 0);
}

// The attack: past the broker.
TEST_F(AllowedNames, ThereIsNoWayBesideThem) {
    const JailWithNames both = start();
    EXPECT_EQ(python(*both.jail, R"(
def tcp(address, port):
    return attempt(lambda: socket.create_connection((address, port), timeout=5))
def udp(address, port):
    return attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (address, port)))
print([tcp(address, 443) for address in ('1.1.1.1', '10.0.0.1', '169.254.169.254', '198.20.0.1')])
print([udp('8.8.8.8', 53), udp('1.1.1.1', 443)])
print(tcp('127.0.0.1', PORT))   # the host's own server
print(tcp('a.example', 22), tcp('198.18.0.99', PORT))
)"),
              "['ENETUNREACH', 'ENETUNREACH', 'ENETUNREACH', 'ENETUNREACH']\n['ENETUNREACH', 'ENETUNREACH']\n"
              "ECONNREFUSED\nECONNREFUSED ECONNREFUSED\n");
    EXPECT_EQ(server_.served(), 0);
}

// The attack: be the name server, or the name.
TEST_F(AllowedNames, NobodyInsideTakesTheirPlace) {
    const JailWithNames both = start();
    EXPECT_EQ(python(*both.jail, R"(
def bind(kind, address, port):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen() if kind == socket.SOCK_STREAM else None
for address in ('127.0.0.53', '0.0.0.0'):
    print(attempt(lambda: bind(socket.SOCK_DGRAM, address, 53)), attempt(lambda: bind(socket.SOCK_STREAM, address, 53)))
print(attempt(lambda: bind(socket.SOCK_STREAM, '198.18.0.1', PORT)))
print(urllib.request.urlopen(')" + url("a.example") +
                                     R"(').read())
)"),
              "EACCES EACCES\nEACCES EACCES\nEADDRINUSE\nb'served\\n'\n");
}

// The attack: what a policy with the real table refuses, through a name that somebody points at the host.
TEST_F(AllowedNames, ANameThatLeadsToThisHostIsResetAndReported) {
    options_.refuses = network::why_refused;
    const JailWithNames both = start();
    EXPECT_EQ(python(*both.jail,
                     "s = socket.create_connection(('a.example', PORT))\nprint(attempt(lambda: s.recv(1)))"),
              "ECONNRESET\n");
    EXPECT_EQ(count(*both.broker, Act::refused, "a.example"), 1U);
    EXPECT_EQ(server_.served(), 0);
}

// The attack: connections without end, half of them never used; queries that make no sense. Another jail goes
// on.
TEST_F(AllowedNames, AFloodHarmsItsOwnJailAlone) {
    const JailWithNames flooding = start();
    const JailWithNames other = start();
    const std::string flood = python(*flooding.jail, R"(
held, refused = [], 0
for i in range(600):
    s = socket.socket()
    s.settimeout(30)
    try:
        s.connect(('198.18.0.1', PORT))
        held.append(s)
    except OSError:
        refused += 1
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.connect(('127.0.0.53', 53))
for i in range(5000):
    try:
        u.send(b'\xc0\x0c' * (i % 400))
    except OSError:
        pass
print('done', len(held) + refused)
)");
    EXPECT_EQ(flood, "done 600\n");
    EXPECT_EQ(python(*other.jail, "print(urllib.request.urlopen('" + url("b.example") + "').read())"),
              "b'served\\n'\n");
    // The flood's sockets are gone with its process.
    EXPECT_EQ(python(*flooding.jail,
                     "import time\nfor _ in range(100):\n    try:\n        print(urllib.request.urlopen('" +
                         url("a.example") +
                         "').read())\n        break\n    except OSError:\n        time.sleep(0.1)"),
              "b'served\\n'\n");
}

TEST_F(AllowedNames, TheEndOfTheJailEndsItsConnections) {
    JailWithNames both = start();
    jail::Command command;
    command.argv = {"/usr/bin/python3", "-c",
                    "import socket, time; s = socket.create_connection(('a.example', " +
                        std::to_string(server_.port()) + ")); time.sleep(600)"};
    command.environment = {"PATH=/usr/bin"};
    command.working_directory = "/tmp";
    ASSERT_TRUE(both.jail->spawn(command));
    for (int i = 0; i < 600 && count(*both.broker, Act::connected, "a.example") == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(count(*both.broker, Act::closed, "a.example"), 0U);
    ASSERT_TRUE(both.jail->kill_all());
    for (int i = 0; i < 600 && count(*both.broker, Act::closed, "a.example") == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(count(*both.broker, Act::closed, "a.example"), 1U);
}

}  // namespace
}  // namespace cellblock::session
