// Connection files: each member taken with its rule, each mistake with its sentence.
#include "protocol/connection_file.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/sys.hpp"
#include "protocol/json_scan.hpp"

namespace cellblock::protocol {
namespace {

constexpr size_t kMaxFileSize = 65536;
constexpr int kMaxPort = 65535;
constexpr size_t kCurveKeySize = 40;
constexpr size_t kMaxHostSize = 255;
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view kZ85 =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr const char* kRemedy =
    "A front end (JupyterLab, nbconvert, jupyter console ...) writes this file when it starts a kernel: "
    "start the kernel from one, or write a file with the members that the Jupyter client documentation "
    "lists.";

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The members of the file; errors name the member.
class Members {
  public:
    explicit Members(std::vector<JsonMember> members) : members_(std::move(members)) {}

    [[nodiscard]] bool has(std::string_view name) const {
        const auto value = find_member(members_, name);
        return value && *value != "null";
    }

    Result<std::string> text(std::string_view name) const {
        const auto value = find_member(members_, name);
        if (!value) return Error(quoted(name) + " is missing");
        auto text = as_string(*value);
        if (!text) return Error(quoted(name) + " is no string");
        return *std::move(text);
    }

    Result<std::string> text_or(std::string_view name, std::string_view otherwise) const {
        if (!find_member(members_, name)) return std::string(otherwise);
        return text(name);
    }

    Result<int> port(std::string_view name) const {
        const auto value = find_member(members_, name);
        if (!value) return Error(quoted(name) + " is missing");
        const auto port = as_integer(*value);
        if (!port || *port < 1 || *port > kMaxPort) {
            const std::string found = port ? std::to_string(*port) : kind_of(*value);
            return Error(quoted(name) + " is " + found + ", a number from 1 to " + std::to_string(kMaxPort) +
                         " is expected");
        }
        return static_cast<int>(*port);
    }

  private:
    static std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

    static std::string kind_of(std::string_view value) {
        switch (value.front()) {
            case '"':
                return "a string";
            case '{':
                return "an object";
            case '[':
                return "a list";
            case 't':
            case 'f':
                return "a boolean";
            case 'n':
                return "null";
            default:
                return "a number that is no integer or too large";
        }
    }

    std::vector<JsonMember> members_;
};

Result<Transport> read_transport(const Members& members) {
    const std::string name = TRY(members.text_or("transport", "tcp"));
    if (name == "tcp") return Transport::tcp;
    if (name == "ipc") return Transport::ipc;
    return Error("\"transport\" is neither \"tcp\" nor \"ipc\"");
}

Result<std::string> read_signature_scheme(const Members& members) {
    const std::string scheme = TRY(members.text_or("signature_scheme", "hmac-sha256"));
    if (scheme != "hmac-sha256")
        return Error("\"signature_scheme\" is not \"hmac-sha256\", the only one that Cellblock speaks");
    return scheme;
}

bool is_ipv6(const std::string& address) {
    in6_addr parsed{};
    return ::inet_pton(AF_INET6, address.substr(0, address.find('%')).c_str(), &parsed) == 1;
}

Result<std::string> read_tcp_address(std::string ip) {
    if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') {
        ip = ip.substr(1, ip.size() - 2);
        if (!is_ipv6(ip)) return Error("\"ip\" has brackets, but no IPv6 address in them");
    }
    const auto allowed = [](char c) {
        return is_alphanumeric(c) || std::string_view(".:-_%").find(c) != std::string_view::npos;
    };
    const bool is_name =
        !ip.empty() && ip.size() <= kMaxHostSize && std::all_of(ip.begin(), ip.end(), allowed);
    if (ip != "*" && (!is_name || (ip.find(':') != std::string::npos && !is_ipv6(ip))))
        return Error("\"ip\" is no IPv4 or IPv6 address, host name or \"*\"");
    return ip;
}

Result<std::string> read_ipc_path(std::string path) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (path.empty() || std::any_of(path.begin(), path.end(), is_control))
        return Error("\"ip\" is no path, which the transport ipc needs");
    // The kernel's bound on socket paths; "-65535" is the longest suffix.
    if (path.size() + 6 > kMaxSocketPath)
        return Error("\"ip\" is a path of " + std::to_string(path.size()) + " bytes, at most " +
                     std::to_string(kMaxSocketPath - 6) + " fit into a socket's name")
            .with_remedy("Set a shorter runtime directory, for example JUPYTER_RUNTIME_DIR=/tmp/jupyter.");
    return path;
}

