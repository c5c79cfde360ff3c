"""SIGINT: KeyboardInterrupt in the cell that runs, nothing when none runs.

A cell of ordinary code runs under `signal.default_int_handler`, which asyncio and others look for. A cell that awaits is
interrupted at its await, see eventloop.py. At other times a handler only notes which request it is meant for: the kernel
sends SIGINT after the request that it means, but the signal overtakes the request easily.
"""

import _signal as signal
import os
import select
import threading
import time

NUDGE = signal.SIGURG  # Ignored by default, so that children do not die of it; nobody else uses it
NUDGES_AFTER = (0.01, 0.06, 0.26)  # Seconds after the signal; more than one, because they may meet the same gap


class Interrupts:
    def __init__(self, loop, has_unread):
        self._loop = loop
        self._has_unread = has_unread
        self._noted = None  # The number of the request that an interrupt is to reach
        self._runs_code = False  # The cell's, in the main thread, without a loop
        self._awaits = None  # The interrupt of a cell that awaits
        self._shortage = None  # (request, MemoryError) on its way to the cell

    def ignore(self):
        """The state between cells."""
        _set_handler(self._note)

    def _note(self, signum, frame):
        number, request = self._loop.taken
        if not request.answered:
            self._noted = number
        elif self._has_unread() or self._loop.announced > number:  # In this order, in which requests pass
            # The kernel means the next one, although the main thread may still be busy with the end of this one.
            self._noted = number + 1

    def run(self, function):
        """function() in the main thread, interruptible. An interrupt that comes when it has ended already is dropped."""
        outcome = []
        try:
            _set_handler(signal.default_int_handler)
            if self.take_noted():
                raise KeyboardInterrupt
            self._run_open_to_shortage(function, outcome)
        except (KeyboardInterrupt, MemoryError):
            if not outcome:
                raise
        finally:
            _set_handler(self._note)
        return outcome[0]

    def begin_await(self, interrupt):
        self._awaits = interrupt
        _set_handler(interrupt.on_signal)

    def end_await(self):
        self._awaits = None
        _set_handler(self._note)

    # Memory that runs short. MemoryError comes as an interrupt does: between two instructions of the cell's own code.

    def raise_memory_error(self, request_id, text):
        """From the link's thread. Dropped when that request has ended; the kernel says it again when more is taken."""
        number, request = self._loop.taken
        if request.id == request_id and not request.answered:
            self._shortage = request, MemoryError(text)
            signal.pthread_kill(threading.main_thread().ident, NUDGE)

    def on_nudge(self, signum, frame):
        shortage, self._shortage = self._shortage, None
        if shortage is None or shortage[0] is not self._loop.taken[1] or _shows_an_error(frame):
            return
        if self._awaits is not None and not self._awaits.runs(frame):
            self._awaits.shortage = shortage[1]
        elif self._awaits is not None or self._runs_code:
            raise shortage[1]

    def _run_open_to_shortage(self, function, outcome):
        self._runs_code = True
        try:
            outcome.append(function())
        finally:
            self._runs_code = False

    def take_noted(self):
        noted, self._noted = self._noted, None
        return noted == self._loop.taken[0]


def nudge_after_signals(loop):
    """Python notes a signal and looks at the note between two instructions. One that comes after the last look and before the
    main thread begins to wait in C (time.sleep, select) would be seen when the wait is over, perhaps never. So a thread
    hears of each signal too, and ends such a wait."""
    readable, writable = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(writable, False)
    signal.signal(NUDGE, loop.interrupts.on_nudge)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    thread = threading.Thread(target=_nudge, args=(readable, threading.get_ident(), loop), name="cellblock-signals", daemon=True)
    thread.pydev_do_not_trace = thread.is_pydev_daemon_thread = True
    thread.start()


def _nudge(readable, main_thread, loop):
    signals = select.poll()
    signals.register(readable, select.POLLIN)
    number, due = 0, []  # The request that the newest signal met, and when its wait is to be ended
    while True:
        if signals.poll(max(0, due[0] - time.monotonic()) * 1000 if due else None):
            if set(os.read(readable, 512)) != {NUDGE}:
                # Between cells the main thread waits for requests. Seen only with the next one, the signal would pass for
                # that one's.
                loop.wake()
                now = time.monotonic()
                number, due = loop.taken[0], [now + seconds for seconds in NUDGES_AFTER]
        elif loop.taken[0] == number:
            del due[0]
            signal.pthread_kill(main_thread, NUDGE)
        else:
            due.clear()  # The next cell's waits are its own.


def _set_handler(handler):
    while True:
        try:
            signal.signal(signal.SIGINT, handler)
            return
        except KeyboardInterrupt:
            continue  # It came while the old handler was in force; the new one has the say now.


def _shows_an_error(frame):
    """Whether IPython is busy with a traceback, perhaps that of the first MemoryError: it must not get a second one."""
    while frame is not None:
        if frame.f_code.co_name == "showtraceback" and frame.f_globals.get("__name__", "").startswith("IPython."):
            return True
        frame = frame.f_back
    return False


def without_our_frames(error, traceback):
    """The traceback of an interrupt or of memory that runs short, less our frames at its end: where print() or input() was
    interrupted inside of the worker says nothing to the user."""
    if isinstance(error, (KeyboardInterrupt, MemoryError)):
        last, step = None, traceback
        while step is not None:
            if not step.tb_frame.f_globals.get("__name__", "").startswith("cellblock_worker."):
                last = step
            step = step.tb_next
        if last is not None:
            last.tb_next = None
    return traceback
