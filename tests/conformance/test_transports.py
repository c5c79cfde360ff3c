"""Ways to connect, and messages that are not what they should be."""

import hashlib
import hmac
import json
import socket
import time

import pytest
import zmq

from support.messages import collect_until_idle, next_iopub, reply_to, run


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_tcp_and_ipc(start_kernel, transport):
    kernel = start_kernel(transport=transport)
    assert kernel.run("6 * 7").result == "42"


def test_ipv6(start_kernel):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    kernel = start_kernel(ip="::1")
    assert kernel.run("6 * 7").result == "42"


def test_an_empty_key_means_unsigned(start_kernel):
    kernel = start_kernel(key="")
    assert kernel.run("6 * 7").result == "42"


@pytest.mark.cellblock_only
def test_curve_encrypts_when_the_connection_file_asks(start_kernel):
    public, secret = zmq.curve_keypair()
    kernel = start_kernel(connection={"curve_publickey": public.decode(), "curve_secretkey": secret.decode()})
    assert kernel.run("6 * 7").result == "42"
    # Without the server's key nobody gets through.
    with zmq.Context() as context, context.socket(zmq.DEALER) as plain:
        plain.setsockopt(zmq.LINGER, 0)
        plain.connect(_address(kernel, "shell"))
        plain.send_multipart(_message(kernel, "kernel_info_request"))
        assert not plain.poll(1000)


def test_heartbeat_echoes_also_while_a_cell_computes(kernel):
    computing = kernel.client.execute("import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass")
    while next_iopub(kernel.client, time.monotonic() + 5, "the cell's start")["msg_type"] != "execute_input":
        pass
    with zmq.Context() as context, context.socket(zmq.REQ) as heart:
        heart.setsockopt(zmq.LINGER, 0)
        heart.connect(_address(kernel, "hb"))
        heart.send(b"ping")
        assert heart.poll(5000) and heart.recv() == b"ping"
    assert not kernel.client.shell_channel.msg_ready(), "the cell had ended"
    assert reply_to(kernel.client, computing)["content"]["status"] == "ok"


@pytest.mark.cellblock_only
def test_subscribers_are_welcomed(kernel):
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.LINGER, 0)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        subscriber.connect(_address(kernel, "iopub"))
        assert subscriber.poll(5000)
        parts = subscriber.recv_multipart()
    at = parts.index(b"<IDS|MSG>")
    assert json.loads(parts[at + 2])["msg_type"] == "iopub_welcome"
    assert json.loads(parts[at + 5]) == {"subscription": ""}


def test_a_header_date_may_be_a_number(kernel):
    """Some clients send seconds since the epoch; the parent header must come back as it was."""
    with _Raw(kernel) as raw:
        raw.send(_message(kernel, "kernel_info_request", date=1795249360.521167))
        parts = raw.receive()
        assert parts and json.loads(parts[parts.index(b"<IDS|MSG>") + 3])["date"] == 1795249360.521167


@pytest.mark.cellblock_only
def test_parent_headers_come_back_byte_for_byte(kernel):
    with _Raw(kernel) as raw:
        message = _message(kernel, "kernel_info_request", odd=[2**70, 1.0, "\u00e9"], zz=1, aa=None)
        raw.send(message)
        parts = raw.receive()
        assert parts[parts.index(b"<IDS|MSG>") + 3] == message[2]


HOSTILE = {
    "nothing-after-the-delimiter": lambda m: [b"<IDS|MSG>"],
    "no-delimiter": lambda m: [b"x", b"y", b"z"],
    "one-empty-frame": lambda m: [b""],
    "signature-only": lambda m: m[:2],
    "three-frames": lambda m: m[:4],
    "four-frames": lambda m: m[:5],
    "wrong-signature": lambda m: [m[0], b"0" * 64, *m[2:]],
    "empty-signature": lambda m: [m[0], b"", *m[2:]],
    "signature-not-hex": lambda m: [m[0], b"\xff" * 64, *m[2:]],
    "many-frames": lambda m: m + [b"x"] * 3000,
}


@pytest.mark.cellblock_only
@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_broken_messages_are_dropped_and_the_kernel_lives(kernel, kind, channel):
    with _Raw(kernel, channel) as raw:
        raw.send(HOSTILE[kind](_message(kernel, "kernel_info_request")))
        assert raw.receive(200) is None
    assert kernel.run("1 + 1").result == "2"


