"""debugpy and the connection to its adapter: the debug adapter protocol over a socket of the jail's loopback."""

import itertools
import json
import os
import socket
import sys
import threading
from importlib.machinery import PathFinder

LOCALHOST = "127.0.0.1"
CONNECT_SECONDS = 30

_endpoint = None
_hook = None


def is_installed():
    """Without importing it: that takes a tenth of a second and replaces sys.breakpointhook."""
    return PathFinder.find_spec("debugpy") is not None


def load():
    """Imports debugpy. What it does to breakpoint() is put off until a debugger is attached."""
    global _hook
    if _hook is not None:
        return
    hook = sys.breakpointhook
    # Else it prints that it cannot stop in the frozen modules of the standard library.
    silenced = "PYDEVD_DISABLE_FILE_VALIDATION"
    before = os.environ.get(silenced)
    os.environ[silenced] = "1"
    try:
        import debugpy.server.api  # noqa: F401  Makes pydevd's modules importable.
    finally:
        if before is None:
            del os.environ[silenced]
        else:
            os.environ[silenced] = before
    _hook, sys.breakpointhook = sys.breakpointhook, hook


def breakpointhook():
    """breakpoint() as an attached debugger wants it."""
    return _hook


def begin_cell(*_):
    """A step that left the last cell by its end would stop in this one. And an interrupt at a breakpoint is raised within
    the trace function, which Python then takes away, while pydevd goes on believing that the thread is stopped."""
    import debugpy
    from _pydevd_bundle.pydevd_additional_thread_info import set_additional_thread_info
    from _pydevd_bundle.pydevd_constants import STATE_RUN

    info = set_additional_thread_info(threading.current_thread())
    info.pydev_state, info.pydev_step_cmd, info.pydev_step_stop = STATE_RUN, -1, None
    info.update_stepping_info()
    if sys.gettrace() is None:
        debugpy.trace_this_thread(True)


def endpoint():
    return _endpoint


def connect(on_event, on_end):
    """A connection to the adapter, which is started the first time and serves one connection after the other."""
    global _endpoint
    load()
    if _endpoint is None:
        import debugpy

        hook = sys.breakpointhook
        _endpoint = debugpy.listen((LOCALHOST, 0))
        sys.breakpointhook = hook
    return Connection(socket.create_connection(_endpoint, CONNECT_SECONDS), on_event, on_end)


class Connection:
    """Requests with numbers of our own: those of several front ends, and ours in between, may collide."""

    def __init__(self, connected, on_event, on_end):
        connected.settimeout(None)
        self._socket = connected
        self._stream = connected.makefile("rb")
        self._on_event, self._on_end = on_event, on_end
        self._numbers = itertools.count(1)
        self._waiting = {}  # our number → function(answer)
        self._lock = threading.Lock()
        self._closed = False
        reader = threading.Thread(target=self._read, name="cellblock-debug", daemon=True)
        reader.pydev_do_not_trace = reader.is_pydev_daemon_thread = True
        reader.start()

    def ask(self, command, arguments, then):
        message = {"type": "request", "command": command}
        if arguments is not None:
            message["arguments"] = arguments
        with self._lock:
            message["seq"] = number = next(self._numbers)
            self._waiting[number] = then
            text = json.dumps(message).encode("ascii")
            try:
                self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
                return
            except OSError:
                del self._waiting[number]
        then(_gone())

    def close(self):
        self._closed = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The adapter was faster.
        self._socket.close()

    def _read(self):
        try:
            while True:
                message = self._read_message()
                if message is None:
                    break
                if message["type"] == "event":
                    self._on_event(message)
                elif message["type"] == "response":
                    with self._lock:
                        then = self._waiting.pop(message["request_seq"], None)
                    if then is not None:
                        then(message)
        except OSError:
            pass  # Closed, by us or by the adapter.
        if not self._closed:
            self._on_end()
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for then in waiting.values():
            then(_gone())

    def _read_message(self):
        size = None
        while True:
            line = self._stream.readline()
            if not line:
                return None
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
            if line == b"\r\n":
                return json.loads(self._stream.read(size))


def _gone():
    return {"type": "response", "success": False, "message": "the debug adapter has ended; restart the kernel to debug again",
            "body": {}}
