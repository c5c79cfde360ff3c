"""What the host looks like from outside: processes of a kernel, mounts, cgroups, canaries."""

import hashlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
GONE_WITHIN = 5


def mounts():
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def is_first_of_namespace(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines())


def _runs(pid, created):
    try:
        process = psutil.Process(pid)
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _namespace(pid, kind):
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def _cgroups(pid):
    """Directories of the cgroups of a process that Cellblock made."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return set()
    found = set()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "cellblock" not in path:
            continue
        for base in ([CGROUP_ROOT / c for c in (controllers, *controllers.split(","))] if controllers else
                     [CGROUP_ROOT, CGROUP_ROOT / "unified"]):
            if (base / path.lstrip("/")).is_dir():
                found.add(base / path.lstrip("/"))
    return found


def all_cgroups():
    """Directories of cgroups that any Cellblock on this host made."""
    return {path.parent for path in CGROUP_ROOT.glob("**/cgroup.procs") if "cellblock" in str(path)}


def empty_cgroups():
    """Those of them in which nothing lives, and which nobody would miss."""
    found = set()
    for path in all_cgroups():
        try:
            if not (path / "cgroup.procs").read_text() and not any(child.is_dir() for child in path.iterdir()):
                found.add(path)
        except OSError:
            continue
    return found


def _told(process):
    """The process for a message; None where it ended since it was found (a zombie has ended, too)."""
    try:
        return f"process {process.pid} {' '.join(process.cmdline())!r}"
    except psutil.NoSuchProcess:
        return None


class Family:
    """A kernel process and everything that it ever started, as far as it was seen by look().

    A process that left its parents is still found by its pid namespace: only jails of this kernel live in it.
    """

    def __init__(self, pid):
        self.pid = pid
        self.host_namespace = _namespace("self", "pid")
        self.seen = {}
        self.namespaces = set()
        self.inits = {}  # namespace: (pid, creation) of its first process, with which it ends
        self.cgroups = set()
        self.looked_for_leftovers_at = None

    def look(self):
        try:
            family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                self.seen[process.pid] = process.create_time()
            except psutil.NoSuchProcess:
                continue
            namespace = _namespace(process.pid, "pid")
            if namespace and namespace != self.host_namespace:
                self.namespaces.add(namespace)
                if is_first_of_namespace(process.pid):
                    self.inits[namespace] = (process.pid, self.seen[process.pid])
            self.cgroups |= _cgroups(process.pid)

    def living(self):
        """The members that still run, the kernel's own process (a zombie until we wait) excepted."""
        found = []
        # Linux gives numbers of namespaces that have ended to new ones, of other kernels.
        namespaces = {n for n in self.namespaces if n not in self.inits or _runs(*self.inits[n])}
        for process in psutil.process_iter():
            try:
                known = self.seen.get(process.pid) == process.create_time()
                # Where the first process was not seen: what was born later is somebody else's.
                ours = (_namespace(process.pid, "pid") in namespaces
                        and process.create_time() <= (self.looked_for_leftovers_at or time.time()))
                if process.pid != self.pid and (known or ours):
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
            except psutil.NoSuchProcess:
                pass
        return found

    def members(self):
        """Kernel and everything under it, now."""
        kernel = psutil.Process(self.pid)
        return [kernel, *kernel.children(recursive=True)]

    def leftovers(self, with_cgroups=True):
        self.looked_for_leftovers_at = self.looked_for_leftovers_at or time.time()
        deadline = time.monotonic() + GONE_WITHIN
        while True:
            left = [told for process in self.living() if (told := _told(process))]
            left += [f"cgroup {path}" for path in sorted(self.cgroups) if with_cgroups and path.exists()]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)

    def kill(self):
        for process in self.living():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                pass


class Canaries:
    """Things of the host that an attack would have to touch: files, a listening service, a process.

    `check()` asserts that they are as they were.
    """

    SECRET = "canary-7f3a9c"

    def __init__(self, directory, owner=None):
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.files = [self.directory / name for name in ("id_rsa", "notes.txt")]
        for path in self.files:
            path.write_text(self.SECRET)
            path.chmod(0o644)
            if owner:
                os.chown(path, owner.uid, owner.gid)
        if owner:
            os.chown(self.directory, owner.uid, owner.gid)
        self.before = self._state()
        self.service = socket.create_server(("127.0.0.1", 0))
        self.abstract_name = f"cellblock-canary-{os.getpid()}-{id(self)}"
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0" + self.abstract_name)
        self.abstract.listen()
        self.process = subprocess.Popen(["sleep", "600"], **(
            {"user": owner.uid, "group": owner.gid, "extra_groups": []} if owner else {}))

    @property
    def port(self):
        return self.service.getsockname()[1]

    def _state(self):
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_mode, p.stat().st_uid,
                         hashlib.sha256(p.read_bytes()).hexdigest()) for p in sorted(self.directory.iterdir())}

    def check(self):
        assert self._state() == self.before, "files of the host were changed from inside the jail"
        for listener in (self.service, self.abstract):
            listener.setblocking(False)
            try:
                listener.accept()
            except BlockingIOError:
                continue
            raise AssertionError("a service of the host was reached from inside the jail")
        assert self.process.poll() is None, "a process of the host was ended from inside the jail"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.service.close()
        self.abstract.close()
