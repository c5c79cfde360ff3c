"""A shell's life: its thread takes requests one by one and keeps one asyncio loop, in which tasks survive between cells.

The main shell has the main thread, subshells have threads of their own. For the main thread, importing asyncio costs as much as a sixth of the whole start, so the thread first waits on a plain queue. It loads asyncio
when it has nothing to do, or when a cell needs it. A cell that imports asyncio itself finds the loop running already.
"""

import sys
import threading
import types
from _queue import Empty, SimpleQueue

from . import requests
from .imports import after_import
from .interrupts import Interrupts

SHUTDOWN = object()
WAKE = object()
# asyncio and, before it, what it imports: in portions, so that a request that comes meanwhile waits for one of them only.
LOAD_WHEN_IDLE = ("ssl", "subprocess", "concurrent.futures", "asyncio")
IDLE_SECONDS = 0.02


class ShellLoop:
    """Requests in, one at a time; the asyncio loop around them."""

    def __init__(self, interrupts):
        self.interrupts = interrupts
        self._inbox = SimpleQueue()
        self._work = None
        self._in_work = False
        self._pretending = False
        self._arrived = None
        self._ended = False
        self._loop = None
        self._cell_awaits = False
        self.on_await = None  # Called with the request of a cell that begins to await

    def post(self, item):
        """From the link's thread: a request, or SHUTDOWN."""
        self._inbox.put(item)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_wait)

    def wake(self):
        """From any thread: ends the wait for the next request, to no other effect."""
        self.post(WAKE)

    def post_beside(self, function):
        """From any thread: function() in the shell's thread while its cell awaits. False when none does."""
        if not self._cell_awaits:
            return False
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False  # The loop has been closed.
        return True

    def _do(self, item):
        self._in_work = True
        try:
            return self._work(item)
        finally:
            self._in_work = False
            if self._pretending:
                self._pretending = False
                sys.modules["asyncio"]._set_running_loop(None)
                self._loop._thread_id = None

    def _run_loop(self, unfinished):
        import asyncio

        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.create_task(self._serve(unfinished))
        while not self._ended:
            try:
                loop.run_forever()
            except KeyboardInterrupt:
                pass  # It was raised in a task of the user's, which has ended with it.
            if server.done() and not self._ended:
                server = loop.create_task(self._serve(None))
        server.cancel()

    async def _serve(self, unfinished):
        if unfinished is not None:
            await unfinished
        while True:
            try:
                item = self._inbox.get_nowait()
            except Empty:
                await self._sleep_until_woken()
                continue
            if item is SHUTDOWN:
                break
            if item is not WAKE:
                unfinished = self._do(item)
                if unfinished is not None:
                    await unfinished
        self._ended = True
        self._loop.stop()

    async def _sleep_until_woken(self):
        from asyncio import CancelledError, current_task

        self._arrived = self._loop.create_future()
        try:
            # A request may have come since the inbox was looked at, before there was anything to wake.
            if self._inbox.empty():
                await self._arrived
        except CancelledError:
            # Code that cancels all tasks it finds cancels this one too. It is not the user's.
            _uncancel(current_task())

    def _end_wait(self):
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    # Cells that await

    async def interruptible(self, coroutine):
        """Awaits a cell's coroutine. An interrupt raises KeyboardInterrupt where the cell awaits."""
        from asyncio import current_task

        interrupt = _AwaitInterrupt(self._loop, current_task())
        self.interrupts.begin_await(interrupt)
        self._cell_awaits = True
        try:
            self.on_await(requests.current())
            if self.interrupts.take_noted():
                interrupt.request()
            return await _driven(coroutine, interrupt)
        finally:
            self._cell_awaits = False
            interrupt.over = True
            self.interrupts.end_await()


class SubshellLoop(ShellLoop):
    """Of a thread that is not the main one: no signals, and asyncio from the start."""

    def run(self, work):
        """Until SHUTDOWN, as MainLoop.run()."""
        import asyncio

        self._work = work
        self._loop = asyncio.new_event_loop()
        try:
            self._run_loop(None)
        finally:
            self._loop.close()


