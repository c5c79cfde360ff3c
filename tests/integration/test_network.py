"""Kernels with allowed network names, as a user sets them up. What programs reach is in src/session/network_test.cpp; here
it is the whole product, with the host's own lookup and the real table of addresses, so that nothing leaves this machine."""

import json
import os
import shutil
import socket

import jsonschema
import pytest

from support.installation import ROOT

pytestmark = pytest.mark.cellblock_only

SCHEMA = json.loads((ROOT / "docs" / "audit-log.schema.json").read_text())
NAME = "planted.example"


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


def with_hosts(spec, hosts, *arguments):
    """In a mount namespace of its own, where the host's /etc/hosts is another."""
    shell = [shutil.which("unshare"), "--mount", "--", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
    return spec.__class__(spec.name, (*shell, *spec.argv, *arguments), spec.env, spec.interrupt_mode, spec.directory)


def records(log):
    return [json.loads(line) for segment in sorted(log.glob("audit-*.jsonl")) for line in segment.read_text().splitlines()]


def test_a_name_that_leads_to_this_host_is_refused_and_recorded(spec, start_kernel, public_directory, server):
    if os.geteuid() != 0:
        pytest.skip("needs root, to give the kernel another /etc/hosts")
    port = server.getsockname()[1]
    hosts = public_directory / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
    log = public_directory / "audit"
    kernel = start_kernel(with_hosts(spec, hosts, "--network=allow", f"--network-allow={NAME}:{port}", f"--audit={log}",
                                     "--kernel-log-level=debug"))
    cell = kernel.run(f"import socket\ns = socket.create_connection(({NAME!r}, {port}))\ns.recv(1)")
    assert cell.ename == "ConnectionResetError", cell
    cell = kernel.run("socket.getaddrinfo('data.evil.example', 443)")
    assert cell.ename == "gaierror", cell
    assert f"cells reach only these names on the network: {NAME}:{port}" in cell.stderr
    kernel.shutdown()
    with pytest.raises(BlockingIOError):
        server.accept()

    found = records(log)
    for record in found:
        jsonschema.validate(record, SCHEMA)
    start = next(record for record in found if record["type"] == "kernel_start")
    assert start["network"] == "allow" and start["allowed"] == f"{NAME}:{port}"
    events = [event for record in found if record["type"] == "network" for event in record["events"]]
    refused = [event for event in events if event["event"] == "refused"]
    assert refused == [{"event": "refused", "count": 1, "host": NAME, "port": port, "address": "127.0.0.1",
                        "reason": "this host (loopback)"}]
    assert "data.evil.example" in [event["host"] for event in events if event["event"] == "unknown_name"]
    order = [record["type"] for record in found]
    assert order.index("cell_start") < order.index("network") < order.index("cell_end")
    assert f"refused {NAME}:{port} 1 × at 127.0.0.1 (this host (loopback))" in kernel.stderr()


def test_without_a_network_there_is_no_loopback_either(spec, start_kernel):
    kernel = start_kernel(spec.__class__(spec.name, (*spec.argv, "--network=none"), spec.env, spec.interrupt_mode,
                                         spec.directory))
    assert kernel.run("1 + 1").result == "2"
    cell = kernel.run("import socket\nsocket.create_connection(('127.0.0.1', 80))")
    assert "unreachable" in cell.error, cell


def test_what_is_no_name_is_refused_with_the_reason(installation):
    for value, why in (("127.0.0.1", "only names can be allowed"), ("localhost", "this machine"),
                       ("*.example.org", "no patterns"), ("example.org:0", "is no port")):
        done = installation.run("install", "--python", installation.python, "--user", f"--network-allow={value}")
        assert done.returncode != 0 and why in done.stderr, done
