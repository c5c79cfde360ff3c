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

    # The writer's thread from here on.

    def _run(self):
        get, urgent = self._queue.get, self._urgent
        seen = 0
        while True:
            item = get()
            if type(item) is tuple:
                urgent.acquire(False)  # A call that an earlier batch has answered already
                if self._hurries == seen:
                    urgent.acquire(timeout=GATHER_SECONDS)
            seen = self._hurries
            self._write_batch(item)

    def _write_batch(self, item):
        batch, get = _Batch(), self._queue.get_nowait
        try:
            while True:
                kind = type(item)
                if kind is tuple:
                    name, request, text = item
                    append = batch.text_of(name, request)
                    append(text)
                    item = get()
                    while type(item) is tuple and item[1] is request and item[0] is name:  # Most come in long rows.
                        append(item[2])
                        item = get()
                    continue
                if kind is list:
                    batch.add_frame(item)
                else:
                    self._write(batch.take())
                    item.release()
                if batch.size > BATCH_BYTES:
                    self._write(batch.take())
                item = get()
        except Empty:
            self._write(batch.take())

    def _write(self, pieces):
        if not pieces:
            return
        data = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces)).cast("B")
        while data:
            try:
                data = data[os.write(self._fd, data):]
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                os._exit(0)  # The kernel is gone.


class _Batch:
    """What one write takes along: frames as they are, texts of a stream joined."""

    def __init__(self):
        self._pieces = []
        self.size = 0  # of frames; producers wait often enough to bound the text
        self._texts = []  # [(stream name, request, [text, …])], in order

    def add_frame(self, pieces):
        self._end_text()
        self._pieces += pieces
        self.size += sum(map(len, pieces))

    def text_of(self, name, request):
        """Where to append text of this stream and request."""
        request = request or requests.newest()
        if not self._texts or self._texts[-1][:2] != (name, request):
            self._texts.append((name, request, []))
        return self._texts[-1][2].append

    def take(self):
        self._end_text()
        pieces, self._pieces, self.size = self._pieces, [], 0
        return pieces

    def _end_text(self):
        texts, self._texts = self._texts, []
        if len(texts) > MAX_SWITCHES:
            texts = _sorted_apart(texts)
        for name, request, chunks in texts:
            text = "".join(chunks)
            for at in range(0, len(text), MAX_TEXT):
                self._pieces += stream_frame(name, request, text[at:at + MAX_TEXT])
            if request.record is not None:
                request.record(name, text)


def _sorted_apart(texts):
    merged = {}
    for name, request, chunks in texts:
        merged.setdefault((name, request), []).extend(chunks)
    return [(name, request, chunks) for (name, request), chunks in merged.items()]


def stream_frame(name, request, text):
    header = {"type": "publish", "parent": request.id, "msg_type": "stream", "topic": "stream." + name}
    content = b'{"name": "%s", "text": %s}' % (name.encode("ascii"), json_text.pack_string(text))
    return frames.encode(header, [json_text.EMPTY, content])
