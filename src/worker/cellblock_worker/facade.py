"""`get_ipython().kernel`: what libraries read from ipykernel's kernel object, over our own parts."""

import threading

from . import messages, requests


class Session:
    """`kernel.session.send(...)` as far as it makes sense without sockets: everything goes to iopub."""

    session = messages.KERNEL_ID
    username = "username"

    def __init__(self, link):
        self._link = link

    def msg(self, msg_type, content=None, parent=None, header=None, metadata=None):
        message = messages.new_message(msg_type, {} if content is None else content, metadata, parent)
        message["header"].update(header or {})
        return message

    def send(self, stream, msg_or_type, content=None, parent=None, ident=None, buffers=None, track=False, header=None,
             metadata=None):
        if isinstance(msg_or_type, str):
            message = self.msg(msg_or_type, content, parent, header, metadata)
        else:
            message = msg_or_type
            buffers = buffers or message.get("buffers")
        request = requests.of_message({"header": message.get("parent_header") or {}})
        topic = ident.decode("utf-8", "replace") if isinstance(ident, bytes) else None
        self._link.publish(message["header"]["msg_type"], message["content"], message.get("metadata"), buffers, request, topic)
        return message


class Kernel:
    implementation = "ipython"
    ident = messages.KERNEL_ID
    eventloop = None
    int_id = -1
    shell = None  # set once there is one

    def __init__(self, link, stdin):
        self.link = link
        self.session = Session(link)
        self.iopub_socket = self.stdin_socket = None
        self._stdin = stdin
        self.shell_handlers = {}
        self.control_handlers = {}
        self.log = _LazyLog()

    @property
    def io_loop(self):
        import asyncio

        return asyncio.get_event_loop()

    @property
    def execution_count(self):
        return self.shell.execution_count

    @property
    def user_ns(self):
        return self.shell.user_ns

    @property
    def comm_manager(self):
        import comm

        return comm.get_comm_manager()

    def get_parent(self, channel=None):
        return requests.current().message

    def set_parent(self, ident, parent, channel="shell"):
        requests.set_current(requests.of_message(parent))

    @property
    def _parent_header(self):
        return requests.current().message

    @property
    def _parent_ident(self):
        return {"shell": [], "control": []}

    @property
    def _allow_stdin(self):
        return requests.current().allows_stdin

    def raw_input(self, prompt=""):
        return self._stdin.raw_input(prompt)

    def getpass(self, prompt="", stream=None):
        return self._stdin.getpass(prompt, stream)

    def send_response(self, stream, msg_or_type, content=None, ident=None, buffers=None, track=False, header=None,
                      metadata=None, channel=None):
        return self.session.send(stream, msg_or_type, content, self.get_parent(), ident, buffers, track, header, metadata)

    def do_shutdown(self, restart):
        self.shell.exit_now = True
        return {"status": "ok", "restart": restart}

    @property
    def main_thread(self):
        return threading.main_thread()


class _LazyLog:
    def __getattr__(self, name):
        import logging

        return getattr(logging.getLogger("ipykernel"), name)


Kernel.__module__ = "ipykernel.ipkernel"
Kernel.__qualname__ = Kernel.__name__ = "IPythonKernel"
