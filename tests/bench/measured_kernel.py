"""A kernel process and the leanest client of it that is still a real one: plain sockets and jupyter_client's Session.

BlockingKernelClient would add the cost of its own event loop to every measurement, for both kernels alike, and so
flatter whoever is slower.
"""

import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

START_TIMEOUT_S = 60
# A kernel that lost its `idle` never sends it: after this long without any message the flood is over.
SILENCE_MS = 5_000


@dataclass
class Flood:
    seconds: float
    lines: int
    displays: int
    idle_came: bool


class MeasuredKernel:
    def __init__(self, spec):
        self.spec = spec

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="bench-")
        path = Path(self.directory.name) / "kernel.json"
        key = os.urandom(16).hex().encode()
        _, info = write_connection_file(str(path), key=key)
        self.info = info
        self.session = Session(key=key)
        self.context = zmq.Context()
        self.process = None
        self._open_sockets()
        (Path(self.directory.name) / "notebooks").mkdir()
        os.chmod(self.directory.name, 0o755)
        argv = [part.replace("{connection_file}", str(path)) for part in self.spec.argv]
        began = time.perf_counter()
        self.process = subprocess.Popen(argv, env={**os.environ, **self.spec.env},
                                        cwd=Path(self.directory.name) / "notebooks",
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        self._send("1")
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.shell.poll(1000):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the kernel {self.spec.name} did not answer; {' '.join(argv)} says why")
        self.shell.recv_multipart()
        self.first_reply_ms = (time.perf_counter() - began) * 1000
        return self

    def _open_sockets(self):
        self.shell = self._connect(zmq.DEALER, "shell")
        self.iopub = self._connect(zmq.SUB, "iopub")

    def _connect(self, kind, channel):
        connected = self.context.socket(kind)
        connected.linger = 0
        # The kernel's socket does not exist yet; libzmq's 100 ms between attempts would be what is measured.
        connected.setsockopt(zmq.RECONNECT_IVL, 1)
        if kind == zmq.SUB:
            connected.setsockopt(zmq.SUBSCRIBE, b"")
        connected.connect(f"tcp://{self.info['ip']}:{self.info[channel + '_port']}")
        return connected

    def replace_sockets(self):
        """After a flood in which messages were lost, so that the rest of one is not counted in the next."""
        self.shell.close()
        self.iopub.close()
        self._open_sockets()
        self.wait_for_iopub()

    def _send(self, code):
        return self._request("execute_request", {"code": code, "silent": False, "store_history": True,
                                                 "user_expressions": {}, "allow_stdin": False, "stop_on_error": True})

    def _request(self, msg_type, content):
        message = self.session.msg(msg_type, content)
        self.session.send(self.shell, message)
        return message["header"]["msg_id"]

    def _receive(self, connected):
        _, parts = self.session.feed_identities(connected.recv_multipart(), copy=True)
        return self.session.deserialize(parts)

    def wait_for_iopub(self):
        """Until messages come through: a subscription takes a moment."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self._send("pass")
            if self.iopub.poll(300):
                break
        while self.iopub.poll(300):
            self.iopub.recv_multipart()
        while self.shell.poll(100):
            self.shell.recv_multipart()

    def timed_ms(self, code, status="ok"):
        return self._timed_ms(lambda: self._send(code), status)

    def completion_ms(self, code):
        return self._timed_ms(lambda: self._request("complete_request", {"code": code, "cursor_pos": len(code)}))

    def _timed_ms(self, send, status="ok"):
        """From the request to both its reply and its idle, which is when a front end goes on."""
        began = time.perf_counter()
        msg_id = send()
        poller = zmq.Poller()
        poller.register(self.shell, zmq.POLLIN)
        poller.register(self.iopub, zmq.POLLIN)
        replied = idle = False
        while not (replied and idle):
            events = dict(poller.poll(60_000))
            if not events:
                raise SystemExit(f"{self.spec.name} did not answer within a minute")
            if self.shell in events:
                reply = self._receive(self.shell)
                if reply["parent_header"]["msg_id"] == msg_id:
                    replied = True
                    if reply["content"]["status"] != status:
                        raise SystemExit(f"{self.spec.name} failed where it was to be measured: {reply['content']}")
            if self.iopub in events:
                message = self._receive(self.iopub)
                idle = idle or (message["content"].get("execution_state") == "idle"
                                and message["parent_header"].get("msg_id") == msg_id)
        return (time.perf_counter() - began) * 1000

    def flood(self, code):
        """Runs a cell that publishes much; what of it arrived at a client that reads as fast as it can."""
        began = time.perf_counter()
        msg_id = self._send(code)
        lines = displays = 0
        idle = False
        last = began
        while not idle and self.iopub.poll(SILENCE_MS if lines + displays else START_TIMEOUT_S * 1000):
            message = self._receive(self.iopub)
            last = time.perf_counter()
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            kind = message["header"]["msg_type"]
            if kind == "stream":
                lines += message["content"]["text"].count("\n")
            elif kind == "display_data":
                displays += 1
            idle = kind == "status" and message["content"]["execution_state"] == "idle"
        if self.shell.poll(60_000):
            self.shell.recv_multipart()
        return Flood(last - began, lines, displays, idle)

    def _family(self):
        kernel = psutil.Process(self.process.pid)
        return kernel, kernel.children(recursive=True)

    def memory_mb(self):
        kernel, children = self._family()
        full = kernel.memory_full_info()
        inside = sum(child.memory_full_info().pss for child in children)
        return {"kernel_rss": full.rss / 1e6, "kernel_pss": full.pss / 1e6, "worker_pss": inside / 1e6,
                "total_pss": (full.pss + inside) / 1e6}

    def cpu_percent_over(self, seconds):
        def used():
            kernel, children = self._family()
            return sum(t.user + t.system for t in (p.cpu_times() for p in (kernel, *children)))

        time.sleep(0.5)
        before = used()
        time.sleep(seconds)
        return (used() - before) / seconds * 100

    def __exit__(self, *_):
        self.shell.close()
        self.iopub.close()
        self.context.term()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()
