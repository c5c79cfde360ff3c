"""os.fork() in a cell: the child inherits the interpreter, but the socket to the kernel stays the parent's.

Pool workers of multiprocessing are such children. They print through descriptors 1 and 2, and they never answer requests.
"""

import os
import sys


class Forks:
    def __init__(self, link, streams):
        self._link = link
        self._streams = streams
        os.register_at_fork(before=link.outbox.flush, after_in_child=self._after_in_child)

    def _after_in_child(self):
        self._link.disown()
        for stream in self._streams:
            stream.to_descriptor()

    @property
    def in_child(self):
        return self._link.disowned

    def end_child(self, failed):
        """A child that has come to the end of the cell it was forked in: it has nothing to return to."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1 if failed else 0)
