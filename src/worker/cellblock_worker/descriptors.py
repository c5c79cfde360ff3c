"""Order between print() and descriptors 1 and 2.

The kernel process reads the descriptors, the streams send frames. So before a child process may write to a descriptor,
what was printed must be on its way; and what Python code itself writes to a descriptor goes the way of the streams.
"""

import os
import sys

from .imports import after_import
from .streams import BytesOfStream


def keep_order(outbox, stdout, stderr):
    def flushed_first(function):
        def call(*args, **kwargs):
            outbox.flush()
            return function(*args, **kwargs)

        call.__name__, call.__doc__, call.__wrapped__ = function.__name__, function.__doc__, function
        return call

    for name in ("system", "posix_spawn", "posix_spawnp"):
        setattr(os, name, flushed_first(getattr(os, name)))
    # What the subprocess module starts its children with; it takes the function over when it is imported.
    after_import("_posixsubprocess", lambda module: setattr(module, "fork_exec", flushed_first(module.fork_exec)))
    os.write = _write_to_streams(os.write, outbox, {1: stdout, 2: stderr})
    for stream in (sys.__stdout__, sys.__stderr__):
        stream.reconfigure(line_buffering=True)


def _write_to_streams(os_write, outbox, streams):
    pipes = {fd: (_identity(fd), BytesOfStream(stream)) for fd, stream in streams.items()}

    def write(fd, data, /):
        if fd in pipes and not outbox.closed:
            identity, stream = pipes[fd]
            if identity == _identity(fd):  # else somebody has redirected it
                return stream.write(data)
        return os_write(fd, data)

    write.__doc__, write.__wrapped__ = os_write.__doc__, os_write
    return write


def _identity(fd):
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino
