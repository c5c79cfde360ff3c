"""The debugger as front ends drive it: debug_request on the control channel, debug_event on iopub, while cells run on shell."""

import dataclasses
import itertools
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.messages import next_iopub, reply_to, send

ASSIGN = "a = 1\nb = a + 1\nc = b + 1\nc"
CALL = "def outer(x):\n    y = x * 2\n    inner(y)\n    return y\n\ndef inner(z):\n    w = z + 1\n    return w\n\nouter(20)"


class Session:
    """One front end's debugger, with the messages in the order in which JupyterLab sends them."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.client = kernel.client
        self._numbers = itertools.count(1)
        self.seen = []  # iopub messages that were passed over

    def send(self, command, arguments=None, **more):
        content = {"type": "request", "seq": next(self._numbers), "command": command, **more}
        if arguments is not None:
            content["arguments"] = arguments
        return send(self.client, "debug_request", content, "control")

    def ask(self, command, arguments=None, timeout=60, **more):
        return reply_to(self.client, self.send(command, arguments, **more), "control", timeout)["content"]

    def body(self, command, arguments=None, **more):
        answer = self.ask(command, arguments, **more)
        assert answer["success"], answer
        return answer.get("body")

    def info(self):
        return self.body("debugInfo")

    def start(self, **attach):
        initialized = self.ask("initialize", {
            "clientID": "jupyterlab", "clientName": "JupyterLab", "adapterID": "python", "pathFormat": "path",
            "linesStartAt1": True, "columnsStartAt1": True, "supportsVariableType": True,
            "supportsVariablePaging": True, "supportsRunInTerminalRequest": True, "locale": "en"})
        assert initialized["success"], initialized
        attached = self.ask("attach", attach)
        assert attached["success"], attached
        return initialized

    def breakpoints(self, code, *lines, **more):
        """Dumps the cell and sets its breakpoints; the path of its file."""
        path = self.body("dumpCell", {"code": code})["sourcePath"]
        points = [{"line": line, **more} for line in lines]
        body = self.body("setBreakpoints", {"breakpoints": points, "source": {"path": path}, "sourceModified": False})
        assert all(point["verified"] for point in body["breakpoints"])
        self.ask("configurationDone")
        return path

    def execute(self, code, **options):
        options.setdefault("allow_stdin", False)
        return self.client.execute(code, **options)

    def event(self, name, timeout=60):
        """The next debug_event of that name; other iopub messages go to `seen`."""
        return self.iopub(lambda m: m["header"]["msg_type"] == "debug_event" and m["content"]["event"] == name,
                          f"the event {name}", timeout)

    def iopub(self, wanted, what, timeout=60):
        for message in self.seen:
            if wanted(message):
                self.seen.remove(message)
                return message
        deadline = time.monotonic() + timeout
        while True:
            message = next_iopub(self.client, deadline, f"{what}; so far: "
                                 f"{[(m['header']['msg_type'], m['content']) for m in self.seen][-12:]}")
            if wanted(message):
                return message
            self.seen.append(message)

    def stop_in(self, code, *lines, **options):
        """Runs a cell into its breakpoint: (message id, thread id)."""
        self.breakpoints(code, *lines)
        msg_id = self.execute(code, **options)
        return msg_id, self.event("stopped")["content"]["body"]["threadId"]

    def frames(self, thread):
        return self.body("stackTrace", {"threadId": thread, "startFrame": 0, "levels": 100})["stackFrames"]

    def locals(self, frame_id):
        scopes = self.body("scopes", {"frameId": frame_id})["scopes"]
        reference = next(scope["variablesReference"] for scope in scopes if scope["name"] == "Locals")
        return {v["name"]: v for v in self.body("variables", {"variablesReference": reference})["variables"]}

    def go_on(self, thread, msg_id):
        """Continues; the cell's reply."""
        self.body("continue", {"threadId": thread})
        return reply_to(self.client, msg_id)["content"]

    def run(self, code):
        return reply_to(self.client, self.execute(code))["content"]


