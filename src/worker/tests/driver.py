"""Drives a real worker process as the kernel does: over a socketpair on descriptor 3, with pipes for 1 and 2."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "cellblock_worker"
STREAMS = ("stdout", "stderr")


class Frame:
    def __init__(self, header, parts):
        self.header = header
        self.type = header["type"]
        self.msg_type = header.get("msg_type")
        self.parent = header.get("parent", header.get("id"))
        self.parts = parts
        json_parts = {"hello": 1, "input": 1}.get(self.type, 2)
        documents = [check_json(part) for part in parts[:json_parts]]
        self.metadata = documents[0] if json_parts == 2 else {}
        self.content = documents[-1]
        self.buffers = parts[json_parts:]

    def __repr__(self):
        return f"<{self.header} {self.content}>"


def check_json(part):
    """As strict as the kernel: UTF-8, one object, no NaN, no lone surrogates, at most 200 levels."""
    text = part.decode("utf-8")

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(text, parse_constant=refuse)
    assert isinstance(document, dict)
    json.dumps(document, ensure_ascii=False).encode("utf-8")

    def depth(value):
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if children is None else 1 + max(map(depth, children), default=0)

    assert depth(document) <= 200
    return document


class Cell:
    """All that came for one request."""

    def __init__(self, frames):
        self.frames = frames
        self.published = [f for f in frames if f.type == "publish"]
        self.reply = frames[-1].content
        self.metadata = frames[-1].metadata
        self.header = frames[-1].header

    def of(self, msg_type):
        return [f.content for f in self.published if f.msg_type == msg_type]

    def text(self, name):
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    @property
    def stdout(self):
        return self.text("stdout")

    @property
    def stderr(self):
        return self.text("stderr")

    @property
    def types(self):
        return [f.msg_type for f in self.published]

    @property
    def status(self):
        return self.reply["status"]

    @property
    def error(self):
        return self.reply.get("ename")


class Worker:
    def __init__(self, python=sys.executable, package=PACKAGE, cwd=None, home=None, env=None, arguments=()):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.pipes = {}
        child_ends = []
        for name in STREAMS:
            read, write = os.pipe()
            self.pipes[read] = name
            child_ends.append(write)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home or "/nonexistent"), "LANG": "C.UTF-8", **(env or {})}

        def descriptors():
            # Both may already have numbers that the others are going to take.
            sources = [os.dup(fd) if fd < 4 else fd for fd in (*child_ends, theirs.fileno())]
            for source, target in zip(sources, (1, 2, 3)):
                os.dup2(source, target)

        self.process = subprocess.Popen([python, "-I", str(package), *arguments], stdin=subprocess.DEVNULL, cwd=cwd, env=environment,
                                        preexec_fn=descriptors, close_fds=False, start_new_session=True)
        theirs.close()
        for fd in child_ends:
            os.close(fd)
        self.received = []
        self.descriptor_text = {name: b"" for name in STREAMS}
        self._frames_seen = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._last_id = 0
        self.hello = None

    # Wire

    def _read(self):
        buffer = b""
        sources = [self.socket.fileno(), *self.pipes]
        while self.socket.fileno() in sources:
            for fd in select.select(sources, [], [])[0]:
                data = os.read(fd, 1 << 20)
                if not data:
                    sources.remove(fd)
                if fd in self.pipes:
                    self.descriptor_text[self.pipes[fd]] += data
                    continue
                buffer += data
                frames, buffer = split_frames(buffer)
                with self._frames_seen:
                    self.received += frames
                    self._frames_seen.notify_all()

    def send(self, header, *parts):
        encoded = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
        text = json.dumps(header).encode()
        self.socket.sendall(struct.pack("<II", len(text), len(encoded)) + struct.pack(f"<{len(encoded)}Q", *map(len, encoded)) +
                            text + b"".join(encoded))

    def wait_for(self, matches, timeout=20, start=0):
        """The index of the first frame that matches. Each is looked at once: floods have very many."""
        deadline = time.monotonic() + timeout
        with self._frames_seen:
            while True:
                for index in range(start, len(self.received)):
                    if matches(self.received[index]):
                        return index
                start = len(self.received)
                left = deadline - time.monotonic()
                assert left > 0, f"nothing came in {timeout} s; got {self.received[-10:]}, descriptors {self.descriptor_text}"
                assert self.process.poll() is None or self._reader.is_alive(), f"the worker died: {self.descriptor_text}"
                self._frames_seen.wait(min(left, 0.5))

    def await_hello(self):
        self.wait_for(lambda f: True)
        self.hello = self.received[0]
        assert self.hello.type == "hello"
        return self

    # Requests

    def request(self, msg_type, content, channel="shell", metadata=None, buffers=(), subshell=None):
        self._last_id += 1
        header = {"msg_id": f"m{self._last_id}", "msg_type": msg_type, "username": "u", "session": "s",
                  "date": "2024-05-06T07:08:09.123456Z", "version": "5.4"}
        frame = {"type": "request", "id": self._last_id, "channel": channel, "msg_type": msg_type}
        self.send(frame if subshell is None else {**frame, "subshell": subshell}, header, metadata or {}, content, *buffers)
        return self._last_id

    def execute(self, code, subshell=None, **content):
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
                   "stop_on_error": True, **content}
        return self.request("execute_request", content, subshell=subshell)

    def result(self, number, timeout=20):
        end = self.wait_for(lambda f: f.type == "reply" and f.parent == number, timeout)
        return Cell([f for f in self.received[:end + 1] if f.parent == number and f.type != "hello"])

    def run(self, code, timeout=20, **content):
        return self.result(self.execute(code, **content), timeout)

    def ask(self, msg_type, content, **more):
        return self.result(self.request(msg_type, content, **more))

    def published(self, number):
        return [f for f in self.received if f.type == "publish" and f.parent == number]

    def await_input(self, number, count=1):
        seen = []

        def matches(frame):
            if frame.type == "input" and frame.parent == number and frame not in seen:
                seen.append(frame)
            return len(seen) >= count

        self.wait_for(matches)
        return seen[-1].content

    def answer(self, number, value):
        self.send({"type": "input_reply", "id": number}, {"value": value})

    def await_text(self, number, text, timeout=20):
        def said():
            return "".join(f.content["text"] for f in self.published(number) if f.msg_type == "stream")

        self.wait_for(lambda f: text in said(), timeout)

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def shutdown(self):
        self.send({"type": "shutdown", "restart": False})
        return self.process.wait(timeout=20)

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join(timeout=10)
        self.socket.close()
        for fd in self.pipes:
            os.close(fd)


def split_frames(buffer):
    frames = []
    while len(buffer) >= 8:
        header_size, part_count = struct.unpack_from("<II", buffer)
        start = 8 + 8 * part_count
        if len(buffer) < start:
            break
        sizes = struct.unpack_from(f"<{part_count}Q", buffer, 8)
        end = start + header_size + sum(sizes)
        if len(buffer) < end:
            break
        assert 2 <= header_size <= 65_536 and part_count <= 1_024 and sum(sizes) <= 256 * 1024 * 1024
        at = start + header_size
        parts = []
        for size in sizes:
            parts.append(buffer[at:at + size])
            at += size
        frames.append(Frame(json.loads(buffer[start:start + header_size]), parts))
        buffer = buffer[end:]
    return frames, buffer
