"""Attack: speak to the kernel process over the worker's own socket, or take that socket away.
Barrier: every frame is checked against a table of what may come when; a broken rule ends the worker with a verdict,
never the kernel process. docs/worker-protocol.md is the table in words.
"""

import time

import pytest

FORGE = """
import json, os, struct, time
def frame(header, *parts):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (struct.pack('<II', len(header), len(parts)) + b''.join(struct.pack('<Q', len(p)) for p in parts)
            + header + b''.join(parts))
def send(data):
    while data:
        data = data[os.write(3, data):]
"""

VIOLATIONS = {
    "garbage": "send(os.urandom(4096) + b'\\xff' * 4096)",
    "zero-header": "send(struct.pack('<II', 0, 0))",
    "huge-header": "send(struct.pack('<II', 2**31, 0) + b'x' * 65536)",
    "too-many-parts": "send(struct.pack('<II', 10, 2**31))",
    "huge-part": "send(struct.pack('<IIQ', 20, 1, 2**63) + b'{\"type\": \"publish\"}')",
    "parts-that-overflow": "send(struct.pack('<IIQQ', 20, 2, 2**64 - 1, 2) + b'{\"type\": \"publish\"}')",
    "no-json": "send(frame(b'not json'))",
    "not-an-object": "send(frame(b'[1, 2]'))",
    "no-type": "send(frame({}))",
    "unknown-type": "send(frame({'type': 'mount'}))",
    "type-of-the-other-direction": "send(frame({'type': 'request', 'id': 1}, b'{}', b'{}', b'{}'))",
    "second-hello": "send(frame({'type': 'hello', 'protocol': 1, 'digest': ''}, b'{}'))",
    "reply-to-a-past-request": "send(frame({'type': 'reply', 'id': 1, 'status': 'ok'}, b'{}', b'{}'))",
    "reply-to-a-future-request": "send(frame({'type': 'reply', 'id': 2**40, 'status': 'ok'}, b'{}', b'{}'))",
    "reply-without-parts": "send(frame({'type': 'reply', 'id': 2**40, 'status': 'ok'}))",
    "id-as-text": "send(frame({'type': 'reply', 'id': '1', 'status': 'ok'}, b'{}', b'{}'))",
    "negative-id": "send(frame({'type': 'reply', 'id': -1, 'status': 'ok'}, b'{}', b'{}'))",
    "forbidden-message": "send(frame({'type': 'publish', 'parent': 0, 'msg_type': 'shutdown_reply'}, b'{}', b'{}'))",
    "status-message": "send(frame({'type': 'publish', 'parent': 0, 'msg_type': 'status'}, b'{}', b'{\"execution_state\": \"idle\"}'))",
    "content-no-json": "send(frame({'type': 'publish', 'parent': 0, 'msg_type': 'stream'}, b'{}', b'}{'))",
    "content-not-utf8": "send(frame({'type': 'publish', 'parent': 0, 'msg_type': 'stream'}, b'{}', b'{\"name\": \"\\xff\"}'))",
    "content-too-deep": "send(frame({'type': 'publish', 'parent': 0, 'msg_type': 'stream'}, b'{}', b'{\"a\": ' + b'[' * 5000 + b']' * 5000 + b'}'))",
    "long-topic": "send(frame({'type': 'publish', 'parent': 0, 'msg_type': 'stream', 'topic': 'x' * 10000}, b'{}', b'{}'))",
    "input-that-was-not-allowed": "send(frame({'type': 'input', 'id': 2**40}, b'{\"prompt\": \"password?\", \"password\": true}'))",
}


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_a_broken_rule_ends_the_worker_and_says_so(jailed, kind):
    kernel = jailed()
    kernel.run("kept = 1")
    cell = kernel.run(f"{FORGE}\n{VIOLATIONS[kind]}\ntime.sleep(30)")
    assert cell.ename == "ProtocolViolation", cell
    assert "variables are lost" in cell.error
    assert kernel.run("kept").ename == "NameError"


def test_a_forged_reply_does_not_reach_another_cell(jailed):
    """A cell may lie about itself; it must not answer for the next one."""
    kernel = jailed()
    kernel.run(f"""{FORGE}
import threading
def lie():
    for number in range(1, 50):
        try:
            send(frame({{'type': 'reply', 'id': number, 'status': 'ok'}}, b'{{}}', b'{{"status": "ok", "forged": true}}'))
        except OSError:
            break
threading.Timer(0.5, lie).start()""")
    time.sleep(1)
    cell = kernel.run("6 * 7")
    assert cell.result == "42" and "forged" not in str(cell.reply["content"])


def test_half_a_frame_holds_nothing_up(jailed):
    kernel = jailed("--memory=256MiB", "--processes=64", "--wall-time=2s")
    began = time.monotonic()
    cell = kernel.run(f"{FORGE}\nsend(struct.pack('<IIQ', 100, 1, 1000) + b'{{')\ntime.sleep(60)")
    assert cell.status == "error" and cell.ename in ("WallTimeExceeded", "ProtocolViolation"), cell
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("code", ["os.close(3)", "os.dup2(os.open('/dev/null', os.O_RDWR), 3)",
                                  "os.dup2(os.pipe()[1], 3)", "import socket; socket.socket(fileno=3).shutdown(2)"],
                         ids=["close", "dup2-null", "dup2-pipe", "shutdown"])
def test_a_link_that_is_gone_is_noticed(jailed, code):
    kernel = jailed()
    began = time.monotonic()
    cell = kernel.run(f"import os, time\n{code}\ntime.sleep(60)")
    assert cell.ename in ("WorkerExited", "ProtocolViolation"), cell
    assert time.monotonic() - began < 10


def test_a_child_that_holds_the_link_does_not_hide_the_end(jailed):
    kernel = jailed()
    began = time.monotonic()
    cell = kernel.run("""
import os, time
if os.fork() == 0:
    time.sleep(600)
os._exit(4)""")
    assert cell.ename == "WorkerExited" and "4" in cell.error, cell
    assert time.monotonic() - began < 5


def test_descriptors_sent_over_the_link_are_not_kept(jailed):
    kernel = jailed()
    before = kernel.open_descriptors()
    kernel.run(f"""{FORGE}
import array, socket
link = socket.socket(fileno=os.dup(3))
fds = array.array('i', [os.open('/', os.O_RDONLY) for _ in range(100)])
try:
    link.sendmsg([frame({{'type': 'publish', 'parent': 0, 'msg_type': 'stream'}}, b'{{}}', b'{{"name": "stdout", "text": ""}}')],
                 [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
except OSError:
    pass
link.detach()""")
    kernel.run("1")
    assert kernel.open_descriptors() <= before + 4


def test_a_flood_of_valid_frames_is_only_slow(jailed):
    kernel = jailed("--memory=256MiB", "--processes=64", "--wall-time=3s")
    cell = kernel.run(f"""{FORGE}
one = frame({{'type': 'publish', 'parent': 0, 'msg_type': 'clear_output'}}, b'{{}}', b'{{"wait": true}}')
while True:
    send(one * 100)""", timeout=60)
    assert cell.status == "error", cell
