"""display(), clear_output() and the value of a cell: what leaves the shell as rich output.

The classes carry ipykernel's names and keep its hooks: libraries (ipywidgets, ipyparallel) register functions that see
each message before it is sent, may change it, and may keep it.
"""

import threading

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from traitlets import Bool

from . import messages, requests
from .shared import OfThread, number_of

_hooks_of_threads = threading.local()


class Routed:
    """ipykernel's names for "which request does this belong to"; here all of them share the request of the context."""

    @property
    def parent_header(self):
        return requests.current().header

    @parent_header.setter
    def parent_header(self, header):
        requests.set_current(requests.of_message(header))

    def set_parent(self, parent):
        requests.set_current(requests.of_message(parent))

    def set_thread_parent(self, parent):
        return requests.set_current(requests.of_message(parent))

    def reset_thread_parent(self, token):
        requests.leave(token)


class Hooked(Routed):
    """Functions that see what is sent. They belong to the thread that registered them."""

    @property
    def _hooks(self):
        return _hooks_of_threads.__dict__.setdefault(id(self), [])

    def register_hook(self, hook):
        self._hooks.append(hook)

    def unregister_hook(self, hook):
        try:
            self._hooks.remove(hook)
        except ValueError:
            return False
        return True

    def _send(self, msg_type, content, topic):
        if self._hooks:
            message = messages.new_message(msg_type, content)
            for hook in self._hooks:
                message = hook(message)
                if message is None:
                    return
            msg_type, content = message["header"]["msg_type"], message["content"]
        self.shell.kernel.link.publish(msg_type, content, topic=topic)


class ZMQDisplayPublisher(Hooked, DisplayPublisher):
    topic = b"display_data"
    store_display_history = Bool(False, help="Whether %notebook is to write displays too.").tag(config=True)

    def publish(self, data, metadata=None, *, transient=None, update=False, **_):
        if self.store_display_history:
            self._store(data)
        metadata = {} if metadata is None else metadata
        self._validate_data(data, metadata)
        content = {"data": data, "metadata": metadata, "transient": {} if transient is None else transient}
        self._send("update_display_data" if update else "display_data", content, "display_data")

    def _store(self, data):
        outputs = getattr(self.shell.history_manager, "outputs", None)
        if outputs is None:  # Versions of IPython before 9 keep none.
            return
        from IPython.core.history import HistoryOutput

        # What runs after the cell, as figures do, finds the next cell's number.
        number = self.shell.execution_count - bool(getattr(self, "_in_post_execute", False))
        outputs.setdefault(number, []).append(HistoryOutput(output_type="display_data", bundle=data))

    def clear_output(self, wait=False):
        self._send("clear_output", {"wait": wait}, "display_data")


class ZMQShellDisplayHook(Hooked, DisplayHook):
    topic = messages.topic("execute_result").encode()
    content = OfThread(None)  # of the execute_result under way; ZMQInteractiveShell._showtraceback looks at it
    exec_result = OfThread(None)  # IPython's record of the cell under way
    _is_active = OfThread(False)

    @property
    def prompt_count(self):
        return number_of(self.exec_result, super().prompt_count)

    def quiet(self):
        """Whether the cell ends with a semicolon. IPython's own looks at the newest in the history, which may be another
        thread's."""
        info = self.exec_result.info if self.exec_result is not None else None
        code = getattr(info, "transformed_cell", None)  # Later versions of IPython have it
        if code is None or not info.store_history:
            return super().quiet()
        return self.semicolon_at_end_of_expression(code)

    def start_displayhook(self):
        self._is_active = True
        self.content = {"data": {}, "metadata": {}}

    def write_output_prompt(self):
        self.content["execution_count"] = self.prompt_count

    def write_format_data(self, format_dict, md_dict=None):
        self.content["data"] = format_dict
        self.content["metadata"] = md_dict

    def finish_displayhook(self):
        self._is_active = False
        content, self.content = self.content, None
        if content and content["data"]:
            self._send("execute_result", content, messages.topic("execute_result"))


ZMQDisplayPublisher.__module__ = "ipykernel.zmqshell"
ZMQShellDisplayHook.__module__ = "ipykernel.displayhook"
