"""Makes a kernel end interpreters and hit limits, many times, and counts what it holds of the host meanwhile: so that
what piles up is seen, whatever it is. The suites `adversarial` (a few) and `soak` (many) use it.
"""

import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from support import host

# Limits small enough to be hit in no time, large enough for IPython and a child or two.
LIMITS = ("--memory=256MiB", "--processes=24", "--wall-time=1s", "--output-limit=1MiB", "--scratch=4MiB")
# Fixed sizes for glibc, of the kernel process: by itself it keeps more or less of what was freed, as the sizes so far have
# it. Some 2 MiB of noise become 0.4 MiB.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1"}
# What the memory of a kernel process may grow by in a run, in KiB. The noise was measured at 0.4 MiB; over 1,000 hits
# 1 MiB is 1 KiB for each, which is less than the request of a cell alone (header, metadata, content, routing).
GROWTH = 1024
SETTLES_WITHIN = 5

# Each way to lose the interpreter: code, and the error that says so.
LOSSES = {
    "exit": ("import os; os._exit(3)", "WorkerExited"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "WorkerKilled"),
    "crash": ("import ctypes; ctypes.string_at(0)", "WorkerCrashed"),
    "exec": ("import os; os.execv('/bin/true', ['true'])", "WorkerExited"),
    "killed with children": ("import os, subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n"
                             "os.kill(os.getpid(), 9)", "WorkerKilled"),
}


def _ended_with(*names):
    return lambda cell: cell.ename in names


def _printed(text):
    return lambda cell: cell.stdout == text


# Each way to hit a limit: code, and whether the cell shows that it was hit.
HITS = {
    "processes": ("""
import os
children = []
try:
    while True:
        pid = os.fork()
        if pid == 0:
            os.read(os.pipe()[0], 1)
        children.append(pid)
except BlockingIOError:
    print('refused')
for pid in children:
    os.kill(pid, 9)
    os.waitpid(pid, 0)""", _printed("refused\n")),
    "output": ("print('x' * (2 << 20))", lambda cell: cell.status == "ok" and "left out" in cell.stderr),
    "scratch": ("""
import errno, os
file = os.open('/tmp/hoard', os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(file, bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno])
os.close(file)
os.remove('/tmp/hoard')""", _printed("ENOSPC\n")),
    "threads": ("""
import threading
stop, threads = threading.Event(), []
try:
    while True:
        threads.append(threading.Thread(target=stop.wait))
        threads[-1].start()
except RuntimeError:
    print('refused')
stop.set()
for thread in threads[:-1]:
    thread.join()""", _printed("refused\n")),
    "displays": ("for _ in range(1100):\n    display('x')",
                 lambda cell: cell.status == "ok" and "left out" in cell.stderr),
    "wall time": ("import time; time.sleep(600)", _ended_with("WallTimeExceeded")),
    "output of children": ("import subprocess; subprocess.run(['head', '-c', '2000000', '/dev/zero'])",
                           lambda cell: "left out" in cell.stderr),
    "memory": ("hoard = []\nwhile True:\n    hoard.append(b'x' * (4 << 20))",
               _ended_with("MemoryLimitExceeded", "MemoryError")),
    # Not in /dev/shm, where what one interpreter leaves takes memory from the next. Without signals it hears of no shortage,
    # and meets the limit itself.
    "memory of a file": ("import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
                         "fd = os.memfd_create('hoard')\nwhile True:\n    os.write(fd, b'x' * (4 << 20))",
                         _ended_with("MemoryLimitExceeded")),
}

# Takes the whole grace time, so it comes once among this many.
SLOW_HIT = ("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
            _ended_with("WallTimeExceeded"))
SLOW_HIT_EVERY = 100


def lose_interpreter(kernel, number):
    """The number-th loss: the ways follow each other."""
    way = list(LOSSES)[number % len(LOSSES)]
    code, ename = LOSSES[way]
    cell = kernel.run(code)
    assert cell.ename == ename, f"loss {number}, {way}: {cell}"


def hit_limit(kernel, number):
    """The number-th hit: the ways follow each other, the slow one in between. The value is the limit that was hit."""
    way = list(HITS)[number % len(HITS)]
    code, shows = SLOW_HIT if number % SLOW_HIT_EVERY == SLOW_HIT_EVERY - 1 else HITS[way]
    cell = kernel.run(code)
    # Where the machine is busy, any cell may take longer than it is allowed: a hit, too.
    if cell.ename == "WallTimeExceeded":
        return "wall time"
    assert shows(cell), f"hit {number}, {way}: {cell}"
    return way