@pytest.fixture
def session(start_kernel):
    return Session(start_kernel())


@pytest.fixture
def debugging(session):
    session.start()
    return session


# Before anything is started


def test_kernel_info_offers_the_debugger(session):
    content = session.kernel.request("kernel_info_request").content
    assert content.get("debugger", True) is True  # ipykernel has no such key any more, older front ends look at it
    assert "debugger" in content["supported_features"]


def test_debug_info_before_the_start(session):
    pid = session.kernel.run("import os, tempfile; (tempfile.gettempdir(), os.getpid())").result
    directory, number = eval(pid)
    assert session.info() == {
        "isStarted": False, "hashMethod": "Murmur2", "hashSeed": 0xC70F6907,
        "tmpFilePrefix": f"{directory}/ipykernel_{number}/", "tmpFileSuffix": ".py", "breakpoints": [],
        "stoppedThreads": [], "richRendering": True, "exceptionPaths": ["Python Exceptions"], "copyToGlobals": True}


@pytest.mark.cellblock_only  # ipykernel imports debugpy at its start
def test_an_idle_kernel_has_no_debugpy(session):
    session.info()
    assert session.kernel.run("import sys; [n for n in sys.modules if 'debugpy' in n or 'pydevd' in n]").result == "[]"


@pytest.mark.parametrize("command", ["threads", "stackTrace", "setBreakpoints", "dumpCell", "disconnect"])
def test_what_needs_a_debugger_is_answered_with_nothing_before_the_start(start_kernel, shared_kernels, command):
    session = Session(shared_kernels.current())
    msg_id = session.send(command, {})
    if command == "disconnect":
        assert session.info()["isStarted"] is False
        return
    assert reply_to(session.client, msg_id, "control")["content"] == {}


@pytest.mark.parametrize("started", [False, True])
def test_variables_while_nothing_is_stopped(session, started):
    if started:
        session.start()
    session.kernel.run("number = 7\nwords = {'x': [1, 2]}\n3")
    found = {v["name"]: v for v in session.body("inspectVariables")["variables"]}
    assert found["number"]["value"] == "7" and found["number"]["type"] == "int"
    assert not {"In", "Out", "_", "_1", "_i1", "get_ipython", "exit", "__builtins__"} & set(found)
    if not started:
        assert session.ask("variables", {"variablesReference": found["words"]["variablesReference"]}) == {}
        return
    inside = session.body("variables", {"variablesReference": found["words"]["variablesReference"]})["variables"]
    assert "[1, 2]" in [v["value"] for v in inside]


def test_rich_variables_without_a_debugger(session):
    session.kernel.run("class R:\n    def _repr_html_(self): return '<b>rich</b>'\nr = R()")
    body = session.body("richInspectVariables", {"variableName": "r"})
    assert body["data"]["text/html"] == "<b>rich</b>" and "text/plain" in body["data"]
    assert session.ask("richInspectVariables", {"variableName": "1 + 1"})["success"] is False
    assert session.body("richInspectVariables", {"variableName": "special variables"}) == {"data": {}, "metadata": {}}
    assert session.body("richInspectVariables", {"variableName": "missing"}) == {"data": {}, "metadata": {}}


def test_modules(session):
    body = session.ask("modules")["body"]
    assert body["totalModules"] >= len(body["modules"]) > 50
    assert all(module["path"].endswith(".py") for module in body["modules"])
    assert "IPython.core.interactiveshell" in [module["name"] for module in body["modules"]]


# Start


def test_initialize_tells_what_the_adapter_can(session):
    answer = session.start()
    assert answer["command"] == "initialize" and answer["type"] == "response" and answer["request_seq"] == 1
    assert answer["body"]["supportsSetVariable"] is True
    assert [f["filter"] for f in answer["body"]["exceptionBreakpointFilters"]] == ["raised", "uncaught", "userUnhandled"]
    assert session.info()["isStarted"] is True
    assert session.event("initialized")["parent_header"]["msg_type"] == "debug_request"