class MainLoop(ShellLoop):
    def __init__(self, has_unread):
        super().__init__(Interrupts(self, has_unread))
        self.announced = 0  # How many requests there have been
        self.taken = 0, requests.NONE  # The newest that the main thread has begun, and its number, counted from 1

    def announce(self):
        """From the link's thread, before post()."""
        self.announced += 1

    def _do(self, item):
        self.taken = self.taken[0] + 1, item  # In one step: a handler of SIGINT looks at it.
        return super()._do(item)

    def run(self, work):
        """Until SHUTDOWN: work(request) for each request. What it returns, when not None, is awaited in the loop."""
        self._work = work
        after_import("asyncio", self._make_loop)
        unfinished = self._run_without_loop()
        if not self._ended:
            self._run_loop(unfinished)

    # Without asyncio

    def _run_without_loop(self):
        names = list(LOAD_WHEN_IDLE)
        while self._loop is None:
            try:
                item = self._inbox.get(timeout=IDLE_SECONDS) if names else self._inbox.get()
            except Empty:
                _load(names.pop(0))
                continue
            if item is SHUTDOWN:
                self._ended = True
                return None
            if item is not WAKE:
                unfinished = self._do(item)
                if unfinished is not None:
                    _load("asyncio")
                    return unfinished
        return None

    def _make_loop(self, asyncio):
        """Called when anybody has imported asyncio."""
        loop = asyncio.new_event_loop()
        if threading.current_thread() is threading.main_thread() and self._in_work:
            # A cell has just imported it and expects what all later cells find: a running loop. It starts to turn when the
            # cell has ended.
            asyncio.set_event_loop(loop)
            asyncio._set_running_loop(loop)
            loop._thread_id = threading.get_ident()
            self._pretending = True
        self._loop = loop
        self._inbox.put(WAKE)


class _AwaitInterrupt:
    """One cell's interrupt: asked for by the handler, delivered by _driven."""

    def __init__(self, loop, task):
        self._loop = loop
        self.task = task
        self.requested = False
        self.shortage = None  # A MemoryError that the cell gets when it goes on
        self.over = False

    def on_signal(self, signum, frame):
        from asyncio import current_task

        if _runs_cell(frame):
            raise KeyboardInterrupt
        if self.requested and current_task(self._loop) not in (None, self.task):
            raise KeyboardInterrupt  # Another task has kept the loop busy since the last SIGINT.
        self.request()

    def runs(self, frame):
        return _runs_cell(frame)

    def request(self):
        self.requested = True
        # Thread-safe, because that wakes the loop: select() goes on sleeping after a signal handler.
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self):
        if self.requested and not self.over:
            self.task.cancel()


def _runs_cell(frame):
    """Whether the interrupted code belongs to the cell. Raised a few instructions later, where asyncio schedules the cell's
    task again, an exception would leave the task asleep for ever."""
    inner = frame
    while frame is not None and frame.f_code is not _driven.__code__:
        frame = frame.f_back
    return frame is not None and frame is not inner


@types.coroutine
def _driven(coroutine, interrupt):
    """Runs a coroutine within the current task, as `await` does, but turns our cancellation into KeyboardInterrupt."""
    from asyncio import CancelledError

    value, error = None, None
    while True:
        if interrupt.shortage is not None:
            error, interrupt.shortage = interrupt.shortage, None
        try:
            waits_for = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration as end:
            return end.value
        value, error = None, None
        try:
            value = yield waits_for
        except CancelledError as cancelled:
            error = cancelled
            if interrupt.requested:
                interrupt.requested = False
                _uncancel(interrupt.task)
                error = KeyboardInterrupt()
        except BaseException as other:
            error = other


def _uncancel(task):
    if hasattr(task, "uncancel"):  # Python 3.11
        task.uncancel()


def _load(name):
    try:
        __import__(name)
    except ImportError:
        pass  # A Python without ssl, for example; asyncio can do without.
