"""`get_ipython().kernel`: what libraries read from ipykernel's kernel object, over our own parts.

The classes carry ipykernel's names; `ipykernel.kernelbase` and `ipykernel.ipkernel` hand them out, see standins.py.
"""

import sys
import threading

from traitlets import Any, default
from traitlets.config import SingletonConfigurable

from . import messages, requests


class Session:
    """`kernel.session.send(...)` as far as it makes sense without sockets: everything goes to iopub."""

    session = messages.KERNEL_ID
    bsession = session.encode()
    username = "username"
    key = b""  # The front ends' key never enters the jail.

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


class Kernel(SingletonConfigurable):
    """Created once, by main.py. A subclass can be written, as for a kernel of another language, but not run in here."""

    implementation = "ipython"
    language = "python"
    language_version = sys.version.split()[0]
    ident = messages.KERNEL_ID
    eventloop = None
    int_id = -1
    shell = subshells = info = None  # set once there is one
    shell_stream = control_stream = iopub_socket = iopub_thread = stdin_socket = None
    log = Any()

    def __init__(self, link=None, stdin=None, **kwargs):
        super().__init__(**kwargs)
        if link is None:
            raise RuntimeError("this notebook's kernel runs already, and another cannot be started within it")
        self.link = link
        self.session = Session(link)
        self._stdin = stdin
        # Message types and what would handle them. Our own handlers stay in force: a jail answers its kernel only.
        self.shell_handlers = {}
        self.control_handlers = {}

    @default("log")
    def _log_default(self):
        from traitlets.log import get_logger

        return get_logger()

    @property
    def io_loop(self):
        import asyncio

        return asyncio.get_event_loop()

    @property
    def parent_app(self):
        from ipykernel.kernelapp import IPKernelApp

        return IPKernelApp.instance()

    @property
    def execution_count(self):
        return self.shell.execution_count

    @execution_count.setter
    def execution_count(self, count):
        self.shell.execution_count = count

    @property
    def user_ns(self):
        return self.shell.user_ns

    @property
    def user_module(self):
        return self.shell.user_module

    @property
    def profile_dir(self):
        return self.shell.profile_dir

    @property
    def banner(self):
        return self.shell.banner

    @property
    def implementation_version(self):
        from IPython.core.release import version

        return version

    @property
    def language_info(self):
        return self.info["language_info"]

    @property
    def help_links(self):
        return self.info["help_links"]

    @property
    def comm_manager(self):
        import comm

        return comm.get_comm_manager()

    def get_parent(self, channel=None):
        if channel == "control":
            newest = requests.newest_control()
            return newest.message if newest else {}
        return requests.current().message

    def set_parent(self, ident, parent, channel="shell"):
        requests.set_current(requests.of_message(parent))

    @property
    def _parent_header(self):
        return requests.current().message

    @property
    def _parent_ident(self):
        return {channel: _ident(self.get_parent(channel)) for channel in ("shell", "control")}

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

    def _topic(self, topic):
        return messages.topic(topic).encode()

    def do_shutdown(self, restart):
        self.shell.exit_now = True
        return {"status": "ok", "restart": restart}

    @property
    def main_thread(self):
        return threading.main_thread()


def _ident(message):
    # The routing ids of requests stay outside; clients of jupyter_client use the session's.
    return [str(message["header"].get("session", "")).encode()] if message else b""


class IPythonKernel(Kernel):
    pass


Kernel.__module__ = "ipykernel.kernelbase"
IPythonKernel.__module__ = "ipykernel.ipkernel"