def test_a_cell_is_dumped_to_the_file_that_it_is_compiled_as(debugging):
    code = "\n\nimport sys\nsys._getframe().f_code.co_filename"
    path = debugging.body("dumpCell", {"code": code})["sourcePath"]
    assert debugging.kernel.run(code).result == repr(path)
    assert debugging.body("source", {"source": {"path": path}})["content"] == code
    info = debugging.info()
    assert path.startswith(info["tmpFilePrefix"]) and path.endswith(info["tmpFileSuffix"])


def test_source_that_does_not_exist(debugging):
    answer = debugging.ask("source", {"source": {"path": "/no/such.py"}})
    assert answer["success"] is False and answer["message"] == "source unavailable"


def test_breakpoints_are_remembered_and_moved_to_code(debugging):
    code = "\n# a comment\nx = 1\n\ny = 2"
    path = debugging.breakpoints(code, 3, 5)
    assert debugging.info()["breakpoints"] == [{"source": path, "breakpoints": [{"line": 3}, {"line": 5}]}]
    debugging.breakpoints(code)
    assert debugging.info()["breakpoints"] == [{"source": path, "breakpoints": []}]


def test_threads(debugging):
    names = [thread["name"] for thread in debugging.body("threads")["threads"]]
    assert "MainThread" in names
    assert not [name for name in names if name.startswith("cellblock")]


# Stopped


def test_stop_look_and_go_on(debugging):
    msg_id, thread = debugging.stop_in(ASSIGN, 3)
    frames = debugging.frames(thread)
    assert [(f["name"], f["line"]) for f in frames] == [("<module>", 3)]
    found = debugging.locals(frames[0]["id"])
    assert (found["a"]["value"], found["b"]["value"]) == ("1", "2") and "c" not in found
    assert not {"In", "Out", "_i", "get_ipython", "exit"} & set(found)
    assert debugging.info()["stoppedThreads"]
    assert debugging.go_on(thread, msg_id)["status"] == "ok"
    debugging.event("continued")
    assert debugging.info()["stoppedThreads"] == []
    assert debugging.kernel.run("c").result == "3"


def test_the_stopped_event_belongs_to_a_debug_request_and_to_its_topic(debugging):
    debugging.breakpoints(ASSIGN, 2)
    msg_id = debugging.execute(ASSIGN)
    event = debugging.event("stopped")
    assert event["parent_header"]["msg_type"] == "debug_request"
    assert event["content"]["body"]["reason"] == "breakpoint"
    assert event["content"]["body"]["allThreadsStopped"] is True
    debugging.go_on(event["content"]["body"]["threadId"], msg_id)


def test_steps_in_over_and_out(debugging):
    msg_id, thread = debugging.stop_in(CALL, 10)
    lines = []
    for command in ("stepIn", "next", "stepIn", "next", "stepOut", "next"):
        debugging.body(command, {"threadId": thread})
        debugging.event("stopped")
        frame = debugging.frames(thread)[0]
        lines.append((frame["name"], frame["line"]))
    assert lines[:4] == [("outer", 2), ("outer", 3), ("inner", 7), ("inner", 8)]
    assert lines[4][0] == "outer" and lines[5] == ("outer", 4)
    assert [f["name"] for f in debugging.frames(thread)] == ["outer", "<module>"]
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_stepping_over_the_last_line_ends_the_cell(debugging):
    msg_id, thread = debugging.stop_in("x = 1\ny = 2", 2)
    debugging.body("next", {"threadId": thread})
    assert reply_to(debugging.client, msg_id)["content"]["status"] == "ok"
    debugging.event("continued")
    assert debugging.info()["stoppedThreads"] == []


@pytest.mark.cellblock_only  # ipykernel stops somewhere in IPython then
def test_a_step_out_of_a_cell_does_not_stop_in_the_next_one(debugging):
    msg_id, thread = debugging.stop_in("x = 1\ny = 2", 2)
    debugging.body("next", {"threadId": thread})
    reply_to(debugging.client, msg_id)
    assert debugging.run("z = 3")["status"] == "ok"