SIGNED_NONSENSE = {
    "header-no-json": [b"{", b"{}", b"{}", b"{}"],
    "header-a-list": [b"[]", b"{}", b"{}", b"{}"],
    "header-empty": [b"{}", b"{}", b"{}", b"{}"],
    "type-a-number": [b'{"msg_id": "a", "msg_type": 5}', b"{}", b"{}", b"{}"],
    "not-utf8": [b'{"msg_id": "b", "msg_type": "execute_request"}', b"{}", b"{}", b'{"code": "\xff"}'],
    "deep": [b'{"msg_id": "c", "msg_type": "execute_request"}', b"{}", b"{}", b'{"code": ' + b"[" * 100_000],
    "code-a-number": [b'{"msg_id": "d", "msg_type": "execute_request"}', b"{}", b"{}", b'{"code": 5}'],
    "code-missing": [b'{"msg_id": "e", "msg_type": "execute_request"}', b"{}", b"{}", b"{}"],
    "flags-are-text": [b'{"msg_id": "f", "msg_type": "execute_request"}', b"{}", b"{}", b'{"code": "1", "silent": "no"}'],
    "cursor-is-text": [b'{"msg_id": "g", "msg_type": "complete_request"}', b"{}", b"{}", b'{"code": "a", "cursor_pos": "x"}'],
    "cursor-outside": [b'{"msg_id": "h", "msg_type": "complete_request"}', b"{}", b"{}", b'{"code": "a", "cursor_pos": 99999}'],
    "comm-without-id": [b'{"msg_id": "i", "msg_type": "comm_msg"}', b"{}", b"{}", b'{"data": {}}'],
    "reply-to-nothing": [b'{"msg_id": "j", "msg_type": "input_reply"}', b"{}", b"{}", b'{"value": "x"}'],
}


@pytest.mark.cellblock_only
@pytest.mark.parametrize("kind", SIGNED_NONSENSE)
def test_signed_nonsense_does_not_end_the_kernel(kernel, kind):
    for channel in ("shell", "control", "stdin"):
        with _Raw(kernel, channel) as raw:
            raw.send(_sign(kernel, SIGNED_NONSENSE[kind]))
            raw.receive(300)
    assert kernel.run("1 + 1").result == "2"


@pytest.mark.cellblock_only
def test_a_replayed_message_is_not_executed_again(kernel):
    kernel.run("times = 0")
    with _Raw(kernel) as raw:
        message = _message(kernel, "execute_request", {"code": "times += 1", "silent": False, "allow_stdin": False})
        for _ in range(3):
            raw.send(message)
        assert raw.receive(5000) is not None
        assert raw.receive(500) is None
    assert kernel.run("times").result == "1"


def test_two_front_ends_see_each_other(kernel):
    """Both get all of iopub, each only its own replies."""
    from jupyter_client import BlockingKernelClient
    other = BlockingKernelClient(connection_file=str(kernel.connection_file))
    other.load_connection_file()
    other.start_channels()
    try:
        other.wait_for_ready(timeout=30)
        msg_id = kernel.client.execute("print('shared')", allow_stdin=False)
        seen = collect_until_idle(other, msg_id)
        assert "shared\n" in [m["content"].get("text") for m in seen]
        collect_until_idle(kernel.client, msg_id)
        assert reply_to(kernel.client, msg_id)["content"]["status"] == "ok"
        assert run(other, "1").status == "ok"
    finally:
        other.stop_channels()


class _Raw:
    """A DEALER of our own, to send what no client library would."""

    def __init__(self, kernel, channel="shell"):
        self.address = _address(kernel, channel)

    def __enter__(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.connect(self.address)
        return self

    def send(self, parts):
        self.socket.send_multipart(parts)

    def receive(self, timeout_ms=5000):
        return self.socket.recv_multipart() if self.socket.poll(timeout_ms) else None

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()


def _address(kernel, channel):
    info = json.loads(kernel.connection_file.read_text())
    port = info[f"{channel}_port"]
    if info["transport"] == "ipc":
        return f"ipc://{info['ip']}-{port}"
    return f"tcp://{info['ip']}:{port}"


def _sign(kernel, parts):
    key = json.loads(kernel.connection_file.read_text())["key"].encode()
    signature = hmac.new(key, b"".join(parts), hashlib.sha256).hexdigest().encode()
    return [b"<IDS|MSG>", signature, *parts]


_count = 0


def _message(kernel, msg_type, content=None, **header):
    global _count
    _count += 1
    header = {"msg_id": f"raw-{_count}", "msg_type": msg_type, "session": "raw", "username": "u", "version": "5.3",
              "date": "2024-01-01T00:00:00.000000Z", **header}
    return _sign(kernel, [json.dumps(header, ensure_ascii=False).encode(), b"{}", b"{}", json.dumps(content or {}).encode()])