Result<void> read_ports(const Members& members, ConnectionFile& file) {
    struct Port {
        const char* name;
        int* value;
    };
    const std::array<Port, 5> ports{{{"shell_port", &file.shell_port},
                                     {"iopub_port", &file.iopub_port},
                                     {"stdin_port", &file.stdin_port},
                                     {"control_port", &file.control_port},
                                     {"hb_port", &file.hb_port}}};
    for (const Port& port : ports) *port.value = TRY(members.port(port.name));
    for (size_t i = 0; i < ports.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (*ports[i].value == *ports[j].value)
                return Error(std::string("\"") + ports[j].name + "\" and \"" + ports[i].name +
                             "\" are both " + std::to_string(*ports[i].value));
    return {};
}

Result<std::string> read_curve_key(const Members& members, std::string_view name) {
    std::string key = TRY(members.text(name));
    const auto is_z85 = [](char c) { return kZ85.find(c) != std::string_view::npos; };
    if (key.size() != kCurveKeySize || !std::all_of(key.begin(), key.end(), is_z85))
        return Error("\"" + std::string(name) + "\" is no key of 40 characters in Z85 notation");
    return key;
}

Result<void> read_curve_keys(const Members& members, ConnectionFile& file) {
    // null stands for "no encryption", as in jupyter_client.
    if (!members.has("curve_publickey") && !members.has("curve_secretkey")) return {};
    file.curve_publickey = TRY(read_curve_key(members, "curve_publickey"));
    file.curve_secretkey = TRY(read_curve_key(members, "curve_secretkey"));
    return {};
}

Result<ConnectionFile> parse(const std::string& text) {
    TRY(check_json_object(text));
    const Members members(TRY(scan_object(text)));
    ConnectionFile file;
    file.transport = TRY(read_transport(members));
    std::string ip = TRY(members.text("ip"));
    file.ip = file.transport == Transport::tcp ? TRY(read_tcp_address(std::move(ip)))
                                               : TRY(read_ipc_path(std::move(ip)));
    TRY(read_ports(members, file));
    file.key = TRY(members.text("key"));
    file.signature_scheme = TRY(read_signature_scheme(members));
    TRY(read_curve_keys(members, file));
    return file;
}

Result<std::string> read_text(const std::string& path) {
    // Asked first: opening a pipe or a terminal would wait for whoever writes to it.
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return errno_error("open " + path);
    if (S_ISDIR(status.st_mode)) return Error(path + " is a directory");
    if (!S_ISREG(status.st_mode)) return Error(path + " is no regular file");
    return sys::read_file(path, kMaxFileSize);
}

}  // namespace

std::string ConnectionFile::endpoint(int port) const {
    if (transport == Transport::ipc) return "ipc://" + ip + "-" + std::to_string(port);
    const bool brackets = ip.find(':') != std::string::npos;
    return "tcp://" + (brackets ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

Result<ConnectionFile> read_connection_file(const std::string& path) {
    auto text = read_text(path);
    if (!text) return std::move(text).error().context("read the connection file").with_remedy(kRemedy);
    return parse_connection_file(*text, path);
}

Result<ConnectionFile> parse_connection_file(const std::string& text, const std::string& name) {
    auto file = parse(text);
    if (!file)
        return std::move(file).error().context("read the connection file " + name).with_remedy(kRemedy);
    return file;
}

}  // namespace cellblock::protocol
