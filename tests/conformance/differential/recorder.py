"""Holds a scenario's conversation with one kernel and records everything that comes back."""

import os
import signal
import time

import zmq
from jupyter_client.session import Session
from support.messages import is_idle

from differential.words import Answer, Asked, Exit, Frames, FromReply, Pause, Restart, Send, Settle, Signal, Subscribe, Until

PATIENCE = 40  # seconds for one step
CHANNELS = ("iopub", "shell", "control", "stdin")

# Before each scenario: variables, counts and history as at the start, and a directory to write into, which the
# notebook's is not in a jail. Without jedi, which gives up on types after 400 ms: its answers depend on the machine.
RESET = """
import IPython, os, tempfile
os.chdir(tempfile.mkdtemp(prefix="conversation-"))
IPython.get_ipython().Completer.use_jedi = False
IPython.get_ipython().reset(new_session=True)
"""


class Recorder:
    def __init__(self, kernel):
        self.kernel = kernel
        self.client = kernel.client
        self.session = kernel.client.session
        self.sockets = {name: getattr(self.client, f"{name}_channel").socket for name in CHANNELS}
        self.names_of_sockets = {socket: name for name, socket in self.sockets.items()}
        self.poller = zmq.Poller()
        for socket in self.sockets.values():
            self.poller.register(socket, zmq.POLLIN)
        self.forget()

    def forget(self):
        self.sent = []  # headers, in order
        self.waits = []  # what each of them waits for
        self.channels = []
        self.received = []  # (channel, topic, message)
        self.answered = 0
        self.exit_status = None
        self.own_requests = set()  # fences: no part of the record

    def hold(self, scenario):
        """The messages of the conversation, in the order in which they came on each channel."""
        self.forget()
        self._run_aside(RESET + scenario.before)
        self.received.clear()
        for step in scenario.steps:
            getattr(self, "_do_" + type(step).__name__.lower())(step)
        if self.exit_status is None:
            self._do_settle(Settle())
            self._fence()
        return self

    # Steps

    def _do_send(self, step: Send):
        message = self.session.msg(step.msg_type, self._known(step.content), metadata=step.metadata)
        message["header"].update(self._known(step.header))
        self._note(message["header"], step.channel, step.waits)
        self.session.send(self.sockets[step.channel], message, buffers=list(step.buffers))
        if step.waits != "nothing":
            self._wait(lambda: self._ended(len(self.sent) - 1), f"the end of message {len(self.sent)} ({step.msg_type})")

    def _do_frames(self, step: Frames):
        header = self.session.msg_header("execute_request")
        parts = [part if isinstance(part, bytes) else self.session.pack({**header, **part} if at == 0 else part)
                 for at, part in enumerate(step.parts)]
        self._note(header, step.channel, "nothing at all")
        signature = self.session.sign(parts) if step.signed else b"0" * 64
        self.sockets[step.channel].send_multipart([b"<IDS|MSG>", signature, *parts])
        self._fence()

    def _do_until(self, step: Until):
        if step.text is not None:
            self._wait(lambda: step.text in self._streams(), f"the text {step.text!r}")
        else:
            self._wait(lambda: sum(m["header"]["msg_type"] == step.msg_type for c, _, m in self.received
                                   if c == "iopub") >= step.count, f"{step.count} messages of type {step.msg_type}")

    def _do_answer(self, step: Answer):
        self.answered += 1
        count = step.count or self.answered
        if step.if_asked:
            last = len(self.sent) - 1
            self._wait(lambda: len(self._questions()) >= count or self._ended(last, all_of_them=True), "a question or the end")
            if len(self._questions()) < count:
                return
        self._do_asked(Asked(count))
        question = self._questions()[-1]
        content = step.value if isinstance(step.value, dict) else {"value": step.value}
        self.session.send(self.sockets["stdin"], "input_reply", content, parent=question["header"])

    def _do_asked(self, step: Asked):
        self._wait(lambda: len(self._questions()) >= step.count, f"{step.count} questions")

    def _do_signal(self, _: Signal):
        os.killpg(self.kernel.process.pid, signal.SIGINT)

    def _do_pause(self, step: Pause):
        until = time.monotonic() + step.seconds
        while time.monotonic() < until:
            self._receive(until - time.monotonic())

    def _do_settle(self, _: Settle):
        for number in range(len(self.sent)):
            self._wait(lambda number=number: self._ended(number, all_of_them=True), f"the end of message {number + 1}")

    def _do_exit(self, _: Exit):
        self._wait(lambda: self.kernel.process.poll() is not None, "the end of the kernel's process")
        self._do_pause(Pause(0.2))  # What it said last may be on its way.
        self.exit_status = self.kernel.process.wait()

    def _do_subscribe(self, step: Subscribe):
        address = self.sockets["iopub"].getsockopt_string(zmq.LAST_ENDPOINT)
        with zmq.Context.instance().socket(zmq.SUB) as socket:
            socket.connect(address)
            socket.subscribe(step.topic)
            if socket.poll(2000):
                # Our own socket hears a welcome, too, and a session takes each signature but once.
                self._take(socket, "iopub of another client", Session(key=self.session.key))

    def _do_restart(self, _: Restart):
        self._do_send(Send("shutdown_request", {"restart": True}, "control"))
        self._do_exit(Exit())
        self.exit_status = None
        self.kernel.start_again()
        # Whether the first status of a new process is seen depends on when the sockets find it.
        seen = len(self.received)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._request_aside("shell", "kernel_info_request", {}, patience=1)
                break
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
        del self.received[seen:]

    # Machinery

    def _known(self, fields):
        if not isinstance(fields, dict):
            return fields
        return {key: self._reply_to(value.number)["content"][value.key] if isinstance(value, FromReply) else value
                for key, value in fields.items()}

    def _reply_to(self, number):
        msg_id = self.sent[number - 1]["msg_id"]
        return next(m for channel, _, m in self.received
                    if channel in ("shell", "control") and m["parent_header"].get("msg_id") == msg_id)

    def _note(self, header, channel, waits):
        self.sent.append(header)
        self.channels.append(channel)
        self.waits.append(waits)

    def _ended(self, number, all_of_them=False):
        waits, msg_id = self.waits[number], self.sent[number]["msg_id"]
        if waits == "nothing at all" or (waits == "nothing" and not all_of_them):
            return True
        mine = [(channel, m) for channel, _, m in self.received if m["parent_header"].get("msg_id") == msg_id]
        replied = waits == "idle" or any(channel in ("shell", "control") for channel, _ in mine)
        return replied and any(channel == "iopub" and is_idle(m) for channel, m in mine)

    def _streams(self):
        return "".join(m["content"]["text"] for channel, _, m in self.received
                       if channel == "iopub" and m["header"]["msg_type"] == "stream")

    def _questions(self):
        return [m for channel, _, m in self.received if channel == "stdin"]

    def _run_aside(self, code):
        """A cell that is no part of the record. It must succeed."""
        content = {"code": code, "silent": True, "store_history": False, "user_expressions": {}, "allow_stdin": False,
                   "stop_on_error": False}
        reply = self._request_aside("shell", "execute_request", content)
        assert reply["content"]["status"] == "ok", f"preparing {self.kernel.argv[0]} failed: {reply['content']}"

    def _fence(self):
        """Waits until all that was sent has been looked at, and what it caused has come."""
        for channel in ("control", "shell"):
            self._request_aside(channel, "kernel_info_request", {})

    def _request_aside(self, channel, msg_type, content, patience=PATIENCE):
        message = self.session.msg(msg_type, content)
        msg_id = message["header"]["msg_id"]
        self.own_requests.add(msg_id)
        self.session.send(self.sockets[channel], message)

        def answers():
            return [(c, m) for c, _, m in self.received if m["parent_header"].get("msg_id") == msg_id]

        self._wait(lambda: any(c == channel for c, _ in answers()) and
                   any(c == "iopub" and is_idle(m) for c, m in answers()), f"an answer on {channel} to our own {msg_type}", patience)
        return next(m for c, m in answers() if c == channel)

    def _wait(self, reached, awaited, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not reached():
            left = deadline - time.monotonic()
            if left <= 0 or (self.kernel.process.poll() is not None and not self._receive(0.3) and not reached()):
                came = [(c, m["header"]["msg_type"], m["content"]) for c, _, m in self.received][-8:]
                raise TimeoutError(f"{self.kernel.argv[0]}: waited in vain for {awaited}{self.client.fate()}; last came {came}")
            self._receive(min(left, 0.5))

    def _receive(self, seconds):
        """Takes what is there, after waiting for something at most so long. Whether anything came."""
        ready = self.poller.poll(max(0, seconds) * 1000)
        for socket, _ in ready:
            while socket.poll(0):
                self._take(socket, self.names_of_sockets[socket])
        return bool(ready)

    def _take(self, socket, name, session=None):
        session = session or self.session
        topics, parts = session.feed_identities(socket.recv_multipart())
        self.received.append((name, topics, session.deserialize(parts)))
