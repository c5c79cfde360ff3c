"""The life of the worker process: build the parts, say hello, serve until the kernel says shutdown."""

import gc
import os
import _signal as signal
import sys
from importlib.machinery import PathFinder

KERNEL_FD = 3
PROTOCOL = 1
NO_IPYTHON = 3  # exit status
NOT_STARTED_BY_A_KERNEL = 4
BAD_OPTION = 5


def start():
    gc.disable()  # Imports make many objects that stay; collecting among them costs a tenth of the start.
    link = open_link()
    if link is None:
        return NOT_STARTED_BY_A_KERNEL
    if not has_ipython():
        return NO_IPYTHON
    return serve(link)


def open_link():
    from .link import Link

    try:
        return Link(KERNEL_FD)
    except OSError as error:
        print(f"cellblock worker: descriptor {KERNEL_FD} is not the kernel's socket ({error.strerror}); this program is "
              "started by `cellblock kernel`, not by hand", file=sys.stderr)
        return None


def has_ipython():
    try:
        from IPython.core import release
    except ImportError as error:
        print(f"cellblock worker: {sys.executable} cannot import IPython ({error}); install it with "
              f"`{sys.executable} -m pip install ipython`", file=sys.stderr)
        return False
    if release.version_info[0] < 8:
        print(f"cellblock worker: {sys.executable} has IPython {release.version}, 8 or later is needed; upgrade it with "
              f"`{sys.executable} -m pip install --upgrade ipython`", file=sys.stderr)
        return False
    return True


def serve(link):
    import atexit
    import threading

    from traitlets import TraitError

    from . import comms, descriptors, requests, shell, standins
    from .dispatch import COMMS, Dispatcher
    from .eventloop import SHUTDOWN, MainLoop
    from .execution import Executor
    from .facade import IPythonKernel
    from .forks import Forks
    from .imports import after_import
    from .interrupts import nudge_after_signals
    from .stdin import Stdin
    from .subshells import Subshells
    from .streams import OutStream

    requests.inherit_in_threads()
    loop = MainLoop(link.has_unread)
    interrupts = loop.interrupts
    stdout, stderr = OutStream(link.outbox, "stdout", 1), OutStream(link.outbox, "stderr", 2)
    # Registered first, so run last: functions of user code may still print.
    atexit.register(close, link, (stdout, stderr))
    descriptors.keep_order(link.outbox, stdout, stderr)
    faults_to_descriptor()
    stdin = Stdin(link)
    stdin.install()
    debugger_can_be_interrupted()

    standins.plant()
    app = application(sys.argv[1:])
    kernel = IPythonKernel.instance(link=link, stdin=stdin, parent=app)
    try:
        kernel.shell = shell.make_shell(kernel)
    except TraitError as error:
        print(f"cellblock worker: IPython refuses an option of the kernelspec or of the profile: {error}", file=sys.stderr)
        return BAD_OPTION
    # From here on. What goes wrong before is told on the descriptor, because hello must be the first frame.
    sys.stdout, sys.stderr = stdout, stderr
    keep_log_out_of_cells()
    comms.install()
    dispatcher = Dispatcher(kernel.shell, link, Executor(kernel.shell, link, loop, interrupts, Forks(link, (stdout, stderr))),
                            interrupts)

    loop.on_await = link.awaits
    subshells = kernel.subshells = Subshells(dispatcher, link, loop)

    def on_request(request):
        if request.channel == "control":
            dispatcher.on_control(request)
        elif request.msg_type in COMMS and subshells.post_beside(request):
            link.handed_on()
        elif request.subshell is not None:
            subshells.post(request)
        else:
            loop.announce()
            link.handed_on()
            loop.post(request)

    def on_shutdown():
        loop.announce()
        loop.post(SHUTDOWN)
        # A cell that still runs has to end; the kernel kills after a while anyway.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    link.on_request, link.on_shutdown = on_request, on_shutdown
    link.on_subshells, link.on_interrupt = subshells.keep, subshells.interrupt
    link.on_shortage = subshells.raise_memory_error
    add_notebook_directory()
    interrupts.ignore()
    nudge_after_signals(loop)
    after_import("trio", keep_quiet_about_signals)
    link.start()
    kernel.info = info(kernel.shell)
    link.hello(PROTOCOL, digest(), kernel.info)
    gc.enable()
    gc.freeze()
    if app is not None:
        set_up(app, kernel, interrupts)
    loop.run(dispatcher.on_shell)
    return 0


