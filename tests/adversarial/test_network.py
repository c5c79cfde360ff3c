"""Attack: reach the internet, services of this machine, or other kernels.
Barrier: a network namespace with nothing but a loopback interface of its own; address families that no namespace
covers are refused by the system-call filter.
"""

import json

import pytest

ATTEMPT = """
import errno, socket
def attempt(action):
    try:
        return ('got', str(action()))
    except socket.gaierror as error:
        return 'gaierror'
    except OSError as error:
        return errno.errorcode[error.errno] if error.errno else type(error).__name__
"""


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "10.0.0.1", "169.254.169.254", "192.168.0.1"])
def test_no_address_is_reachable(jailed, address):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: socket.create_connection(({address!r}, 80), timeout=5))")
    assert cell.result == "'ENETUNREACH'", cell


def test_no_ipv6_address_is_reachable(jailed):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: socket.create_connection(('2606:4700:4700::1111', 443), timeout=5))")
    assert cell.result in ("'ENETUNREACH'", "'EADDRNOTAVAIL'", "'EAFNOSUPPORT'"), cell


def test_datagrams_do_not_leave_either(jailed):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53)))")
    assert cell.result == "'ENETUNREACH'", cell


def test_names_are_not_resolved(jailed):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: socket.getaddrinfo('example.org', 443))")
    assert cell.result == "'gaierror'", cell


def test_services_of_the_host_are_not_reachable(jailed, guarded):
    kernel = jailed()
    cell = kernel.run(f"{ATTEMPT}\nattempt(lambda: socket.create_connection(('127.0.0.1', {guarded.port}), timeout=5))")
    assert cell.result == "'ECONNREFUSED'", cell


def test_abstract_sockets_of_the_host_are_not_reachable(jailed, guarded):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + {guarded.abstract_name!r}))")
    assert cell.result in ("'ECONNREFUSED'", "'EPERM'"), cell


def test_the_kernels_own_sockets_are_not_reachable(jailed):
    kernel = jailed()
    ports = [v for k, v in json.loads(kernel.connection_file.read_text()).items() if k.endswith("_port")]
    cell = kernel.run(f"{ATTEMPT}\n[attempt(lambda: socket.create_connection(('127.0.0.1', port), timeout=5)) for port in {ports}]")
    assert eval(cell.result) == ["ECONNREFUSED"] * 5, cell


def test_own_loopback_works(jailed):
    """multiprocessing, debuggers and test servers need it; it leads nowhere."""
    cell = jailed().run("""
import socket, threading
server = socket.create_server(('127.0.0.1', 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b'hello')).start()
socket.create_connection(server.getsockname()).recv(10)""")
    assert cell.result == "b'hello'", cell


@pytest.mark.parametrize("family, kind", [("AF_PACKET", "SOCK_RAW"), ("AF_INET", "SOCK_RAW"), ("AF_VSOCK", "SOCK_STREAM"),
                                          ("AF_ALG", "SOCK_SEQPACKET"), ("AF_BLUETOOTH", "SOCK_RAW"),
                                          ("AF_TIPC", "SOCK_STREAM"), ("AF_CAN", "SOCK_RAW")])
def test_odd_sockets_are_refused(jailed, family, kind):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: socket.socket(getattr(socket, {family!r}, 31), socket.{kind}))")
    assert cell.result in ("'EPERM'", "'EAFNOSUPPORT'", "'ESOCKTNOSUPPORT'", "'EPROTONOSUPPORT'", "'EACCES'"), cell


def test_interfaces_are_only_loopback(jailed):
    assert jailed().run("import socket; [name for _, name in socket.if_nameindex()]").result == "['lo']"
