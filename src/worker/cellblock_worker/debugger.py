"""debug_request: what ipykernel adds to the debug adapter protocol, over debugpy. Imported with the first such request.

debugpy's adapter is a child process that listens on the jail's own loopback, where nobody but this worker can reach it. Front
ends speak with it through the control channel; `adapter.Connection` carries the messages. Nothing here waits for an
answer: replies are sent when they arrive, so that `continue` gets through while an expression is being evaluated.
"""

import os
import sys
import threading
from ast import literal_eval

from IPython.core.inputtransformer2 import leading_empty_lines

from . import adapter, cellnames, messages, variables

# Modules of the standard library that the worker loads on its own account, some of them after its start.
LOADED_BY_US = ("asyncio", "concurrent", "ssl", "subprocess", "selectors", "pdb", "bdb", "cmd", "debugpy")
PACKAGES_OF_KERNEL = ("cellblock_worker", "IPython", "traitlets")
NOT_TO_BE_INSPECTED = ("special variables", "function variables")  # Groups that front ends show like variables


class Refused(Exception):
    """The request cannot be done; the text tells the user why."""


class Debugger:
    def __init__(self, shell, link, modules_at_start):
        self._shell = shell
        self._link = link
        self._modules_at_start = modules_at_start
        self._connection = None
        self._breakpoints = {}  # path → list of {"line": …}
        self._stopped = set()  # thread ids
        self._last_request = None
        self._removed_transform = None
        self._awaits_initialized = False
        self._explorer = None
        self._hook = sys.breakpointhook
        self._lock = threading.RLock()  # Control thread and adapter's reader
        self._commands = {
            "debugInfo": self._debug_info,
            "inspectVariables": self._inspect_variables,
            "richInspectVariables": self._rich_inspect_variables,
            "modules": self._modules,
            "copyToGlobals": self._copy_to_globals,
        }
        self._commands_when_started = {
            "initialize": self._pass_on,
            "attach": self._attach,
            "configurationDone": lambda request: self._done(request),  # `attach` has done it already
            "disconnect": self._disconnect,
            "dumpCell": self._dump_cell,
            "setBreakpoints": self._set_breakpoints,
            "source": self._source,
            "variables": self._variables,
        }

    @property
    def _is_started(self):
        return self._connection is not None

    def handle(self, request):
        """In the control thread. Replies now or later."""
        self._last_request = request
        try:
            with self._lock:
                self._handle(request)
        except Refused as reason:
            self._fail(request, str(reason))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self._fail(request, f"the debug request is not understood: {error!r}")

    def _handle(self, request):
        command = request.content["command"]
        if not adapter.is_installed():
            raise Refused(f"{sys.executable} has no debugpy, which does the debugging; install it with "
                          f"`{sys.executable} -m pip install debugpy` and restart the kernel")
        if command == "initialize" and not self._is_started:
            self._start()
        if command in self._commands:
            self._commands[command](request)
        elif self._is_started:
            self._commands_when_started.get(command, self._pass_on)(request)
        else:
            self._link.reply(request, {})  # As ipykernel: front ends ask before they know.

    # Replies

    def _done(self, request, body=None, **more):
        self._link.reply(request, {"type": "response", "request_seq": request.content["seq"], "success": True,
                                   "command": request.content["command"], **({} if body is None else {"body": body}), **more})

    def _fail(self, request, message):
        content = request.content
        self._link.reply(request, {"type": "response", "request_seq": content.get("seq"), "success": False,
                                   "command": content.get("command"), "message": message, "body": {}})

    def _pass_on(self, request):
        self._ask_adapter(request, request.content, lambda answer: self._link.reply(request, answer))

    def _ask_adapter(self, request, message, then):
        """`then(answer)` in the reader's thread; what goes wrong in it is the request's failure."""
        if not self._is_started:
            raise Refused("the debugger is not started")

        def answered(answer):
            try:
                with self._lock:
                    then({**answer, "request_seq": request.content["seq"], "command": request.content["command"]})
            except Exception as error:
                self._fail(request, f"the debugger's answer is not understood: {error!r}")

        self._connection.ask(message["command"], message.get("arguments"), answered)

    # Start and end

    def _start(self):
        try:
            os.makedirs(cellnames.directory(), mode=0o700, exist_ok=True)
            self._connection = adapter.connect(self._on_event, self._on_adapter_gone)
        except Exception as error:
            raise Refused(f"the debugger cannot be started: {error}; a limit of processes or memory may be too low for it, "
                          "restart the kernel to try again") from error
        # Cells must keep their leading empty lines, or breakpoints would be off by them.
        transforms = self._shell.input_transformer_manager.cleanup_transforms
        if leading_empty_lines in transforms:
            self._removed_transform = transforms.index(leading_empty_lines)
            transforms.remove(leading_empty_lines)

    def _end(self):
        self._connection = None
        self._breakpoints = {}
        self._stopped = set()
        self._awaits_initialized = False
        sys.breakpointhook = self._hook
        if adapter.begin_cell in self._shell.events.callbacks["pre_run_cell"]:
            self._shell.events.unregister("pre_run_cell", adapter.begin_cell)
        if self._removed_transform is not None:
            transforms = self._shell.input_transformer_manager.cleanup_transforms
            transforms.insert(self._removed_transform, leading_empty_lines)
            self._removed_transform = None

    def _attach(self, request):
        host, port = adapter.endpoint()
        arguments = {**request.content["arguments"], "connect": {"host": host, "port": port},
                     "debugOptions": ["DebugStdLib"],
                     "rules": [{"path": path, "include": False} for path in self._files_of_kernel()]}
        self._awaits_initialized = True

        def attached(answer):
            if answer.get("success"):
                sys.breakpointhook = adapter.breakpointhook()
                self._shell.events.register("pre_run_cell", adapter.begin_cell)
            self._link.reply(request, answer)

        self._ask_adapter(request, {"command": "attach", "arguments": arguments}, attached)

    def _files_of_kernel(self):
        """Steps do not stop in what lies below every cell."""
        files = [os.path.join(os.path.dirname(sys.modules[name].__file__), "**") for name in PACKAGES_OF_KERNEL]
        for name, module in sys.modules.copy().items():
            if name in self._modules_at_start or name.partition(".")[0] in LOADED_BY_US:
                file = getattr(module, "__file__", None)
                if file:
                    files.append(file)
        return files

    def _disconnect(self, request):
        connection = self._connection

        def disconnected(answer):
            self._end()
            connection.close()
            self._link.reply(request, answer)

        self._ask_adapter(request, request.content, disconnected)

    # Events, in the reader's thread

    def _on_event(self, event):
        with self._lock:
            kind, body = event["event"], event.get("body") or {}
            if kind == "initialized" and self._awaits_initialized:
                # Front ends of kernels do not send it at the right moment; ipykernel does it for them.
                self._awaits_initialized = False
                self._connection.ask("configurationDone", None, lambda answer: None)
            elif kind == "stopped" and body.get("allThreadsStopped"):
                self._connection.ask("threads", None, lambda answer: self._all_stopped(event, answer))
                return
            elif kind == "stopped":
                self._stopped.add(body["threadId"])
            elif kind == "continued" and body.get("allThreadsContinued"):
                self._stopped = set()
            elif kind == "continued":
                self._stopped.discard(body["threadId"])
            self._publish(event)

    def _all_stopped(self, event, answer):
        """The front end asks for variables as soon as it hears of the stop; who has stopped must be known before."""
        with self._lock:
            threads = (answer.get("body") or {}).get("threads") or [{"id": event["body"].get("threadId")}]
            self._stopped.update(thread["id"] for thread in threads)
            self._publish(event)

    def _publish(self, event):
        self._link.publish("debug_event", event, request=self._last_request, topic=messages.topic("debug_event"))

    def _on_adapter_gone(self):
        with self._lock:
            self._end()

    # Commands of Jupyter's own

    def _debug_info(self, request):
        self._done(request, {
            "isStarted": self._is_started,
            "hashMethod": "Murmur2",
            "hashSeed": cellnames.HASH_SEED,
            "tmpFilePrefix": cellnames.directory() + os.sep,
            "tmpFileSuffix": ".py",
            "breakpoints": [{"source": path, "breakpoints": lines} for path, lines in self._breakpoints.items()],
            "stoppedThreads": list(self._stopped),
            "richRendering": True,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": True,
        })

    def _dump_cell(self, request):
        code = request.content["arguments"]["code"]
        path = cellnames.file_name(code)
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(code)
        self._done(request, {"sourcePath": path})

    def _set_breakpoints(self, request):
        arguments = request.content["arguments"]
        path = arguments["source"]["path"]
        self._breakpoints[path] = arguments["breakpoints"]

        def answered(answer):
            if answer.get("success"):
                # It may have moved them to lines that have code.
                self._breakpoints[path] = [{"line": point["line"]} for point in answer["body"]["breakpoints"]]
            self._link.reply(request, answer)

        self._ask_adapter(request, request.content, answered)

    def _source(self, request):
        try:
            with open(request.content["arguments"]["source"]["path"], encoding="utf-8") as file:
                content = file.read()
        except (OSError, UnicodeDecodeError):
            raise Refused("source unavailable") from None
        self._done(request, {"content": content})

    def _inspect_variables(self, request):
        self._explorer = variables.Explorer(self._shell.user_ns)
        self._done(request, {"variables": self._explorer.children()}, seq=request.content["seq"])

    def _variables(self, request):
        if not self._stopped:
            reference = request.content["arguments"]["variablesReference"]
            if self._explorer is None:
                self._explorer = variables.Explorer(self._shell.user_ns)
            return self._done(request, {"variables": self._explorer.children(reference)}, seq=request.content["seq"])

        def answered(answer):
            if answer.get("success"):
                body = answer["body"]
                body["variables"] = [one for one in body["variables"] if variables.is_the_users(one["name"])]
            self._link.reply(request, answer)

        return self._ask_adapter(request, request.content, answered)

    def _rich_inspect_variables(self, request):
        arguments = request.content["arguments"]
        name = arguments["variableName"]
        if not name.isidentifier():
            return self._rich_reply(request, {}, {}, name in NOT_TO_BE_INSPECTED)
        if not self._stopped or arguments.get("frameId") is None:
            value = self._shell.user_expressions({name: name})[name]
            return self._rich_reply(request, value.get("data", {}), value.get("metadata", {}))

        def answered(answer):
            data, metadata = literal_eval(answer["body"]["result"]) if answer.get("success") else ({}, {})
            self._rich_reply(request, data, metadata)

        return self._ask_adapter(request, {"command": "evaluate", "arguments": {
            "expression": f"get_ipython().display_formatter.format({name})", "frameId": arguments["frameId"],
            "context": "clipboard"}}, answered)  # This context does not shorten the result.

    def _rich_reply(self, request, data, metadata, success=True):
        self._link.reply(request, {
            "type": "response", "request_seq": request.content["seq"], "success": success,
            "command": request.content["command"],
            "body": {"data": data, "metadata": {kind: value for kind, value in metadata.items() if kind in data}}})

    def _modules(self, request):
        arguments = {**request.content, **(request.content.get("arguments") or {})}
        modules = list(sys.modules.copy().values())
        start = arguments.get("startModule", 0)
        wanted = list(enumerate(modules))[start:start + arguments.get("moduleCount", len(modules))]
        found = []
        for number, module in wanted:
            path = getattr(getattr(module, "__spec__", None), "origin", None)
            if isinstance(path, str) and path.endswith(".py"):
                found.append({"id": number, "name": module.__name__, "path": path})
        self._done(request, {"modules": found, "totalModules": len(modules)})

    def _copy_to_globals(self, request):
        arguments = request.content["arguments"]
        target, source = arguments["dstVariableName"], arguments["srcVariableName"]
        if not (target.isidentifier() and source.isidentifier()):
            raise Refused("dstVariableName and srcVariableName must be valid identifiers")
        self._ask_adapter(request, {"command": "setExpression", "arguments": {
            "expression": f"globals()['{target}']", "value": source, "frameId": arguments["srcFrameId"]}},
            lambda answer: self._link.reply(request, answer))
