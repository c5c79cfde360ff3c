"""Everything that goes up to the kernel passes this queue, in the order in which it was said.

One thread writes. That keeps frames whole: Python raises KeyboardInterrupt in the main thread at any instruction, so the
main thread must never be the one with half a frame on the wire. Putting something into the queue is one C call.

Stream text gathers for GATHER_SECONDS or GATHER_BYTES, whatever comes first; frames are sent at once, with the text that
came before them. Memory is bounded: after GATHER_BYTES a thread waits until what it said before that has been written.
"""

import os
import threading
import time
from _queue import Empty, SimpleQueue  # queue.SimpleQueue without the rest of that module

from . import frames, json_text, requests

GATHER_SECONDS = 0.03
GATHER_BYTES = 64 * 1024
BATCH_BYTES = 1024 * 1024
MAX_PIECES = 1024  # IOV_MAX of Linux
MAX_TEXT = 1024 * 1024  # Characters in one stream message
MAX_SWITCHES = 64  # How often one gathering may switch between stdout and stderr before they are sorted apart


class Outbox:
    def __init__(self, fd):
        self._fd = fd
        self._queue = SimpleQueue()
        self.put = self._queue.put  # (stream name, request or None, text) · list of bytes · lock to release
        self._urgent = threading.Lock()
        self._urgent.acquire()
        self._hurries = 0
        self._barrier = None
        self.pending = 0  # Characters and bytes since the last wait; a hint, threads may race
        self.closed = False
        self._batch = _Batch()
        self._item = None  # Taken from the queue and not in the batch yet
        self._release = None  # To be released when the batch is written
        self._seen = 0
        self._thread = threading.Thread(target=self._run, name="cellblock-outbox", daemon=True)
        # Debuggers must not stop this thread: nothing would be shown any more.
        self._thread.pydev_do_not_trace = self._thread.is_pydev_daemon_thread = True

    def start(self):
        self._thread.start()

    def send(self, pieces):
        """A frame, at once."""
        self.pending += sum(map(len, pieces))
        self.put(pieces)
        self.hurry()
        if self.pending > GATHER_BYTES:
            self.wait_for_room()

    def hurry(self):
        self._hurries += 1
        try:
            self._urgent.release()
        except RuntimeError:
            pass  # Somebody else hurries already.

    def flush(self):
        """Returns when everything said so far is on the wire."""
        if self.closed or threading.current_thread() is self._thread:
            return
        self._put_barrier().acquire()

    def wait_for_room(self):
        """Called after GATHER_BYTES: waits until the writer has reached the previous call's point, so that one portion is
        written while the next one gathers."""
        self.pending = 0
        if self.closed:
            return
        previous, self._barrier = self._barrier, self._put_barrier()
        if previous is not None and previous.acquire(timeout=3600):
            previous.release()  # Two threads may wait for the same one.

    def _put_barrier(self):
        barrier = threading.Lock()
        barrier.acquire()
        self.put(barrier)
        self.hurry()
        return barrier

    def close(self):
        """The last thing before Python goes: daemon threads do not outlive its finalization."""
        if self._thread.is_alive():  # else the start has failed, and nobody would write
            self.flush()
        self.closed = True

    def disown(self):
        """In a forked child: the socket is the parent's."""
        self.closed = True
        self._queue = SimpleQueue()
        self.put = lambda item: None
        try:
            os.close(self._fd)
        except OSError:
            pass
        self._fd = -1

    # The writer's thread from here on. What it holds is kept in members and taken away only when it is done with, so that
    # it can go on where it was when memory was short for a moment.

    def _run(self):
        while True:
            try:
                self._write_out()
                self._take_next()
            except MemoryError:
                time.sleep(0.05)

    def _take_next(self):
        get = self._queue.get
        item = self._item if self._item is not None else get()
        if type(item) is tuple:
            self._item = item
            self._urgent.acquire(False)  # A call that an earlier batch has answered already
            if self._hurries == self._seen:
                self._urgent.acquire(timeout=GATHER_SECONDS)
        self._seen = self._hurries
        batch, get = self._batch, self._queue.get_nowait
        try:
            while True:
                kind = type(item)
                if kind is tuple:
                    name, request, text = item
                    append = batch.text_of(name, request)
                    append(text)
                    self._item = None
                    item = get()
                    while type(item) is tuple and item[1] is request and item[0] is name:  # Most come in long rows.
                        append(item[2])
                        item = get()
                    self._item = item
                    continue
                self._item = None
                if kind is list:
                    batch.add_frame(item)
                    if batch.size > BATCH_BYTES:
                        return
                else:
                    self._release = item
                    return
                self._item = item = get()
        except Empty:
            self._item = None

    def _write_out(self):
        batch = self._batch
        batch.end_text()
        pieces = batch.pieces
        while pieces:
            try:
                written = os.writev(self._fd, pieces[:MAX_PIECES])
            except OSError:
                os._exit(0)  # The kernel is gone.
            batch.wrote(written)
        batch.size = 0
        if self._release is not None:
            self._release.release()
            self._release = None


class _Batch:
    """What one write takes along: frames as they are, texts of a stream joined."""

    def __init__(self):
        self.pieces = []
        self.size = 0  # of frames; producers wait often enough to bound the text
        self._texts = []  # [(stream name, request, [text, …])], in order

    def add_frame(self, pieces):
        self.end_text()
        self.pieces += pieces
        self.size += sum(map(len, pieces))

    def text_of(self, name, request):
        """Where to append text of this stream and request."""
        request = request or requests.newest()
        if not self._texts or self._texts[-1][:2] != (name, request):
            self._texts.append((name, request, []))
        return self._texts[-1][2].append

    def end_text(self):
        if len(self._texts) > MAX_SWITCHES:
            self._texts = _sorted_apart(self._texts)
        while self._texts:
            name, request, chunks = self._texts[0]
            text = "".join(chunks)
            self.pieces += [piece for at in range(0, len(text), MAX_TEXT)
                            for piece in stream_frame(name, request, text[at:at + MAX_TEXT])]
            del self._texts[0]
            if request.record is not None:
                request.record(name, text)

    def wrote(self, count):
        """Takes away the first `count` bytes."""
        done = 0
        while done < len(self.pieces) and count >= len(self.pieces[done]):
            count -= len(self.pieces[done])
            done += 1
        del self.pieces[:done]
        if count:
            self.pieces[0] = memoryview(self.pieces[0])[count:]


def _sorted_apart(texts):
    merged = {}
    for name, request, chunks in texts:
        merged.setdefault((name, request), []).extend(chunks)
    return [(name, request, chunks) for (name, request), chunks in merged.items()]


def stream_frame(name, request, text):
    header = {"type": "publish", "parent": request.id, "msg_type": "stream", "topic": "stream." + name}
    content = b'{"name": "%s", "text": %s}' % (name.encode("ascii"), json_text.pack_string(text))
    return frames.encode(header, [json_text.EMPTY, content])