def application(arguments):
    """What the kernelspec says about IPython, which is nothing in most cases; reading it costs some milliseconds."""
    if not arguments:
        return None
    from .application import from_command_line

    return from_command_line(arguments)


def set_up(app, kernel, interrupts):
    """Extensions, startup files and the like. The kernel answers already, so a slow one does not look like a dead one."""
    app.belong_to(kernel)
    try:
        interrupts.run(app.set_up_shell)
    except KeyboardInterrupt:
        kernel.shell.showtraceback()
    finally:
        app.started = True


def add_notebook_directory():
    """Notebooks import modules that lie beside them. As in IPython these come after the standard library: a `random.py`
    must not break it, and not us either."""
    packages = [at for at, path in enumerate(sys.path) if os.path.basename(path) in ("site-packages", "dist-packages")]
    sys.path.insert(packages[0] if packages else 0, "")


def close(link, streams):
    link.outbox.close()
    for stream in streams:
        stream.to_descriptor()


def digest():
    try:
        with open(os.path.join(os.path.dirname(__file__), "DIGEST")) as file:
            return file.read().strip()
    except OSError:
        return "unbuilt"


def info(shell):
    links = {
        "Python Reference": "https://docs.python.org/%i.%i" % sys.version_info[:2],
        "IPython Reference": "https://ipython.readthedocs.io/en/stable/",
        "NumPy Reference": "https://docs.scipy.org/doc/numpy/reference/",
        "SciPy Reference": "https://docs.scipy.org/doc/scipy/reference/",
        "Matplotlib Reference": "https://matplotlib.org/contents.html",
        "SymPy Reference": "http://docs.sympy.org/latest/index.html",
        "pandas Reference": "https://pandas.pydata.org/pandas-docs/stable/",
    }
    return {
        "language_info": {
            "name": "python",
            "version": sys.version.split()[0],
            "mimetype": "text/x-python",
            "codemirror_mode": {"name": "ipython", "version": 3},
            "pygments_lexer": "ipython3",
            "nbconvert_exporter": "python",
            "file_extension": ".py",
        },
        "banner": shell.banner,
        "help_links": [{"text": text, "url": url} for text, url in links.items()],
        # Looked for, not imported: that would double the time that a start takes.
        "debugger": PathFinder.find_spec("debugpy") is not None,
    }


def keep_log_out_of_cells():
    """IPython's log without an application: a cell that sets up logging does not mean it. With one see application.py."""
    import logging

    logging.getLogger("traitlets").propagate = False


def faults_to_descriptor():
    """faulthandler writes to a descriptor by itself, so its default must be a real one."""
    import faulthandler

    enable, register = faulthandler.enable, faulthandler.register

    def enable_on_descriptor(file=sys.__stderr__, all_threads=True, **kwargs):
        return enable(file=file, all_threads=all_threads, **kwargs)

    def register_on_descriptor(signum, file=sys.__stderr__, all_threads=True, chain=False, **kwargs):
        return register(signum, file=file, all_threads=all_threads, chain=chain, **kwargs)

    faulthandler.enable, faulthandler.register = enable_on_descriptor, register_on_descriptor


def keep_quiet_about_signals(trio):
    """It takes our descriptor for signals while it runs, gives it back, and would warn of that in every cell."""
    import warnings

    warnings.filterwarnings("ignore", ".*Trio's signal handling code might have collided", RuntimeWarning)


def debugger_can_be_interrupted():
    """pdb's own prompt swallows interrupts; IPython's does not."""
    from .imports import after_import

    def replace(debugger):
        import pdb

        if hasattr(debugger, "InterruptiblePdb"):
            debugger.Pdb = debugger.InterruptiblePdb
            pdb.Pdb, pdb.set_trace = debugger.Pdb, debugger.set_trace

    after_import("pdb", lambda pdb: __import__("IPython.core.debugger"))
    after_import("IPython.core.debugger", replace)
