"""The IPython shell of a notebook: IPython's own, with its outputs sent to a front end.

It carries the name `ZMQInteractiveShell`, because countless libraries ask for it to find out whether they run in a
notebook.
"""

import os
import sys
import warnings

from IPython.core import page
from IPython.core.autocall import ZMQExitAutocall
from IPython.core.interactiveshell import InteractiveShell, InteractiveShellABC
from traitlets import Any, CBool, Instance, Type, default

from . import messages, requests
from .cellnames import CellCompiler
from .displays import Routed, ZMQDisplayPublisher, ZMQShellDisplayHook
from .interrupts import without_our_frames
from .shared import OfThread, Payloads, SharedBuiltinTrap, SharedDisplayTrap

TERMINAL = {"TERM": "xterm-color", "CLICOLOR": "1", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "PAGER": "cat", "GIT_PAGER": "cat"}


class ZMQInteractiveShell(Routed, InteractiveShell):
    displayhook_class = Type(ZMQShellDisplayHook)
    display_pub_class = Type(ZMQDisplayPublisher)
    data_pub_class = Any()
    kernel = Any()
    exiter = Instance(ZMQExitAutocall)
    readline_use = CBool(False)
    autoindent = CBool(False)
    keepkernel_on_exit = None

    _last_traceback = OfThread(None)
    _last_traceback_during_displayhook = OfThread(False)

    @default("exiter")
    def _exiter_default(self):
        return ZMQExitAutocall(self)

    @default("banner1")
    def _banner1_default(self):
        from IPython.core.usage import default_banner

        return default_banner

    # Set-up

    def init_ipython_dir(self, ipython_dir):
        with warnings.catch_warnings():
            # Without a writable home IPython takes a temporary directory, which is what a jail gives anyway.
            warnings.simplefilter("ignore", UserWarning)
            try:
                super().init_ipython_dir(ipython_dir)
            except OSError:
                import tempfile

                super().init_ipython_dir(tempfile.mkdtemp(prefix="ipython-"))

    def init_profile_dir(self, profile_dir):
        if profile_dir is not None:
            self.profile_dir = profile_dir

    @default("profile_dir")
    def _profile_dir_default(self):
        """Made on first use: a directory tree with README files is nothing to wait for at start."""
        from IPython.core.profiledir import ProfileDir

        return ProfileDir.create_profile_dir_by_name(self.ipython_dir, "default")

    def init_environment(self):
        os.environ.update(TERMINAL)

    def init_virtualenv(self):
        pass  # The interpreter is the environment's own.

    def init_builtins(self):
        super().init_builtins()
        self.builtin_trap = SharedBuiltinTrap(shell=self)

    def init_displayhook(self):
        super().init_displayhook()
        self.display_trap = SharedDisplayTrap(hook=self.displayhook)

    def init_payload(self):
        self.payload_manager = Payloads(parent=self)
        self.configurables.append(self.payload_manager)

    def init_hooks(self):
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(self.payloadpage_page), 99)

    def init_magics(self):
        from .magics import KernelMagics

        super().init_magics()
        self.register_magics(KernelMagics)
        self.magics_manager.register_alias("ed", "edit")
        # IPython's applications load this extension at start.
        declare = self.magics_manager.register_lazy
        kind = {"magic_kind": "line"} if "magic_kind" in declare.__code__.co_varnames else {}
        declare("store", "IPython.extensions.storemagic", **kind)

    def init_data_pub(self):
        pass  # Of IPython.parallel.

    def enable_gui(self, gui=None):
        from .gui import check

        check(gui)
        self.active_eventloop = gui

    def enable_matplotlib(self, gui=None):
        from .gui import refuse_toolkits

        refuse_toolkits(gui)
        return super().enable_matplotlib(gui)

    # Cells

    def run_cell(self, *args, **kwargs):
        self._last_traceback = None
        self._last_traceback_during_displayhook = False
        return super().run_cell(*args, **kwargs)

    def _tee(self, channel):
        """IPython 9 copies each print() into its history, by a wrapper around write() that makes printing several times
        slower. The outbox does that for whole messages, see execution.StreamHistory."""
        return _NOTHING

    def _get_exc_info(self, exc_tuple=None):
        etype, value, tb = super()._get_exc_info(exc_tuple)
        return etype, value, without_our_frames(value, tb)

    def _showtraceback(self, etype, evalue, stb):
        content = {"traceback": stb, "ename": str(etype.__name__), "evalue": str(evalue)}
        if getattr(self.displayhook, "content", None) is not None:
            # A value that cannot be shown makes its cell fail.
            self._last_traceback_during_displayhook = True
        self._last_traceback = stb
        if self.kernel.link.disowned:
            print("\n".join(stb), file=sys.stderr)  # A forked child has only its descriptors to tell it.
        else:
            self.kernel.link.publish("error", content, topic=messages.topic("error"))

    # What goes to the front end with the reply

    def payloadpage_page(self, strg, start=0, screen_lines=0, pager_cmd=None):
        data = strg if isinstance(strg, dict) else {"text/plain": strg}
        self.payload_manager.write_payload({"source": "page", "data": data, "start": max(0, start)})

    def set_next_input(self, text, replace=False):
        self.payload_manager.write_payload({"source": "set_next_input", "text": text, "replace": replace})

    def ask_exit(self):
        self.exit_now = not self.keepkernel_on_exit
        self.payload_manager.write_payload({"source": "ask_exit", "keepkernel": self.keepkernel_on_exit})

    # Commands

    def system_piped(self, cmd):
        """Run `cmd` on a pseudo terminal; its exit code goes to `_exit_code`."""
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        from IPython.utils.process import system

        exit_code = system(self.var_expand(cmd, depth=1))
        self.user_ns["_exit_code"] = exit_code
        if exit_code != 0 and _installs_packages(cmd):
            print("cellblock: packages cannot be installed by a cell: it has no network, and its environment is read-only. "
                  f"Install them outside, into {sys.prefix}, and restart the kernel", file=sys.stderr)
        if getattr(self, "system_raise_on_error", False) and exit_code != 0:
            from subprocess import CalledProcessError

            raise CalledProcessError(exit_code, cmd)

    system = system_piped

    # Parents

    def get_parent(self):
        return requests.current().message

    @property
    def parent_header(self):
        return requests.current().message

    @parent_header.setter
    def parent_header(self, message):
        self.set_parent(message)


