"""What needs two to talk: input, debuggers, interrupts, comms, the end of the kernel."""

from differential.words import (Answer, Asked, Differs, Exit, FromReply, Pause, Restart, Settle, Signal, Subscribe, Until, ask, asking, cell, interrupt, say, scenario,
                                start)

SLEEP = "import time\nprint('began', flush=True)\ntime.sleep(30)\nprint('never')"
LOOP = "print('began', flush=True)\nwhile True: pass"

COMM = """
from comm import create_comm, get_comm_manager
def opened(comm, msg):
    print('opened', msg['content']['data'], [bytes(b) for b in msg['buffers']], msg['metadata'])
    comm.on_msg(lambda m: comm.send({'echo': m['content']['data']}, {'meta': 1}, [bytes(b)[::-1] for b in m['buffers']]))
    comm.on_close(lambda m: print('closed', m['content']['data']))
get_comm_manager().register_target('echo', opened)
"""


NO_SUCH_COMM = Differs("iopub: none stream stderr", "No such comm", None, "a log entry that ipykernel sends without a parent, so that nobody sees it")


def comm(kind, comm_id, data=None, **more):
    names = {"target_name": more.pop("target_name")} if "target_name" in more else {}
    return say("comm_" + kind, {"comm_id": comm_id, "data": {} if data is None else data, **names}, **more)


