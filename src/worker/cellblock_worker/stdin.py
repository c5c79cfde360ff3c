"""input() and getpass() ask the front end, when the request allows it."""

import builtins
import json

from IPython.core.error import StdinNotImplementedError

from . import requests
from .imports import after_import

LONGEST_PROMPT = 10_000  # Characters; escaped they are still shorter than what the kernel takes for an attack.


class Stdin:
    def __init__(self, link):
        self._link = link

    def install(self):
        builtins.input = self.raw_input
        after_import("getpass", lambda module: setattr(module, "getpass", self.getpass))

    def raw_input(self, prompt=""):
        """Forward input() to the front end."""
        return self._ask("raw_input", str(prompt), False)

    def getpass(self, prompt="Password: ", stream=None, *, echo_char=None):
        """Forward getpass() to the front end."""
        for name, value in (("stream", stream), ("echo_char", echo_char)):
            if value is not None:
                import warnings

                warnings.warn(f"The `{name}` parameter of `getpass.getpass` has no effect in a notebook",
                              UserWarning, stacklevel=2)
        return self._ask("getpass", prompt, True)

    def _ask(self, what, prompt, password):
        request = requests.current()
        if not request.allows_stdin or request.answered:
            raise StdinNotImplementedError(f"{what} was called, but this frontend does not support input requests.")
        if isinstance(prompt, str) and len(prompt) > LONGEST_PROMPT:
            prompt = prompt[:LONGEST_PROMPT] + " …"
        try:
            answer = self._link.ask(request, {"prompt": prompt, "password": password})
        except KeyboardInterrupt:
            raise KeyboardInterrupt("Interrupted by user") from None
        if answer is None:
            raise EOFError("the cell ended before its question was answered")
        value = json.loads(bytes(answer)).get("value", "")
        if value == "\x04":
            raise EOFError
        return value