def test_evaluate_and_set_a_variable(debugging):
    msg_id, thread = debugging.stop_in(ASSIGN, 3)
    frame = debugging.frames(thread)[0]["id"]
    assert debugging.body("evaluate", {"expression": "a + b * 10", "frameId": frame, "context": "repl"})["result"] == "21"
    assert debugging.ask("evaluate", {"expression": "missing", "frameId": frame, "context": "repl"})["success"] is False
    scopes = debugging.body("scopes", {"frameId": frame})["scopes"]
    debugging.body("setVariable", {"variablesReference": scopes[0]["variablesReference"], "name": "b", "value": "40"})
    debugging.go_on(thread, msg_id)
    assert debugging.kernel.run("c").result == "41"


def test_conditional_breakpoint_and_log_point(debugging):
    code = "for i in range(10):\n    total = i * i\nprint(total)"
    debugging.breakpoints(code, 2, condition="i == 7")
    msg_id = debugging.execute(code)
    thread = debugging.event("stopped")["content"]["body"]["threadId"]
    assert debugging.locals(debugging.frames(thread)[0]["id"])["i"]["value"] == "7"
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_rich_variables_and_copies_of_a_frame(debugging):
    code = "class R:\n    def _repr_html_(self): return '<i>local</i>'\ndef f():\n    local = R()\n    return 1\nf()"
    msg_id, thread = debugging.stop_in(code, 5)
    frame = debugging.frames(thread)[0]["id"]
    body = debugging.body("richInspectVariables", {"variableName": "local", "frameId": frame})
    assert body["data"]["text/html"] == "<i>local</i>"
    arguments = {"srcVariableName": "local", "dstVariableName": "copied", "srcFrameId": frame}
    assert debugging.ask("copyToGlobals", arguments)["success"] is True
    refused = debugging.ask("copyToGlobals", {**arguments, "dstVariableName": "not a name"})
    assert refused["success"] is False and "identifiers" in refused["message"]
    debugging.go_on(thread, msg_id)
    assert debugging.kernel.run("type(copied).__name__").result == "'R'"


def test_output_made_while_stopped_arrives(debugging):
    code = "print('before')\nx = 1\nprint('after')"
    msg_id, thread = debugging.stop_in(code, 2)
    frame = debugging.frames(thread)[0]["id"]

    def text(words):
        return lambda m: m["header"]["msg_type"] == "stream" and words in m["content"]["text"]

    assert debugging.iopub(text("before"), "what was printed before the stop")["parent_header"]["msg_id"] == msg_id
    debugging.body("evaluate", {"expression": "print('from ' + 'the console')", "frameId": frame, "context": "repl"})
    debugging.iopub(text("from the console"), "what was printed while stopped")
    debugging.go_on(thread, msg_id)
    debugging.iopub(text("after"), "what was printed after it")


def test_other_requests_are_answered_while_stopped(debugging):
    msg_id, thread = debugging.stop_in(ASSIGN, 2)
    assert debugging.kernel.client.control_channel.is_alive()
    info = send(debugging.client, "kernel_info_request", channel="control")
    assert reply_to(debugging.client, info, "control")["content"]["status"] == "ok"
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_a_thread_of_the_user_stops_too(debugging):
    code = "import threading\ndef work():\n    mine = 5\n    done.append(mine)\ndone = []\n" \
           "t = threading.Thread(target=work, name='worker')\nt.start(); t.join()\ndone"
    msg_id, thread = debugging.stop_in(code, 4)
    assert debugging.locals(debugging.frames(thread)[0]["id"])["mine"]["value"] == "5"
    assert "worker" in [t["name"] for t in debugging.body("threads")["threads"]]
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_an_awaiting_cell_stops(debugging):
    code = "import asyncio\nawait asyncio.sleep(0.01)\nafter = 1\nafter"
    msg_id, thread = debugging.stop_in(code, 3)
    assert debugging.frames(thread)[0]["line"] == 3
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_a_function_of_an_earlier_cell_stops(debugging):
    code = "def later(n):\n    return n + 1"
    debugging.breakpoints(code, 2)
    debugging.run(code)
    msg_id = debugging.execute("later(1)")
    thread = debugging.event("stopped")["content"]["body"]["threadId"]
    assert [f["name"] for f in debugging.frames(thread)] == ["later", "<module>"]
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_raised_exceptions_stop(debugging):
    debugging.body("setExceptionBreakpoints", {"filters": ["raised"]})
    code = "def f():\n    raise ValueError('seen')\ntry:\n    f()\nexcept ValueError:\n    pass"
    debugging.breakpoints(code)
    msg_id = debugging.execute(code)
    body = debugging.event("stopped")["content"]["body"]
    assert body["reason"] == "exception"
    assert debugging.body("exceptionInfo", {"threadId": body["threadId"]})["exceptionId"] == "ValueError"
    debugging.body("setExceptionBreakpoints", {"filters": []})
    assert debugging.go_on(body["threadId"], msg_id)["status"] == "ok"