SCENARIOS = [
    # Input
    scenario("input", asking("x = input('name? ')\nprint('hello', x)"), Answer("Ana"), Settle(), "x"),
    scenario("input: without prompt, with odd prompts", asking("input()"), Answer(""), Settle(), asking("input(5)"), Answer("a"), Settle(), asking("input('é ☃\\n')"), Answer("𝒳"), Settle(),
             asking("input(prompt='p')"), Answer("z"), Settle()),
    scenario("input: several, text before", asking("print('first')\na = input('1')\nprint('second')\nb = input('2')\na + b"), Answer("x"), Answer("y"), Settle()),
    scenario("getpass", asking("import getpass\ngetpass.getpass('secret: ') * 2"), Answer("pw"), Settle(), asking("getpass.getpass()"), Answer("pw2"), Settle(),
             asking("import sys\ngetpass.getpass('p', stream=sys.stderr)"), Answer("s"), Settle(),
             differs=[Differs("stdin: 2 input_request.content.prompt", "^$", "Password: ", "the prompt that Python's own getpass has"),
                      Differs("iopub: 3 stream stderr*", "using ipykernel", "in a notebook", "it is another kernel's warning")]),
    scenario("input: refused", "input('p')", "import getpass; getpass.getpass()", "print('a'); input()", cell("input()", silent=True)),
    scenario("input: end of file", asking("input()"), Answer("\x04"), Settle(), "1"),
    scenario("input: odd answers", asking("input()"), Answer(5), Settle(), asking("input()"), Answer(None), Settle(), asking("input()"), Answer({}), Settle()),
    scenario("input: in an awaiting cell and in a thread", asking("import asyncio\nawait asyncio.sleep(0)\ninput('in await')"), Answer("a"), Settle()),
    scenario("input: sys.stdin", "import sys\nsys.stdin.readline()", "sys.stdin.read()"),
    scenario("input: with %%capture", asking("%%capture c\nx = input('captured? ')"), Answer("yes"), Settle(), "x"),
    scenario("input: from magics", asking("%reset"), Answer("n"), Settle(), fresh=True),
    scenario("input: a queue waits", asking("a = input('q')"), start("print('after', a)"), Pause(0.2), Answer("v"), Settle()),
    # Debuggers
    scenario("%debug", "def f(a):\n    b = a + 1\n    return b / 0\nf(7)", asking("%debug"), Answer("p a, b"), Answer("u"), Answer("l"), Answer("q"), Settle(), "1"),
    scenario("%debug: nothing to debug", asking("%debug"), Settle(), fresh=True),
    scenario("%debug with a statement", asking("%debug x = 5"), Answer("n"), Answer("c"), Settle(), fresh=True),
    scenario("pdb.set_trace", asking("import pdb\nx = 41\npdb.set_trace()\ny = x + 1"), Answer("p x"), Answer("n"), Answer("!z = 9"), Answer("c"), Settle(), "y"),
    scenario("pdb: quit", asking("import pdb; pdb.set_trace()\nreached = 1"), Answer("q"), Settle(), "'reached' in dir()"),
    scenario("pdb: post_mortem and set_trace of IPython", "def f(): 1/0\ntry: f()\nexcept Exception as e: kept = e", asking("import pdb; pdb.post_mortem(kept.__traceback__)"), Answer("w"), Answer("q"), Settle(),
             asking("from IPython.core.debugger import set_trace\nset_trace()\n5"), Answer("where"), Answer("c"), Settle(), leave_out=((r"skipping \d+ hidden", "skipping N hidden"),)),
    scenario("breakpoint()", asking("x = 1\nbreakpoint()\ny = x + 1"), Answer("p x", if_asked=True), Answer("c", if_asked=True), Settle(), "y",
             differs=[Differs("stdin: 1 input_request", None, "'ipdb> '", "ipykernel loses the hook of breakpoint() to the debugger's package, so that nothing happens"),
                      Differs("iopub: 1 stream stdout", None, "breakpoint\\(\\)", "as above")]),
    scenario("%pdb", "%pdb on", asking("1/0"), Answer("p 1"), Answer("q"), Settle(), "%pdb off", "%pdb", fresh=True),
    scenario("%run -d and %prun", "%%writefile script.py\nx = 1\ny = 2", asking("%run -d script.py"), Answer("c"), Settle(), leave_out=((r"script\.py:\d+", "script.py:N"),)),
    # Interrupts
    scenario("interrupt: idle", "1", interrupt(), "2", interrupt(), interrupt(), "3"),
    scenario("interrupt: in sleep", start(SLEEP), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: in a loop", start(LOOP), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: by signal", start(SLEEP), Until("began"), Pause(0.2), Signal(), Settle(), "1"),
    scenario("interrupt: in C", start("print('began', flush=True)\nimport threading\nthreading.Event().wait(30)"), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: caught", start("import time\nprint('began', flush=True)\ntry: time.sleep(30)\nexcept KeyboardInterrupt: print('caught')\nprint('on')"), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: finally runs", start("import time\ntry:\n    print('began', flush=True); time.sleep(30)\nfinally: print('finally')"), Until("began"), Pause(0.2), interrupt(), Settle()),
    scenario("interrupt: twice", start("import time\nprint('began', flush=True)\ntry: time.sleep(30)\nexcept KeyboardInterrupt:\n    print('once', flush=True); time.sleep(30)"), Until("began"), Pause(0.2), interrupt(),
             Until("once"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: the queue is aborted", start(SLEEP), start("'never'"), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: in input", asking("input('q')"), Asked(), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: in input, then asked again", asking("try: input('one')\nexcept KeyboardInterrupt: print('interrupted')\ninput('two')"), Asked(), Pause(0.2), interrupt(), Asked(2), Answer("v", 2), Settle()),
    scenario("interrupt: in a child process", start("import subprocess\nprint('began', flush=True)\nsubprocess.run(['sleep', '30'])"), Until("began"), Pause(0.4), interrupt(), Settle(), "1"),
    scenario("interrupt: in a !command", start("!echo began; sleep 30"), Until("began"), Pause(0.3), interrupt(), Settle(), "_exit_code"),
    scenario("interrupt: in a silent cell", start(SLEEP, silent=True), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: in a display method", "import time\nclass S:\n    def __repr__(self):\n        print('began', flush=True); time.sleep(30)", start("S()"), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: own handler", "import signal\ndef h(s, f): print('own handler', flush=True)\nold = signal.signal(signal.SIGINT, h)\nsignal.getsignal(signal.SIGINT) is h",
             "signal.getsignal(signal.SIGINT) is signal.default_int_handler", fresh=True),
    scenario("interrupt: traceback of functions", "import time\ndef outer():\n    inner()\ndef inner():\n    print('began', flush=True)\n    while True: time.sleep(0.5)", start("outer()"), Until("began"), Pause(0.2), interrupt(), Settle()),
    scenario("interrupt: in C that sleeps", start("import ctypes\nlibc = ctypes.CDLL(None)\nprint('began', flush=True)\n_ = libc.sleep(30)\nprint('never')"), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: in a regular expression", start("import re, time\nprint('began', flush=True)\ntime.sleep(0.3)\nre.match('(a+)+b', 'a' * 60)"), Until("began"), Pause(0.8), Signal(), Settle(), "1"),
    scenario("interrupt: in big numbers", start("import time\nprint('began', flush=True)\nfor i in range(10 ** 9): x = 3 ** 5000"), Until("began"), Pause(0.2), interrupt(), Settle(), "1"),
    scenario("interrupt: in numpy", "import numpy as np\na = np.random.default_rng(1).random(1_000_000)", start("print('began', flush=True)\nfor i in range(10_000): b = a.argsort()"), Until("began"), Pause(0.2), interrupt(),
             Settle(), "b.shape"),
    scenario("interrupt: in an awaiting cell", start("import asyncio\nprint('began', flush=True)\nawait asyncio.sleep(3)\nprint('ended')"), Until("began"), Pause(0.2), interrupt(), Settle(), "1",
             differs=[Differs("*: 1 *.content.traceback", "CancelledError", "KeyboardInterrupt", "ipykernel cancels when the loop wakes for something else, here after 3 s; Cellblock interrupts at once"),
                      Differs("*: 1 *.content.ename", "^CancelledError$", "^KeyboardInterrupt$", "as above")]),
    # Comms
    scenario("comm: from the front end", COMM, comm("open", "c1", {"a": 1}, target_name="echo"), ask("comm_info_request"), comm("msg", "c1", {"b": [2, None]}), comm("close", "c1", {"bye": 1}),
             ask("comm_info_request"), fresh=True),
    scenario("comm: buffers both ways", COMM, comm("open", "c2", {}, target_name="echo", buffers=[b"open", b""], metadata={"m": 1}), comm("msg", "c2", {}, buffers=[b"abc", bytes(range(256)), b"x" * 100_000]), fresh=True),
    scenario("comm: unknown target", comm("open", "c3", {"x": 1}, target_name="nobody"), ask("comm_info_request"), "1"),
    scenario("comm: unknown comm", comm("msg", "c4", {"x": 1}), comm("close", "c4"), "1", differs=[NO_SUCH_COMM]),
    scenario("comm: from the kernel", "from comm import create_comm\nc = create_comm(target_name='t', data={'d': 1}, metadata={'m': 2}, buffers=[b'12', bytearray(b'3')], comm_id='k1')",
             "c.send({'x': 1})", "c.send()", "c.send({'b': 1}, buffers=[memoryview(b'mv')])", "c.close({'last': 1})", "c.close()", "del c", ask("comm_info_request"), fresh=True),
    scenario("comm: data that is odd JSON", "from comm import create_comm\nc = create_comm(target_name='t', comm_id='k2')\nc.send({'b': b'bytes', 't': (1, 2), 1: 'int key', 'n': None})",
             "c.send({'o': object})", "c.send([1, 2])", "c.send('text')", "c.close()", fresh=True),
    scenario("comm: callbacks print, display and fail", "from comm import get_comm_manager\ndef opened(comm, msg):\n    print('p'); display('d')\n    comm.on_msg(lambda m: 1/0)\nget_comm_manager().register_target('f', opened)",
             comm("open", "c5", target_name="f"), "1", fresh=True),
    scenario("comm: callbacks see the counts", "from comm import get_comm_manager\ndef opened(comm, msg):\n    print(get_ipython().execution_count, get_ipython().parent_header['header']['msg_type'])\nget_comm_manager().register_target('g', opened)",
             comm("open", "c6", target_name="g"), "1", fresh=True),
    scenario("comm: opened twice, closed twice", COMM, comm("open", "c7", {}, target_name="echo"), comm("open", "c7", {}, target_name="echo"), comm("close", "c7"), comm("close", "c7"), fresh=True, differs=[NO_SUCH_COMM]),
    scenario("comm: a target by name", "from comm import get_comm_manager\nget_comm_manager().register_target('json_t', 'json.dumps')", comm("open", "c8", {}, target_name="json_t"), "1", fresh=True,
             leave_out=((r'Traceback(\\.|[^"\\])*', "TRACE"),)),
    scenario("comm: during an awaiting cell", COMM, start("import asyncio\nprint('began', flush=True)\nawait asyncio.sleep(1)\nprint('ended')"), Until("began"), Settle(), fresh=True),
    scenario("widgets", "import ipywidgets as w\ns = w.IntSlider(value=3, description='d')\ns", "s.value = 5", "o = w.Output()\nwith o: print('inside'); display(1)\no.outputs", "w.Box([w.Label('l')])",
             "o.clear_output()", "@o.capture()\ndef f(): print('captured')\nf()", "o", fresh=True),
    scenario("widgets: messages of the front end", "import ipywidgets as w\ns = w.IntSlider(value=3)\ns.observe(lambda c: print('changed', c['new']), 'value')\nid_ = s.model_id\ns.comm.comm_id == id_", fresh=True),
    # Displays that change
    scenario("display ids across cells", "h = display('first', display_id='id-1')", "h.update('second')", "display('other', display_id='id-1')", "from IPython.display import update_display\nupdate_display('third', display_id='id-1')",
             "h.display('fourth')", "str(h)", "update_display('x', display_id='nobody')"),
    scenario("display ids that are made", "h = display('x', display_id=True)\nlen(h.display_id)", "h.update({'text/plain': 'raw'}, raw=True)", "display(1, 2, display_id='both')"),
    scenario("clear_output", "from IPython.display import clear_output\nprint('a'); clear_output(); print('b')", "for i in range(3):\n    clear_output(wait=True); print(i)", "clear_output(5)", "display(1); clear_output(wait=True); display(2)"),
    scenario("progress bars", "from tqdm import tqdm\nfor i in tqdm(range(3), mininterval=9, bar_format='{n}/{total}'): pass", "from IPython.display import ProgressBar\np = ProgressBar(3)\nfor i in p: pass"),
    # The end
    scenario("shutdown", "1", ask("shutdown_request", channel="control", restart=False), Exit(), fresh=True),
    scenario("shutdown for a restart", "1", ask("shutdown_request", channel="control", restart=True), Exit(), fresh=True),
    scenario("shutdown on the shell channel", ask("shutdown_request", channel="shell", restart=False), Exit(), fresh=True),
    scenario("shutdown runs atexit", "import atexit\natexit.register(print, 'at exit')", ask("shutdown_request", channel="control", restart=False), Exit(), fresh=True, differs=[
        Differs("iopub: none stream stdout", "'at exit", None, "ipykernel sends such text without a parent and without its last line end, or not at all", sometimes=True),
        Differs("iopub: 1 stream stdout", None, r"'at exit\\n'", "it is the last cell's")]),
    scenario("exit", "exit", Exit(), fresh=True),
    scenario("quit() after text", "print('bye'); quit(); print('and more')", Exit(), fresh=True),
    scenario("restart", "x = 1", Restart(), "'x' in dir()", "6 * 7", fresh=True),
    scenario("restart with a comm", "from comm import create_comm\nc = create_comm(target_name='t', comm_id='r1')", Restart(), ask("comm_info_request"), "1", fresh=True),
    # Other clients
    scenario("iopub_welcome", Subscribe("stream."), "1"),
    scenario("iopub_welcome: of what somebody has subscribed to", Subscribe(""), "1",
             differs=[Differs("iopub*: none iopub_welcome", None, "'subscription': ''", "ipykernel welcomes only the first subscriber of a topic, Cellblock each")]),
    # Subshells
    scenario("subshells", ask("list_subshell_request", "control"), ask("create_subshell_request", "control"), ask("list_subshell_request", "control"),
             cell("print('beside'); s = 5", header={"subshell_id": FromReply(2, "subshell_id")}), "s", ask("delete_subshell_request", "control", subshell_id=FromReply(2, "subshell_id")),
             ask("list_subshell_request", "control"), fresh=True),
    scenario("subshells: beside a cell that runs", ask("create_subshell_request", "control"), start("import threading\ngo = threading.Event()\nprint('began', flush=True)\ngo.wait(20)"), Until("began"),
             cell("'beside'", header={"subshell_id": FromReply(1, "subshell_id")}), cell("go.set()", header={"subshell_id": FromReply(1, "subshell_id")}), Settle(), ask("delete_subshell_request", "control", subshell_id=FromReply(1, "subshell_id")), parents_apart=True, fresh=True,
             differs=[Differs("*: 2 execute_*.content.execution_count", "^3$", "^1$", "a cell keeps the number that it began with, whatever runs beside it")]),
    scenario("subshells: errors abort only their own queue", ask("create_subshell_request", "control"), start("import time; time.sleep(0.5); 1/0", header={"subshell_id": FromReply(1, "subshell_id")}),
             start("'aborted'", header={"subshell_id": FromReply(1, "subshell_id")}),
             start("print('runs')", silent=True), Settle(), parents_apart=True, fresh=True,
             leave_out=((r'"execution_count": \d+', '"execution_count": 1'),)),  # Whether the cell beside counts yet is chance.
    scenario("subshells: unknown", cell("1", header={"subshell_id": "nope"}), ask("delete_subshell_request", "control", subshell_id="nope"), ask("list_subshell_request", "control"), "'alive'"),
    scenario("usage_request", ask("usage_request", "control"), leave_out=((r": \d+(\.\d+)?(e-?\d+)?(?=[,}])", ": 1"),),
             differs=[Differs("control: 1 usage_reply.content.hostname", ".", "^cellblock$", "the jail has a name of its own")]),
    scenario("exit with the kernel kept", "exit(keep_kernel=True)", "1", fresh=True),

    # What libraries that talk do
    scenario("code.interact", asking("import code\ncode.interact(banner='b', local={'v': 5}, exitmsg='bye')"), Answer("v + 1"), Answer("\x04"), Settle(), fresh=True),
    scenario("help() asks", "help(len)", asking("help()"), Answer("len"), Answer("q"), Settle(), "copyright", "credits"),
    scenario("%%debug", asking("%%debug\nx = 1\ny = 2"), Answer("c"), Settle(), fresh=True),
    scenario("comm: what goes wrong in it is logged", "import logging\nlogging.basicConfig(force=True)", comm("open", "l1", target_name="nobody"), comm("msg", "l2"),
             "from comm import get_comm_manager\ndef fails(comm, msg): 1/0\nget_comm_manager().register_target('fails', fails)", comm("open", "l3", target_name="fails"), "1", fresh=True,
             differs=[NO_SUCH_COMM], leave_out=((r'Traceback(\\.|[^"\\])*', "TRACE"),)),
    scenario("comm: a target gets a Comm", "from comm import get_comm_manager\ndef opened(comm, msg): print(type(comm).__name__, type(comm).__module__, comm.target_name, comm.primary)\n"
             "get_comm_manager().register_target('t', opened)", comm("open", "l4", target_name="t"), ask("comm_info_request"), fresh=True),
    scenario("signals within a cell", "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT); time.sleep(5)", "signal.raise_signal(signal.SIGINT)", "import _thread\n_thread.interrupt_main(); time.sleep(1)",
             "signal.signal(signal.SIGALRM, lambda s, f: print('alarm'))\nsignal.alarm(1); time.sleep(1.3)", "signal.signal(signal.SIGUSR1, lambda s, f: print('usr'))\nos.kill(os.getpid(), signal.SIGUSR1)",
             "import asyncio\nasyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print, 'of the loop')\nos.kill(os.getpid(), signal.SIGUSR1); await asyncio.sleep(0.1)", fresh=True),
    scenario("shutdown runs finalisers", "class X:\n    def __del__(self): print('finalised')\nx = X()", ask("shutdown_request", channel="control", restart=False), Exit(), fresh=True, differs=[
        Differs("iopub: none stream stdout", "'finalised", None, "ipykernel sends such text without a parent, or not at all", sometimes=True),
        Differs("iopub: 1 stream stdout", None, r"'finalised\\n'", "it is the last cell's")]),
    scenario("shutdown waits for threads", "import threading, time\nt = threading.Thread(target=time.sleep, args=(0.5,)); t.start()", ask("shutdown_request", channel="control", restart=False), Exit(), fresh=True),
    scenario("pdb.run and Pdb by hand", asking("import pdb\npdb.Pdb().set_trace()\nx = 1"), Answer("c"), Settle(), asking("pdb.run('y = 2')"), Answer("c"), Settle(), "pdb.Pdb.__name__, pdb.Pdb.__module__", fresh=True),
    scenario("IPython.embed", asking("import IPython\nx = 3\nIPython.embed(colors='nocolor', banner1='')"), Answer("x + 1", if_asked=True), Answer("exit", if_asked=True), Settle(), "1", fresh=True,
             leave_out=((r"Tip: .*?\\n", "TIP"),)),
    scenario("interrupt: in a !command that reads", start("!echo began; cat"), Until("began"), Pause(0.3), interrupt(), Settle(), "1"),
]
