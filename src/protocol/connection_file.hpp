// The connection file that a front end writes for the kernel it starts (Jupyter client documentation,
// "Connection files"): transport, address, five ports, signing key, optionally CurveZMQ keys.
#pragma once

#include <string>

#include "base/result.hpp"

namespace cellblock::protocol {

enum class Transport { tcp, ipc };

struct ConnectionFile {
    Transport transport = Transport::tcp;
    /// tcp: an IPv4 or IPv6 address (without brackets), a host name or "*"; ipc: the path that "-<port>" is
    /// appended to
    std::string ip;
    int shell_port = 0;
    int iopub_port = 0;
    int stdin_port = 0;
    int control_port = 0;
    int hb_port = 0;
    std::string key;               ///< HMAC key; empty: messages are not signed
    std::string signature_scheme;  ///< "hmac-sha256" is the only one we speak; other "hmac-…" are refused
    std::string curve_publickey;   ///< Z85, 40 characters, or empty: no encryption. Server's key pair.
    std::string curve_secretkey;

    /// "tcp://127.0.0.1:5555", "tcp://[::1]:5555", "ipc:///run/x/kernel-1".
    [[nodiscard]] std::string endpoint(int port) const;
};

/// Reads and checks a connection file (at most 64 KiB). Errors say which key is missing or wrong, and that a
/// front end writes this file; they never quote keys. Ports are 1 … 65535, all different. "transport"
/// defaults to tcp and "signature_scheme" to hmac-sha256; "key" must be there, if only as "": a forgotten key
/// must not turn signatures off. Members that we do not know are ignored.
Result<ConnectionFile> read_connection_file(const std::string& path);
/// The same from text; `name` stands for the path in errors.
Result<ConnectionFile> parse_connection_file(const std::string& text, const std::string& name);

}  // namespace cellblock::protocol
