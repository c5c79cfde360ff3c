"""sys.stdout and sys.stderr of user code: text becomes stream messages of the cell that wrote it.

The class carries ipykernel's name, because libraries look at it. Descriptors 1 and 2 are another way: the kernel process
reads them. fileno() names them, so that child processes started with `stdout=sys.stdout` show up in the notebook.
"""

import codecs
import io
import os
import threading

from . import requests
from .outbox import GATHER_BYTES


class OutStream(io.TextIOBase):
    encoding = "UTF-8"
    errors = "strict"
    newlines = None

    def __init__(self, outbox, name, fd):
        self._outbox = outbox
        self.name = name
        self._fd = fd
        self._master_pid = os.getpid()
        self._buffer = None
        self._hooks_of_threads = threading.local()
        # A function in the instance: a million prints call it two million times, and this is the fastest Python has.
        self._write = self.write = _writer(outbox, name)

    def write(self, string):
        """Text of the cell that the calling code belongs to. Returns its length."""
        return self._write(string)

    def writelines(self, sequence):
        for string in sequence:
            self.write(string)

    def flush(self):
        self._outbox.flush()

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return self._fd

    @property
    def mode(self):
        return "w"

    @property
    def buffer(self):
        if self._buffer is None:
            self._buffer = BytesOfStream(self)
        return self._buffer

    def close(self):
        """Does nothing: a cell that closes sys.stdout would silence all cells after it."""

    @property
    def closed(self):
        return False

    # ipykernel's interface for redirection

    @property
    def parent_header(self):
        return requests.current().header

    def set_parent(self, parent):
        requests.set_current(requests.of_message(parent))

    def set_thread_parent(self, parent):
        return requests.set_current(requests.of_message(parent))

    def reset_thread_parent(self, token):
        requests.leave(token)

    @property
    def _hooks(self):
        hooks = getattr(self._hooks_of_threads, "hooks", None)
        if hooks is None:
            hooks = self._hooks_of_threads.hooks = []
        return hooks

    def register_hook(self, hook):
        self._hooks.append(hook)
        self.write = self._write_through_hooks

    def unregister_hook(self, hook):
        try:
            self._hooks.remove(hook)
        except ValueError:
            return False
        return True

    def _write_through_hooks(self, string):
        from .messages import new_message

        hooks = self._hooks
        if hooks:
            message = new_message("stream", {"name": self.name, "text": string})
            for hook in hooks:
                message = hook(message)
                if message is None:
                    return len(string)
            string = message["content"]["text"]
        return self._write(string)

    def _is_master_process(self):
        """Not in a forked child. Private in ipykernel, too, but asked for by programs that fork."""
        return os.getpid() == self._master_pid

    def to_descriptor(self):
        """In a forked child and while the interpreter ends: the descriptor, line by line."""
        rest = [""]

        def write(string):
            lines, newline, last = (rest[0] + string).rpartition("\n")
            rest[0] = last
            write_all(self._fd, lines + newline)
            return len(string)

        def flush():
            text, rest[0] = rest[0], ""
            write_all(self._fd, text)

        self.write, self.flush = write, flush


def _writer(outbox, name):
    put, request_of_context = outbox.put, requests.get_current
    room = GATHER_BYTES

    def write(string):
        nonlocal room
        if string.__class__ is not str and not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string)}")
        put((name, request_of_context(None), string))
        size = len(string)
        room -= size
        if room < 0:
            room = GATHER_BYTES
            outbox.wait_for_room()
        return size

    return write


def write_all(fd, text):
    data = memoryview(text.encode("utf-8", "replace"))
    try:
        while data:
            data = data[os.write(fd, data):]
    except OSError:
        pass  # Like a terminal that went away: what a program prints is then lost, not a reason to fail.


class BytesOfStream(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes of UTF-8, also in pieces that end within a character."""

    def __init__(self, stream):
        self._stream = stream
        self.raw = self
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._lock = threading.Lock()

    def write(self, data):
        data = bytes(data)
        with self._lock:
            text = self._decode(data)
        if text:
            self._stream.write(text)
        return len(data)

    def writable(self):
        return True

    def flush(self):
        self._stream.flush()

    def fileno(self):
        return self._stream.fileno()

    def isatty(self):
        return False

    @property
    def name(self):
        return f"<{self._stream.name}>"

    @property
    def mode(self):
        return "wb"


OutStream.__module__ = "ipykernel.iostream"