@dataclass(frozen=True)
class Holdings:
    """What one kernel process, and pid 1 of its jail, hold at one moment. Names, not numbers: they tell what leaked."""

    descriptors: Counter
    threads: Counter
    processes: Counter
    cgroups: frozenset
    mounts: frozenset  # of the host, by us
    files: frozenset
    init_descriptors: Counter
    jail_mounts: Counter

    def beyond(self, before):
        """What is held here and was not before, as sentences. What is named by number is compared by count."""
        found = []
        for kind in ("descriptors", "threads", "processes", "init_descriptors", "jail_mounts"):
            more = getattr(self, kind) - getattr(before, kind)
            found += [f"{kind}: {count} more {name!r}" for name, count in more.items()]
        if len(self.cgroups) > len(before.cgroups):  # Each jail has cgroups of its own.
            found.append(f"cgroups: {sorted(self.cgroups)}, before {sorted(before.cgroups)}")
        for kind in ("mounts", "files"):
            found += [f"{kind}: {name}" for name in sorted(getattr(self, kind) - getattr(before, kind))]
        return found


def holdings(kernel):
    """Of a kernel of support.kernel, which is idle. What a process of another user holds, root alone can see."""
    kernel_process = psutil.Process(kernel.process.pid)
    inside = kernel_process.children(recursive=True)
    init = next(child.pid for child in inside if host.is_first_of_namespace(child.pid))
    return Holdings(
        descriptors=_descriptors(kernel_process.pid),
        threads=Counter(_threads(kernel_process.pid)),
        processes=Counter(child.name() for child in inside),
        cgroups=frozenset(cgroups_of(kernel_process.pid)),
        mounts=frozenset(line for line in host.mounts() if "cellblock" in line or str(kernel.directory) in line),
        files=frozenset(str(path) for place in (kernel.temp, kernel.runtime, kernel.home, kernel.cwd)
                        for path in place.rglob("*")),
        init_descriptors=_descriptors(init),
        jail_mounts=Counter(line.split()[4] for line in Path(f"/proc/{init}/mountinfo").read_text().splitlines()))


def settled(kernel, before=None):
    """What the idle kernel holds, once nothing is beyond `before`, or at the end of the time that it has for that: what
    belonged to an interpreter that ended is given back a moment later."""
    assert kernel.run("'idle'").status == "ok"
    deadline = time.monotonic() + SETTLES_WITHIN
    while True:
        try:
            now = holdings(kernel)
        except (FileNotFoundError, psutil.NoSuchProcess):
            now = None  # Something ended while we looked.
        if now and (before is None or not now.beyond(before)) or time.monotonic() > deadline:
            assert now, "the kernel does not come to rest"
            return now
        time.sleep(0.05)


def cgroups_of(*pids):
    """Directories of cgroups that these kernel processes made; their names begin with who made them."""
    prefixes = tuple(f"cellblock-{pid}-" for pid in pids)
    # os.walk() passes by what goes away meanwhile: others have kernels, too.
    return {Path(place, name) for place, names, _ in os.walk(host.CGROUP_ROOT) for name in names
            if name.startswith(prefixes)}


def anonymous_memory(pid):
    """What a process has allocated, in KiB: without the pages of files, which come and go as the host likes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")))


def growth(values):
    """From the first value to the last, by the median of the slopes of all pairs (Theil and Sen), which neither a single
    peak nor a step of the allocator bends."""
    slopes = ((values[j] - values[i]) / (j - i) for i in range(len(values)) for j in range(i + 1, len(values)))
    return statistics.median(slopes) * (len(values) - 1)


def warm_up(kernel):
    """Each way to lose an interpreter and to hit a limit once, so that all is allocated that is kept for the next time."""
    for number in range(len(LOSSES)):
        lose_interpreter(kernel, number)
    for number in range(len(HITS)):
        hit_limit(kernel, number)


def _descriptors(pid):
    names = Counter()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        name = os.readlink(entry.path)
        names["socket" if name.startswith("socket:") else "pipe" if name.startswith("pipe:") else
              _without_numbers(name)] += 1
    return names


def _threads(pid):
    return [Path(entry.path, "comm").read_text().strip() for entry in os.scandir(f"/proc/{pid}/task")]


def _without_numbers(name):
    return "".join("#" if character.isdigit() else character for character in name)