def _installs_packages(command):
    """Whether it was for the jail that it failed, as far as a command line tells."""
    import re

    return re.search(r"\b(pip\d?|pip3\.\d+|uv|conda|mamba|micromamba)['\"]?\s(.*\s)?(install|download|add|update|upgrade)\b",
                     command) is not None


class _Nothing:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


_NOTHING = _Nothing()
ZMQInteractiveShell.__module__ = "ipykernel.zmqshell"
InteractiveShellABC.register(ZMQInteractiveShell)


def make_shell(kernel):
    """`kernel.config` holds what the command line and the profile say, which is nothing in most cases."""
    config = kernel.config
    if "hist_file" not in config.HistoryManager:
        # In memory: the jail's home does not outlive the session, and a file would cost its fsyncs at every cell.
        config.HistoryManager.hist_file = ":memory:"
    if "IPKernelApp" not in config:
        config.IPKernelApp.tqdm = "present, so that tqdm finds a notebook"
    profile = {"profile_dir": kernel.parent.profile_dir} if kernel.parent is not None else {}
    shell = ZMQInteractiveShell.instance(parent=kernel, kernel=kernel, compiler_class=CellCompiler, **profile)
    session_name = os.environ.get("JPY_SESSION_NAME")
    if session_name:
        shell.user_ns["__session__"] = session_name
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    return shell