def test_steps_go_into_libraries_unless_only_my_code_is_asked_for(debugging):
    code = "import colorsys\ncolorsys.rgb_to_hls(1, 0, 0)"
    msg_id, thread = debugging.stop_in(code, 2)
    debugging.body("stepIn", {"threadId": thread})
    debugging.event("stopped")
    assert debugging.frames(thread)[0]["name"] == "rgb_to_hls"
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


@pytest.mark.cellblock_only  # with ipykernel the cell does not always go on
def test_a_loop_can_be_paused(debugging):
    msg_id = debugging.execute("stop = False\nwhile not stop:\n    pass")
    time.sleep(0.5)
    thread = next(t["id"] for t in debugging.body("threads")["threads"] if t["name"] == "MainThread")
    debugging.ask("pause", {"threadId": thread})
    debugging.event("stopped")
    frame = debugging.frames(thread)[0]["id"]
    debugging.body("evaluate", {"expression": "stop = True", "frameId": frame, "context": "repl"})
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_an_error_in_a_debugged_cell_looks_like_any_other(debugging):
    code = "x = 1\n1 / 0"
    msg_id, thread = debugging.stop_in(code, 1)
    content = debugging.go_on(thread, msg_id)
    assert content["ename"] == "ZeroDivisionError"
    assert "Cell" in "".join(content["traceback"]) and "pydevd" not in "".join(content["traceback"])


# Ends


def test_disconnect_goes_on_and_a_second_session_works(debugging):
    msg_id, _ = debugging.stop_in(ASSIGN, 2)
    answer = debugging.ask("disconnect", {"restart": False, "terminateDebuggee": False})
    assert answer["success"] is True
    assert reply_to(debugging.client, msg_id)["content"]["status"] == "ok"
    info = debugging.info()
    assert (info["isStarted"], info["breakpoints"], info["stoppedThreads"]) == (False, [], [])
    assert debugging.run(ASSIGN)["status"] == "ok"
    debugging.start()
    msg_id, thread = debugging.stop_in(ASSIGN, 3)
    assert debugging.frames(thread)[0]["line"] == 3
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_leading_empty_lines_count_only_while_debugging(debugging):
    code = "\n\nx = 1\ny = 2"
    msg_id, thread = debugging.stop_in(code, 4)
    assert debugging.frames(thread)[0]["line"] == 4
    debugging.go_on(thread, msg_id)
    debugging.ask("disconnect", {})
    assert "line 1" in "".join(debugging.run("\n\n1 / 0")["traceback"])


@pytest.mark.cellblock_only  # ipykernel waits for the cell, which waits for the debugger
def test_shutdown_while_stopped(debugging):
    debugging.stop_in(ASSIGN, 2)
    msg_id = send(debugging.client, "shutdown_request", {"restart": True}, "control")
    assert reply_to(debugging.client, msg_id, "control")["content"] == {"status": "ok", "restart": True}
    debugging.kernel.wait(20)


