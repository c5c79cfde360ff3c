"""SIGINT: KeyboardInterrupt in the cell that runs, nothing when none runs.

A cell of ordinary code runs under `signal.default_int_handler`, which asyncio and others look for. A cell that awaits is
interrupted at its await, see eventloop.py. At other times a handler only notes whether a request is on its way or has been
taken up: the kernel sends SIGINT after the request that it means, but the signal overtakes the request easily.
"""

import _signal as signal


class Interrupts:
    def __init__(self, work_is_waiting):
        self._work_is_waiting = work_is_waiting
        self._noted = False

    def ignore(self):
        """The state between cells."""
        _set_handler(self._note)

    def _note(self, signum, frame):
        self._noted = self._work_is_waiting()

    def end_request(self):
        """What was noted was meant for the request that has just ended."""
        self._noted = False

    def run(self, function):
        """function() in the main thread, interruptible. An interrupt that comes when it has ended already is dropped."""
        outcome = []
        try:
            _set_handler(signal.default_int_handler)
            if self.take_noted():
                raise KeyboardInterrupt
            outcome.append(function())
        except KeyboardInterrupt:
            if not outcome:
                raise
        finally:
            _set_handler(self._note)
        return outcome[0]

    def begin_await(self, interrupt):
        _set_handler(interrupt.on_signal)

    def end_await(self):
        _set_handler(self._note)

    def take_noted(self):
        noted, self._noted = self._noted, False
        return noted


def _set_handler(handler):
    while True:
        try:
            signal.signal(signal.SIGINT, handler)
            return
        except KeyboardInterrupt:
            continue  # It came while the old handler was in force; the new one has the say now.


def without_our_frames(error, traceback):
    """The traceback of an interrupt, less our frames at its end: where print() or input() was interrupted inside of the
    worker says nothing to the user."""
    if isinstance(error, KeyboardInterrupt):
        last, step = None, traceback
        while step is not None:
            if not step.tb_frame.f_globals.get("__name__", "").startswith("cellblock_worker."):
                last = step
            step = step.tb_next
        if last is not None:
            last.tb_next = None
    return traceback
