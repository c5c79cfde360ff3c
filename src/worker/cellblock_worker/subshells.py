"""Subshells (JEP 91): threads that run requests beside the main shell, each with an event loop of its own.

They share the namespace, the history and the execution count. The kernel process decides which there are and sends each
one request at a time.
"""

import threading

from . import requests
from .eventloop import SHUTDOWN, SubshellLoop


class Subshells:
    def __init__(self, dispatcher, link, main_loop):
        self._dispatcher = dispatcher
        self._link = link
        self._main_loop = main_loop
        self._subshells = {}
        dispatcher.loop_of = self.loop_of

    # In the link's thread

    def keep(self, ids):
        """From now on there are these. One that has gone finishes what it runs."""
        for subshell_id in [known for known in self._subshells if known not in ids]:
            self._subshells.pop(subshell_id).loop.post(SHUTDOWN)
        for subshell_id in ids:
            try:
                self._subshell(subshell_id)
            except RuntimeError:
                pass  # The jail's limit of processes is reached; its first request tries again.

    def post(self, request):
        try:
            self._subshell(request.subshell).loop.post(request)
        except RuntimeError as error:  # As above.
            self._dispatcher.refuse(request, error)

    def post_beside(self, request):
        """A comm message for a cell that awaits. False when none does."""
        loop = self.loop_of(request.subshell)
        return loop is not None and loop.post_beside(lambda: self._dispatcher.beside(request))

    def interrupt(self, number):
        for subshell in list(self._subshells.values()):
            if subshell.running == number:
                subshell.interrupts.interrupt()

    def raise_memory_error(self, number, text):
        """The jail's memory runs short: the cell of this request hears of it."""
        self._main_loop.interrupts.raise_memory_error(number, text)
        for subshell in list(self._subshells.values()):
            if subshell.running == number:
                subshell.interrupts.raise_memory_error(text)

    def _subshell(self, subshell_id):
        subshell = self._subshells.get(subshell_id)
        if subshell is None or not subshell.is_alive():
            subshell = Subshell(subshell_id, self._dispatcher, self._link)
            subshell.start()
            self._subshells[subshell_id] = subshell
        return subshell

    # In any thread

    def loop_of(self, subshell_id):
        if subshell_id is None:
            return self._main_loop
        subshell = self._subshells.get(subshell_id)
        return subshell.loop if subshell is not None else None

    def ids(self):
        return list(self._subshells)

    def id_of_thread(self, ident):
        """None for the main shell; LookupError for threads that are no shell's."""
        if ident == threading.main_thread().ident:
            return None
        for subshell_id, subshell in list(self._subshells.items()):
            if subshell.ident == ident:
                return subshell_id
        raise LookupError(f"thread {ident} belongs to no shell")


class Subshell(threading.Thread):
    def __init__(self, subshell_id, dispatcher, link):
        super().__init__(name=f"subshell-{subshell_id}", daemon=True)
        self.pydev_do_not_trace = self.is_pydev_daemon_thread = True  # As in ipykernel: breakpoints are the main shell's.
        self.interrupts = ThreadInterrupts()
        self.loop = SubshellLoop(self.interrupts)
        self.loop.on_await = link.awaits
        self.running = None  # The number of the request under way
        self._dispatcher = dispatcher.of_subshell(self.loop, self.interrupts)

    def run(self):
        self.loop.run(self._work)

    def _work(self, request):
        previous = requests.newest()
        self.running = request.id
        try:
            return self._dispatcher.on_shell(request)
        finally:
            requests.step_back(request, previous)


class ThreadInterrupts:
    """KeyboardInterrupt for a thread that gets no signals. It comes between two instructions of Python, not out of a call
    that waits in C."""

    def __init__(self):
        self._lock = threading.Lock()
        self._thread = None  # that runs user code now
        self._waits = None  # the interrupt of a cell that awaits
        self._raised = False

    def interrupt(self):
        """From the link's thread."""
        with self._lock:
            if self._waits is not None and not self._waits.requested:
                self._waits.request()
            elif self._thread is not None:
                self._raised = True
                _raise_in(self._thread, KeyboardInterrupt)

    def raise_memory_error(self, text):
        """From the link's thread. A cell that awaits takes no memory itself."""
        with self._lock:
            if self._waits is None and self._thread is not None:
                self._raised = True
                _raise_in(self._thread, _memory_error(text))

    def run(self, function):
        """function(), interruptible. An interrupt that comes when it has ended already is dropped."""
        outcome = []
        try:
            self._begin()
            outcome.append(function())
        except (KeyboardInterrupt, MemoryError):
            if not outcome:
                raise
        finally:
            self._end()
        return outcome[0]

    def begin_await(self, interrupt):
        self._begin()
        self._waits = interrupt

    def end_await(self):
        self._waits = None
        self._end()

    def take_noted(self):
        return False  # The kernel names the request that it means, so none overtakes it.

    def _begin(self):
        with self._lock:
            self._thread = threading.get_ident()

    def _end(self):
        with self._lock:
            thread, self._thread = self._thread, None
            if self._raised:
                self._raised = False
                _raise_in(thread, None)  # If it has not been delivered yet, it is too late now.


def _memory_error(text):
    """A class, because PyThreadState_SetAsyncExc takes no instance."""
    return type("MemoryError", (MemoryError,), {"__module__": "builtins", "__str__": lambda self: text})


def _raise_in(thread, error):
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)