def test_interrupt_while_nothing_is_stopped(debugging):
    debugging.breakpoints(ASSIGN, 2)
    msg_id = debugging.execute("print('runs', flush=True)\nwhile True: pass")
    debugging.iopub(lambda m: m["header"]["msg_type"] == "stream", "the cell's first words")
    debugging.kernel.interrupt()
    assert reply_to(debugging.client, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    msg_id = debugging.execute(ASSIGN)
    thread = debugging.event("stopped")["content"]["body"]["threadId"]
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


def test_interrupt_while_stopped(debugging):
    msg_id, _ = debugging.stop_in(ASSIGN, 2)
    debugging.kernel.interrupt()
    assert reply_to(debugging.client, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    assert debugging.kernel.run("6 * 7").result == "42"


@pytest.mark.cellblock_only  # ipykernel goes on believing that it is stopped, and stops no more
def test_after_an_interrupt_at_a_breakpoint_debugging_goes_on(debugging):
    msg_id, _ = debugging.stop_in(ASSIGN, 2)
    debugging.kernel.interrupt()
    assert reply_to(debugging.client, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    debugging.event("continued")
    assert debugging.info()["stoppedThreads"] == []
    msg_id = debugging.execute(ASSIGN)
    thread = debugging.event("stopped")["content"]["body"]["threadId"]
    assert debugging.locals(debugging.frames(thread)[0]["id"])["a"]["value"] == "1"
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


@pytest.mark.cellblock_only  # with ipykernel the kernel is gone then
def test_a_worker_that_dies_while_stopped_is_replaced_and_debugged_again(debugging):
    msg_id, thread = debugging.stop_in(ASSIGN, 2)
    frame = debugging.frames(thread)[0]["id"]
    debugging.send("evaluate", {"expression": "__import__('os')._exit(7)", "frameId": frame, "context": "repl"})
    assert reply_to(debugging.client, msg_id)["content"]["status"] == "error"
    assert debugging.run("1")["status"] == "ok"
    assert debugging.info()["isStarted"] is False
    debugging.start()
    msg_id, thread = debugging.stop_in(ASSIGN, 3)
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


# breakpoint()


def pdb_session(session, answers):
    """Runs a cell with breakpoint() and answers pdb's questions."""
    msg_id = session.execute("v = 5\nbreakpoint()\nv", allow_stdin=True)
    for answer in answers:
        question = session.client.get_stdin_msg(timeout=30)
        assert question["content"]["prompt"] == "ipdb> "
        session.client.input(answer)
    return reply_to(session.client, msg_id)["content"]


@pytest.mark.cellblock_only  # ipykernel's does nothing, because importing debugpy replaced sys.breakpointhook
def test_breakpoint_without_a_debugger_is_pdb(session):
    assert pdb_session(session, ["v = 6", "c"])["status"] == "ok"
    session.kernel.run("pass")
    session.body("inspectVariables")  # imports debugpy
    assert pdb_session(session, ["c"])["status"] == "ok"


def test_breakpoint_with_a_debugger_stops_there(debugging):
    code = "v = 5\nbreakpoint()\nw = v"
    debugging.breakpoints(code)
    msg_id = debugging.execute(code)
    thread = debugging.event("stopped")["content"]["body"]["threadId"]
    frame = debugging.frames(thread)[0]
    assert frame["name"] == "<module>" and frame["line"] in (2, 3)
    assert debugging.go_on(thread, msg_id)["status"] == "ok"


@pytest.mark.cellblock_only
def test_breakpoint_is_pdb_again_after_disconnect(debugging):
    debugging.ask("disconnect", {})
    assert pdb_session(debugging, ["c"])["status"] == "ok"


# Bad input


@pytest.mark.cellblock_only  # ipykernel does not answer these at all
@pytest.mark.parametrize("content", [
    {"type": "request", "seq": 1, "command": "dumpCell"},
    {"type": "request", "seq": 1, "command": "setBreakpoints", "arguments": {"source": 3}},
    {"type": "request", "seq": 1, "command": ["x"]},
    {"type": "request", "seq": 1, "command": "variables", "arguments": {"variablesReference": 99}},
    {"type": "request", "seq": 1, "command": "richInspectVariables", "arguments": {"variableName": None}},
    {"type": "request", "command": "debugInfo"}, {}])
def test_malformed_requests_are_refused(start_kernel, shared_kernels, content):
    session = Session(shared_kernels.current())
    if not session.info()["isStarted"]:
        session.start()
    answer = reply_to(session.client, send(session.client, "debug_request", content, "control"), "control")["content"]
    assert answer["success"] is False and answer["message"]
    assert session.info()["isStarted"] is True


# Everywhere


@pytest.mark.cellblock_only
@pytest.mark.parametrize("level", ["full", "namespaced"])
def test_every_isolation_allows_to_debug(start_kernel, spec, level):
    session = Session(start_kernel(dataclasses.replace(spec, argv=(*spec.argv, "--isolation", level))))
    session.start()
    msg_id, thread = session.stop_in(ASSIGN, 3)
    assert session.locals(session.frames(thread)[0]["id"])["b"]["value"] == "2"
    assert session.go_on(thread, msg_id)["status"] == "ok"


@pytest.mark.cellblock_only
def test_an_environment_without_debugpy_says_so(start_kernel, spec, public_directory):
    """An environment with IPython and what that needs."""
    bare = public_directory / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    packages = next((bare / "lib").glob("python*")) / "site-packages"
    needed = ("IPython", "traitlets", "pygments", "decorator", "jedi", "parso", "matplotlib_inline", "prompt_toolkit",
              "stack_data", "executing", "asttokens", "pure_eval", "wcwidth", "pexpect", "ptyprocess", "typing_extensions",
              "ipython_pygments_lexers", "comm", "psutil")
    for path in Path(pytest.__file__).parent.parent.iterdir():
        if path.name.partition(".")[0] in needed:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, packages / path.name)
    argv = [str(bare / "bin" / "python") if before == "--python" else part
            for before, part in zip(("", *spec.argv), spec.argv)]
    session = Session(start_kernel(dataclasses.replace(spec, argv=tuple(argv))))
    content = session.kernel.request("kernel_info_request").content
    assert content["debugger"] is False and "debugger" not in content["supported_features"]
    for command in ("debugInfo", "initialize", "inspectVariables"):
        answer = session.ask(command)
        assert answer["success"] is False and "pip install debugpy" in answer["message"]


# The wall-time limit

PRETEND = "get_ipython().kernel.link.publish('debug_event', {'type': 'event', 'event': '%s', 'seq': 1, 'body': {}})\n"


@pytest.fixture
def limited(start_kernel, spec):
    return Session(start_kernel(dataclasses.replace(spec, argv=(*spec.argv, "--wall-time", "3s"))))


@pytest.mark.cellblock_only
def test_a_stop_does_not_use_up_the_time_of_the_cell(limited):
    limited.start()
    msg_id, thread = limited.stop_in(ASSIGN, 3)
    time.sleep(5)
    assert limited.go_on(thread, msg_id)["status"] == "ok"
    msg_id, thread = limited.stop_in("import time\nx = 1\ntime.sleep(60)", 2)
    assert limited.go_on(thread, msg_id)["status"] == "error"


@pytest.mark.cellblock_only
def test_a_cell_cannot_stop_its_clock_by_pretending(limited):
    content = limited.run(PRETEND % "stopped" + "import time; time.sleep(60)")
    assert content["status"] == "error"


@pytest.mark.cellblock_only
def test_a_debugged_cell_gets_no_processor_time_by_pretending(limited):
    limited.start()
    began = time.monotonic()
    burn = "".join("    " + line for line in (PRETEND % "stopped" + PRETEND % "continued").splitlines(True))
    assert limited.run("while True:\n" + burn + "    for _ in range(1000): pass")["status"] == "error"
    assert time.monotonic() - began < 20
