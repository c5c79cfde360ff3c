"""Starts kernels as a front end does, from an installed kernelspec, and checks that they leave nothing behind.

jupyter_client's own KernelManager is what the front-end tests use. Here the process is started by hand, because the
tests need what a manager hides: the exit status, stderr, another user, other connection files.
"""

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from support import host, messages
from support.patience import SLOW_HOST

START_TIMEOUT = 60 * SLOW_HOST
EXIT_TIMEOUT = 15 * SLOW_HOST

CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
GIVEN_PORTS = set()


class ObservedClient(BlockingKernelClient):
    """A client that knows the process behind it, so that a dead kernel is reported at once and with its last words."""

    observed = None

    def kernel_is_gone(self):
        return self.observed is not None and self.observed.process.poll() is not None

    def fate(self):
        if self.observed is None:
            return ""
        code = self.observed.process.poll()
        state = "still runs" if code is None else f"ended with status {code}"
        return f"; the kernel {state}; its stderr: {self.observed.stderr()[-2000:]!r}"


class Kernel:
    """One kernel process and one client of it. `argv` is a kernelspec's, with {connection_file}."""

    def __init__(self, argv, env=None, user=None, cwd=None, transport="tcp", ip="127.0.0.1", key=None,
                 connection=None, stderr_file=None, interrupt_mode="signal", client=True):
        self.user = user
        self.was_shut_down = False
        self.interrupt_mode = interrupt_mode
        self.directory = Path(tempfile.mkdtemp(prefix="kernel-under-test-"))
        # Everything that a kernel may write on the host lands in here, so that leftovers can be seen.
        self.temp = self.directory / "tmp"
        self.home = self.directory / "home"
        self.runtime = self.directory / "runtime"
        self.cwd = Path(cwd) if cwd else self.directory / "notebooks"
        for path in (self.temp, self.home, self.runtime, self.directory / "notebooks"):
            path.mkdir()
        self.connection_file = self.runtime / "kernel-test.json"
        self._write_connection_file(transport, ip, key, connection or {})
        if user is not None:
            self.directory.chmod(0o755)
            for path in (self.temp, self.home, self.runtime, self.directory / "notebooks", self.connection_file):
                os.chown(path, user.uid, user.gid)
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "HOME": str(self.home),
            "TMPDIR": str(self.temp), "XDG_RUNTIME_DIR": str(self.runtime), "JPY_PARENT_PID": str(os.getpid()),
            "JPY_SESSION_NAME": "notebook.ipynb",
            **({"USER": user.name, "LOGNAME": user.name} if user else {"USER": "root"}), **(env or {})}
        self.mounts_before = host.mounts()
        self._stderr = open(stderr_file or self.directory / "stderr", "w+b")
        identity = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
        self.argv = [part.replace("{connection_file}", str(self.connection_file)) for part in argv]
        self.started_at = time.monotonic()
        self._identity = identity
        self._start()
        self.client = self._connect() if client else None

    def _start(self):
        self.process = subprocess.Popen(self.argv, cwd=self.cwd, env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=self._stderr, stderr=self._stderr, start_new_session=True,
                                        **self._identity)
        self.family = host.Family(self.process.pid)

    def start_again(self):
        """A new process at the same addresses. The one before must have ended."""
        assert self.process.poll() is not None, "the kernel still runs"
        self._start()

    def _write_connection_file(self, transport, ip, key, extra):
        if transport == "ipc":
            ip = str(self.runtime / "ipc")
        # write_connection_file looks for free ports on an IPv4 address only, and where the system takes those of clients
        # from: one of them may be taken before the kernel gets to it.
        ports = {f"{name}_port": free_port() for name in CHANNELS} if transport == "tcp" else {}
        write_connection_file(str(self.connection_file), transport=transport, ip="127.0.0.1" if ":" in ip else ip,
                              kernel_name="under-test", **ports)
        # write_connection_file signs nothing unless it is given a key; front ends do give one.
        extra = {"key": secrets.token_hex(16) if key is None else key, **extra}
        if ":" in ip:
            extra = {**extra, "ip": ip}
        if extra:
            info = json.loads(self.connection_file.read_text())
            info.update(extra)
            self.connection_file.write_text(json.dumps(info))

    def _connect(self):
        context = zmq.Context()
        context.setsockopt(zmq.IPV6, 1)
        client = ObservedClient(connection_file=str(self.connection_file), context=context)
        client.observed = self
        client.load_connection_file()
        client.start_channels()
        try:
            self._wait_until_it_answers(client)
        except BaseException:
            client.stop_channels()
            self.kill()
            raise
        self.family.look()
        return client

    def _wait_until_it_answers(self, client):
        """As front ends do: kernel_info until a reply and an idle have come, so that iopub is known to work."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            msg_id = client.kernel_info()
            try:
                messages.reply_to(client, msg_id, timeout=min(10, deadline - time.monotonic()))
                messages.collect_until_idle(client, msg_id, timeout=1)
                return
            except TimeoutError:
                if client.kernel_is_gone() or time.monotonic() > deadline:
                    raise

    def run(self, code, timeout=messages.DEFAULT_TIMEOUT, **options):
        cell = messages.run(self.client, code, timeout, **options)
        self.family.look()
        return cell

    def request(self, msg_type, content=None, channel="shell", **options):
        return messages.request(self.client, msg_type, content, channel, **options)

    def interrupt(self):
        """As a front end that follows the kernelspec's interrupt_mode."""
        if self.interrupt_mode == "message":
            messages.send(self.client, "interrupt_request", channel="control")
        else:
            os.killpg(self.process.pid, signal.SIGINT)

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stderr(self):
        self._stderr.flush()
        return Path(self._stderr.name).read_text(errors="replace")

    def wait(self, timeout=EXIT_TIMEOUT):
        """The exit status; a kernel that does not end is a failure that says so."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the kernel still runs {timeout} s later; stderr: {self.stderr()!r}") from None

    def shutdown(self, restart=False):
        """Asks it to end, and waits until it has. The value is the reply's content."""
        self.family.look()
        msg_id = messages.send(self.client, "shutdown_request", {"restart": restart}, "control")
        reply = messages.reply_to(self.client, msg_id, "control")
        self.wait()
        self.was_shut_down = True
        return reply["content"]

    def kill(self):
        """The way out for tests that failed: whatever still lives of it is ended."""
        self.family.look()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(EXIT_TIMEOUT)
        self.family.kill()

    def leftovers(self):
        """What this kernel left on the host, as sentences; empty when all is as it was."""
        left = self.family.leftovers()
        left += [f"mount {line}" for line in sorted(host.mounts() - self.mounts_before)
                 if str(self.directory) in line or "cellblock" in line]
        for place in (self.temp, self.runtime):
            left += [f"file {path}" for path in place.rglob("*")
                     if path != self.connection_file]
        return left

    def close(self):
        """Ends the kernel politely and asserts that it is gone without a trace."""
        try:
            if self.process.poll() is None and self.client is not None:
                self.shutdown()
            elif self.process.poll() is None:
                self.process.terminate()
                self.wait()
            left = self.leftovers()
        finally:
            self.discard()
        assert not left, "left behind after the kernel's end: " + "; ".join(left)

    def discard(self):
        """Frees what the test itself holds. Idempotent."""
        if self.client is not None:
            self.client.stop_channels()
            self.client = None
        self.kill()
        self._stderr.close()
        subprocess.run(["rm", "-rf", str(self.directory)], check=True)


def free_port():
    """A port that nobody listens at, and that the system gives to no client (ip_local_port_range begins at 32768)."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in GIVEN_PORTS:
            GIVEN_PORTS.add(port)
            return port
