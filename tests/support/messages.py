"""One request to a kernel and everything that came back, in the words that the tests use."""

import time
from queue import Empty

from support.patience import SLOW_HOST

DEFAULT_TIMEOUT = 60 * SLOW_HOST


class Cell:
    """The outcome of one execute_request: its reply, and the iopub messages that it caused, in order."""

    def __init__(self, reply, messages):
        self.reply = reply
        self.messages = messages

    @property
    def content(self):
        return self.reply["content"]

    @property
    def status(self):
        return self.content["status"]

    def of_type(self, *types):
        return [m["content"] for m in self.messages if m["header"]["msg_type"] in types]

    @property
    def types(self):
        return [m["header"]["msg_type"] for m in self.messages]

    def _stream(self, name):
        return "".join(c["text"] for c in self.of_type("stream") if c["name"] == name)

    @property
    def stdout(self):
        return self._stream("stdout")

    @property
    def stderr(self):
        return self._stream("stderr")

    @property
    def result(self):
        """The text of the last value, None when the cell had none."""
        results = self.of_type("execute_result")
        return results[-1]["data"]["text/plain"] if results else None

    @property
    def error(self):
        """`ename: evalue` of the error in the notebook, None when there was none."""
        errors = self.of_type("error")
        return f"{errors[-1]['ename']}: {errors[-1]['evalue']}" if errors else None

    @property
    def ename(self):
        errors = self.of_type("error")
        return errors[-1]["ename"] if errors else None

    def __repr__(self):
        return (f"Cell(status={self.status!r}, result={self.result!r}, error={self.error!r}, "
                f"stdout={self.stdout[-500:]!r}, stderr={self.stderr[-1500:]!r}, types={self.types})")


def is_idle(message):
    return message["header"]["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


def collect_until_idle(client, msg_id, timeout=DEFAULT_TIMEOUT):
    """The iopub messages of one request up to its `idle`."""
    deadline = time.monotonic() + timeout
    messages = []
    while True:
        message = next_iopub(client, deadline, f"the idle of {msg_id}; so far: "
                             f"{[m['header']['msg_type'] for m in messages]}")
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        messages.append(message)
        if is_idle(message):
            return messages


def next_iopub(client, deadline, awaited):
    return _next(client.get_iopub_msg, deadline, awaited, client)


def next_stdin(client, timeout=DEFAULT_TIMEOUT):
    return _next(client.get_stdin_msg, time.monotonic() + timeout, "an input_request", client)


def reply_to(client, msg_id, channel="shell", timeout=DEFAULT_TIMEOUT):
    """The reply to one request; replies to others are thrown away."""
    get = {"shell": client.get_shell_msg, "control": client.get_control_msg}[channel]
    deadline = time.monotonic() + timeout
    while True:
        message = _next(get, deadline, f"the {channel} reply to {msg_id}", client)
        if message["parent_header"].get("msg_id") == msg_id:
            return message


def _next(get, deadline, awaited, client):
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"waited in vain for {awaited}{_fate(client)}")
        try:
            return get(timeout=min(left, 1.0))
        except Empty:
            if getattr(client, "kernel_is_gone", lambda: False)():
                # One more look: what it said last may have been on its way.
                try:
                    return get(timeout=0.5)
                except Empty:
                    raise TimeoutError(f"the kernel ended before {awaited}{_fate(client)}") from None


def _fate(client):
    return getattr(client, "fate", lambda: "")()


def run(client, code, timeout=DEFAULT_TIMEOUT, **options):
    """Runs one cell to its idle and its reply."""
    options.setdefault("allow_stdin", False)
    msg_id = client.execute(code, **options)
    messages = collect_until_idle(client, msg_id, timeout)
    return Cell(reply_to(client, msg_id, timeout=timeout), messages)


def request(client, msg_type, content=None, channel="shell", timeout=DEFAULT_TIMEOUT, **options):
    """Any other request: its reply and its iopub messages."""
    msg_id = send(client, msg_type, content, channel, **options)
    messages = collect_until_idle(client, msg_id, timeout)
    return Cell(reply_to(client, msg_id, channel, timeout), messages)


def send(client, msg_type, content=None, channel="shell", **options):
    message = client.session.msg(msg_type, content or {}, **options)
    {"shell": client.shell_channel, "control": client.control_channel}[channel].send(message)
    return message["header"]["msg_id"]
