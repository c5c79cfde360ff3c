"""The socket to the kernel process: requests come down, everything else goes up through the outbox.

A thread of its own reads, so that control requests, answers to input() and the end of the socket are noticed while a cell
runs. It touches no user code.
"""

import os
import threading
from _queue import Empty, SimpleQueue
from select import EPOLLIN, epoll, select

from . import frames, json_text, requests
from .outbox import Outbox

READ_SIZE = 256 * 1024
LOOK_FOR_SIGNALS = 1.0  # Seconds. One that comes just before a wait begins does not end it.


class Link:
    def __init__(self, fd):
        os.set_inheritable(fd, False)  # A child that holds it would hide our end from the kernel.
        os.set_blocking(fd, True)
        self._fd = fd
        # Unlike a read() or select() in progress, this keeps no hold on the socket: a cell that puts something else in
        # the descriptor's place closes it, and the kernel notices at once.
        self._arrivals = epoll()
        self._arrivals.register(fd, EPOLLIN)
        self._buffer = b""
        self._reading = False
        self.outbox = Outbox(fd)
        self.disowned = False
        self.on_request = None  # called in the reader's thread
        self.on_shutdown = None
        self.on_subshells = None  # with the list of all ids
        self.on_interrupt = None  # with the id of a request that a subshell runs
        self.on_shortage = None  # of memory, with the id of the request that is to hear of it, and the text
        self._answers = threading.Lock()  # Between "may it still ask?" and the reply that ends the request
        self._asking = threading.Lock()
        self._input = None  # (request id, queue of answers) while one is asked
        self._reader = threading.Thread(target=self._read_or_die, name="cellblock-link", daemon=True)
        self._reader.pydev_do_not_trace = self._reader.is_pydev_daemon_thread = True

    def start(self):
        self.outbox.start()
        self._reader.start()

    # Up

    def hello(self, protocol, digest, info):
        self.outbox.send(frames.encode({"type": "hello", "protocol": protocol, "digest": digest}, [json_text.pack(info)]))

    def publish(self, msg_type, content, metadata=None, buffers=None, request=None, topic=None):
        header = {"type": "publish", "parent": (request or requests.current()).id, "msg_type": msg_type}
        if topic and len(topic) <= 256 and topic.isascii():
            header["topic"] = topic
        parts = [json_text.pack(metadata) if metadata else json_text.EMPTY, json_text.pack_pieces(content)]
        if buffers:
            parts += map(_buffer, buffers)
        self.outbox.send(frames.encode(header, parts))

    def reply(self, request, content, metadata=None, leave=False):
        status = content.get("status")
        # is_complete replies have statuses of their own.
        header = {"type": "reply", "id": request.id, "status": status if status in ("error", "aborted") else "ok"}
        if leave:
            header["exit"] = True
        pieces = frames.encode(header, [json_text.pack(metadata or {}), json_text.pack(content)])
        with self._answers:
            request.answered = True
            asked = self._input
            self.outbox.send(pieces)
        if asked and asked[0] == request.id:
            asked[1].put(None)  # A thread still waits for an answer that cannot come any more.

    def awaits(self, request):
        """The cell of `request` waits in its shell's event loop: comm messages may come beside it."""
        self.outbox.send(frames.encode({"type": "awaits", "id": request.id}, [json_text.EMPTY]))

    def ask(self, request, content):
        """Asks the front end; the answer, or None when the request has ended meanwhile."""
        answers = SimpleQueue()
        with self._asking:
            try:
                with self._answers:
                    if request.answered:
                        return None
                    self._input = (request.id, answers)
                    self.outbox.send(frames.encode({"type": "input", "id": request.id}, [json_text.pack(content)]))
                while True:
                    try:
                        return answers.get(timeout=LOOK_FOR_SIGNALS)
                    except Empty:
                        continue
            finally:
                self._input = None

    # Down

    def has_unread(self):
        """Whether the kernel has sent something that has not been handed on yet."""
        # In this order, in which requests pass, because the reader may go on meanwhile.
        return bool(select([self._fd], [], [], 0)[0]) or bool(self._buffer) or self._reading

    def handed_on(self):
        """Called by on_request once somebody else keeps count of the request."""
        self._reading = False

    def disown(self):
        """In a forked child."""
        self.disowned = True
        self.outbox.disown()
        self._fd = -1
        self._answers = threading.Lock()
        self._asking = threading.Lock()

    def _read_or_die(self):
        try:
            self._read_for_ever()
        except BaseException as error:
            # Memory, mostly. The place in the stream is lost, and a worker that hears nothing is worse than none.
            os.write(2, f"cellblock worker: cannot take a request: {error!r}\n".encode("utf-8", "replace"))
            os._exit(1)

    def _read_for_ever(self):
        while True:
            self._reading = False
            if not self._buffer:
                # Waits before it reads, so that at each moment either the socket or `_reading` shows that there is something.
                self._arrivals.poll()
            self._reading = True
            header, parts = frames.read(self._read_exactly)
            kind = header["type"]
            if kind == "request":
                self.on_request(requests.Request(header["id"], header["channel"], header["msg_type"], parts,
                                                 header.get("subshell")))
            elif kind == "input_reply":
                asked = self._input
                if asked and asked[0] == header["id"]:
                    asked[1].put(parts[0])
            elif kind == "control":
                requests.note_control(requests.Request(0, "control", parts=(parts[0], json_text.EMPTY, json_text.EMPTY)))
            elif kind == "subshells":
                self.on_subshells(header["ids"])
            elif kind == "interrupt":
                self.on_interrupt(header["id"])
            elif kind == "memory":
                self.on_shortage(header["id"], header["text"])
            elif kind == "shutdown":
                self.on_shutdown()

    def _read_exactly(self, count):
        if len(self._buffer) < count:
            self._fill(count)
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _fill(self, count):
        chunks, size = [self._buffer], len(self._buffer)
        while size < count:
            try:
                chunk = os.read(self._fd, max(READ_SIZE, min(count - size, 4 * 1024 * 1024)))
            except OSError:
                chunk = b""
            if not chunk:
                os._exit(0)  # The kernel is gone: nobody is there to finish for.
            chunks.append(chunk)
            size += len(chunk)
        self._buffer = b"".join(chunks)


def _buffer(value):
    view = memoryview(value)
    if not view.contiguous:
        raise ValueError("binary buffers of a message must be contiguous")
    return view.tobytes("A")
