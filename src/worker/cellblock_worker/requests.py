"""Requests of the kernel, and which of them a piece of running code belongs to.

A context variable carries the request through cells and asyncio tasks. Threads start with an empty context, so they are
given the request of the thread that started them. Where neither says anything (threads of C code), the newest cell counts.
"""

import contextvars
import json
import threading
import weakref
from collections import OrderedDict
from datetime import datetime, timezone

from .imports import after_import

REMEMBERED = 4_096  # As many as the kernel remembers.


class Request:
    def __init__(self, number, channel="shell", msg_type="", parts=(), subshell=None):
        self.id = number
        self.channel = channel
        self.subshell = subshell  # The id of the subshell that runs it, None for the main shell
        self.msg_type = msg_type
        self._parts = parts
        self._message = None
        self.answered = False
        self.payload = []  # What the cell's reply takes along, see shared.Payloads
        self.record = None  # Called with each piece of stream text, see execution.StreamHistory

    @property
    def message(self):
        """The request as Jupyter's session hands it to kernels, what `get_parent()` returns."""
        parts = self._parts  # In this order: another thread may read the same request, and lets go of the parts last.
        if self._message is None:
            header, metadata, content = (json.loads(bytes(part)) for part in parts[:3]) if parts else ({}, {}, {})
            self._message = {"header": _with_date(header), "msg_id": header.get("msg_id"), "msg_type": header.get("msg_type"),
                             "parent_header": {}, "metadata": metadata, "content": content,
                             "buffers": [memoryview(part) for part in parts[3:]]}
            self._parts = ()
        return self._message

    @property
    def header(self):
        return self.message["header"]

    @property
    def content(self):
        return self.message["content"]

    @property
    def metadata(self):
        return self.message["metadata"]

    @property
    def allows_stdin(self):
        return self.msg_type == "execute_request" and bool(self.content.get("allow_stdin", False))


def _with_date(header):
    try:
        date = datetime.fromisoformat(header["date"].replace("Z", "+00:00"))
        header["date"] = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    except (KeyError, ValueError, AttributeError, TypeError):
        pass  # Front ends send other things too; it is echoed as it came.
    return header


NONE = Request(0)
NONE.answered = True

_current = contextvars.ContextVar("cellblock_request")
get_current = _current.get  # get_current(None) is the fast way of streams, which ask `newest()` later.
_newest = NONE
_newest_control = None  # Also one that the kernel process has answered, of which we are told the header
_by_message_id = OrderedDict()  # message id → (request id, weak reference): comm messages may hold much


def newest():
    return _newest


def current():
    return _current.get(None) or _newest


def newest_control():
    return _newest_control


def note_control(request):
    global _newest_control
    _newest_control = request


def enter(request, runs_user_code):
    """From here on this context belongs to `request`."""
    global _newest
    if runs_user_code:
        _newest = request
        _by_message_id[request.header.get("msg_id")] = request.id, weakref.ref(request)
        if len(_by_message_id) > REMEMBERED:
            _by_message_id.popitem(last=False)
    return _current.set(request)


def leave(token):
    _current.reset(token)


def step_back(request, previous):
    """After a request that ran beside a cell: what belongs to nobody goes to that cell again."""
    global _newest
    if _newest is request:
        _newest = previous


def of_message(message):
    """The request behind a Jupyter message or header that user code hands back to us, NONE when it is not ours."""
    header = (message or {}).get("header", message) or {}
    number, alive = _by_message_id.get(header.get("msg_id"), (0, lambda: NONE))
    request = alive()
    if request is None:
        request = Request(number)
        request.answered = True
        request._message = {**NONE.message, "header": header}
    return request


def set_current(request):
    return _current.set(request)


def inherit_in_threads():
    """Threads belong to the cell that starts them, also after that cell has ended."""
    start, bootstrap = threading.Thread.start, threading.Thread._bootstrap_inner

    def start_with_request(self):
        request = current()
        if getattr(self, "_context", self) is None:  # Python 3.14 runs threads in a context of their own
            self._context = contextvars.Context()
            self._context.run(_current.set, request)
        self._cellblock_request = request
        return start(self)

    def bootstrap_with_request(self):
        request = self.__dict__.pop("_cellblock_request", None)
        if request is not None:
            _current.set(request)
        bootstrap(self)

    def run_with_request(module):
        init, run = module._WorkItem.__init__, module._WorkItem.run

        def init_with_request(self, *args, **kwargs):
            init(self, *args, **kwargs)
            self._cellblock_request = current()

        def run_for_request(self, *args):
            _current.set(self._cellblock_request)
            return run(self, *args)

        module._WorkItem.__init__, module._WorkItem.run = init_with_request, run_for_request

    # A pool's thread works for whoever submits, which may be a later cell than the one that started it.
    after_import("concurrent.futures.thread", run_with_request)
    start_with_request.__doc__, start_with_request.__name__ = start.__doc__, "start"
    threading.Thread.start = start_with_request
    threading.Thread._bootstrap_inner = bootstrap_with_request
