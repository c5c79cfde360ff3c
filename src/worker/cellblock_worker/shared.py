"""What lets several threads run cells on IPython's one shell, which was written for one thread.

Subshells and the control channel share the shell with the main thread. State that belongs to the cell under way is kept
for each thread or for each request here, so that cells that end at the same moment do not take each other's.
"""

import threading

from IPython.core.builtin_trap import BuiltinTrap
from IPython.core.display_trap import DisplayTrap
from IPython.core.payload import PayloadManager

from . import requests


class OfThread:
    """An attribute of which each thread has its own value."""

    def __init__(self, default):
        self._default = default

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        return self._default if instance is None else getattr(self._values(instance), "value", self._default)

    def __set__(self, instance, value):
        self._values(instance).value = value

    def _values(self, instance):
        return instance.__dict__.setdefault(self._name, threading.local())


class Payloads(PayloadManager):
    """Payloads go with the reply of the cell that writes them. Those that no cell writes, such as a callback of a button,
    wait for the next reply."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._of_no_cell = []

    @property
    def _payload(self):
        """The list that IPython's functions read and change."""
        request = requests.current()
        if request.msg_type == "execute_request" and not request.answered:
            return request.payload
        return self._of_no_cell

    @_payload.setter
    def _payload(self, payload):
        self._payload[:] = payload

    def take(self, request):
        """For the reply to `request`."""
        waiting, self._of_no_cell = self._of_no_cell, []
        return waiting + request.payload


class _Counted:
    """IPython's traps set up with the first cell that enters and undo with the last that leaves. Their count is not made for
    threads: a cell that ends while another begins would undo what that one relies on."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._counting = threading.RLock()

    def __enter__(self):
        with self._counting:
            return super().__enter__()

    def __exit__(self, *error):
        with self._counting:
            return super().__exit__(*error)


class Numbering:
    """Held from the moment at which a cell reads its number until IPython has counted it, so that cells that begin at the
    same moment get different ones. IPython counts just before it triggers pre_execute."""

    LONGEST = 1.0  # Seconds. A cell's own input transformers run meanwhile; whoever they hold up goes on without.

    def __init__(self, shell):
        self._lock = threading.Lock()
        self._holder = None
        shell.events.register("pre_execute", self.end)

    def begin(self):
        if self._holder != threading.get_ident():
            self._lock.acquire(timeout=self.LONGEST)
            self._holder = threading.get_ident()  # Perhaps in the place of one that was interrupted before its end.

    def end(self):
        """Without effect in threads that hold nothing, such as in cells that run cells."""
        if self._holder == threading.get_ident():
            self._holder = None
            self._lock.release()


def number_of(result, newest):
    """The number of the cell that IPython's `result` belongs to. `newest`, what the shell's count says, may be another
    thread's; it is right when a cell has set it back, as %reset does, and for cells without a number of their own."""
    info = result.info if result is not None else None
    numbered = info is not None and info.store_history and not info.silent and result.execution_count
    return min(result.execution_count, newest) if numbered else newest


class SharedBuiltinTrap(_Counted, BuiltinTrap):
    pass


class SharedDisplayTrap(_Counted, DisplayTrap):
    pass
