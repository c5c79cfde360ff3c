"""The application of a running kernel, by ipykernel's name: what the command line and a profile say about IPython.

It is made when there is a command line to read, or when a library asks for it; most kernels never have one.
"""

import os
import sys

from IPython.core.application import BaseIPythonApplication, base_aliases, base_flags
from IPython.core.profiledir import ProfileDir
from IPython.core.shellapp import InteractiveShellApp, shell_aliases, shell_flags
from traitlets import Any, Unicode, default

from .facade import IPythonKernel
from .shell import ZMQInteractiveShell


class Terminal:
    """Where the application's log goes. ipykernel writes it into the terminal that started the kernel, never into cells.

    During the start that is descriptor 2, which the kernel quotes when the start fails. Afterwards what is written there
    would show up in the running cell, so it is dropped.
    """

    def __init__(self, app):
        self._app = app

    def write(self, text):
        if not self._app.started:
            sys.__stderr__.write(text)

    def flush(self):
        if not self._app.started:
            sys.__stderr__.flush()


class IPKernelApp(BaseIPythonApplication, InteractiveShellApp):
    name = "ipython-kernel"
    aliases = {**base_aliases, **shell_aliases}
    flags = {
        **base_flags, **shell_flags,
        "pylab": ({"IPKernelApp": {"pylab": "auto"}}, "Pre-load matplotlib and numpy for interactive use."),
    }
    classes = [IPythonKernel, ZMQInteractiveShell, ProfileDir]
    kernel = Any()
    connection_dir = Unicode("")
    started = False  # Startup files and extensions are done: from here on cells run
    _running = None

    @classmethod
    def initialized(cls):
        return True

    @classmethod
    def instance(cls, *args, **kwargs):
        if cls is not IPKernelApp:
            raise RuntimeError("this notebook's kernel runs already, and another cannot be started within it")
        if cls._running is None:
            cls._running = cls(*args, **kwargs)
            for ancestor in cls._walk_mro():  # As SingletonConfigurable does: traitlets asks Application for it.
                if ancestor._instance is None:
                    ancestor._instance = cls._running
            if IPythonKernel.initialized():
                cls._running.belong_to(IPythonKernel.instance())
                cls._running.started = True
        return cls._running

    def belong_to(self, kernel):
        self.kernel, self.shell = kernel, kernel.shell
        self.shell.configurables.append(self)

    @default("logging_config")
    def _logging_config_default(self):
        return {"handlers": {"console": {"stream": Terminal(self)}}}

    @property
    def connection_file(self):
        from ipykernel.connect import get_connection_file

        return get_connection_file()

    abs_connection_file = connection_file

    def initialize(self, argv=None):
        if self.kernel is not None:
            raise RuntimeError("this notebook's kernel runs already, and another cannot be started within it")
        super().initialize(argv)

    def start(self):
        raise RuntimeError("this notebook's kernel runs already, and another cannot be started within it")

    def init_crash_handler(self):
        """The interpreter's own: what goes wrong before hello is read from the descriptor."""

    def init_profile_dir(self):
        """A profile that the command line names is shown read-only, but IPython wants to write beside it."""
        shown = self.config.ProfileDir.get("location")
        if shown:
            place = os.path.join(self.ipython_dir, "profile_default")
            link_profile(shown, place)
            self.config.ProfileDir.location = place
        super().init_profile_dir()

    def set_up_shell(self):
        """GUI, extensions, startup files, lines and files to execute. What they print belongs to no request."""
        self.init_gui_pylab()
        self.init_extensions()
        self.init_code()


def link_profile(shown, place):
    os.makedirs(os.path.join(place, "startup"), exist_ok=True)
    entries = [name for name in os.listdir(shown) if name != "startup"]
    if os.path.isdir(os.path.join(shown, "startup")):
        entries += [os.path.join("startup", name) for name in os.listdir(os.path.join(shown, "startup"))]
    for name in entries:
        if not os.path.lexists(os.path.join(place, name)):  # The worker before this one in the same jail has made it.
            os.symlink(os.path.join(shown, name), os.path.join(place, name))


def from_command_line(arguments):
    """The application, configured. Arguments or a profile that it cannot read end the worker with its message."""
    app = IPKernelApp.instance()
    app.initialize(arguments)
    return app


IPKernelApp.__module__ = "ipykernel.kernelapp"
