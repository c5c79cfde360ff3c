"""One cell: from execute_request to execute_reply, message for message as ipykernel."""

import copy

from IPython.core.interactiveshell import InteractiveShell, _asyncio_runner

from . import messages
from .shared import Numbering, number_of

MAX_RECORDED = 1024 * 1024  # Characters of a cell's prints that IPython's history keeps


class Executor:
    def __init__(self, shell, link, loop, interrupts, forks):
        self._shell = shell
        self._link = link
        self._loop = loop
        self._interrupts = interrupts
        self._forks = forks
        self._transforms = _transforms(shell)
        self._numbering = Numbering(shell)

    def of_subshell(self, loop, interrupts):
        """The same for another thread: that of a subshell."""
        executor = copy.copy(self)
        executor._loop, executor._interrupts = loop, interrupts
        return executor

    def begin(self, request):
        """Runs the cell. One that awaits is returned as a coroutine, for the loop."""
        cell = self._announce(request)
        transformed = self._transformed_if_it_awaits(cell.code)
        if transformed is not None:
            return self._run_awaiting(cell, transformed)
        self._finish(cell, self._run(cell))
        return None

    def run_in_thread(self, request):
        """A cell on the control channel: the main thread may be busy, and this one gets no signals."""
        cell = self._announce(request)
        result = self._shell.run_cell(cell.code, store_history=cell.store_history, silent=cell.silent, **self._more(cell))
        self._reply(cell, result, self._shell.user_expressions)

    def _announce(self, request):
        cell = Cell(request)
        self._numbering.begin()
        count = self._shell.execution_count
        if not cell.silent:
            self._link.publish("execute_input", {"code": cell.code, "execution_count": count}, request=request,
                               topic=messages.topic("execute_input"))
            request.record = stream_history(self._shell, count)
        return cell

    def _run(self, cell):
        shell, count = self._shell, self._shell.execution_count
        try:
            return self._interrupts.run(lambda: shell.run_cell(
                cell.code, store_history=cell.store_history, silent=cell.silent, **self._more(cell)))
        except (KeyboardInterrupt, MemoryError) as error:
            return self._interrupted(cell, error, count)

    def _interrupted(self, cell, error, count):
        """An interrupt, or a shortage of memory, that came before or after the cell's own code, where IPython does not
        expect it."""
        shell = self._shell
        if cell.store_history and shell.execution_count == count:
            shell.execution_count += 1
        shell._showtraceback(type(error), error, shell.InteractiveTB.get_exception_only(type(error), error))
        return Ended(error)

    async def _run_awaiting(self, cell, transformed):
        from asyncio import CancelledError

        shell, count = self._shell, self._shell.execution_count
        shell._last_traceback, shell._last_traceback_during_displayhook = None, False
        result = None
        try:
            result = await self._loop.interruptible(shell.run_cell_async(
                cell.code, store_history=cell.store_history, silent=cell.silent, transformed_cell=transformed,
                **self._more(cell)))
        except (KeyboardInterrupt, CancelledError) as error:
            result = self._interrupted(cell, error, count)
        finally:
            shell.events.trigger("post_execute")
            if not cell.silent:
                shell.events.trigger("post_run_cell", result)
        self._finish(cell, result)

    def _finish(self, cell, result):
        if self._forks.in_child:
            self._forks.end_child(failed=not result.success)
        self._reply(cell, result, lambda wanted: self._interrupts.run(lambda: self._shell.user_expressions(wanted)))

    def _reply(self, cell, result, user_expressions):
        self._numbering.end()  # IPython does not count empty cells.
        shell = self._shell
        content = {"status": "ok"}
        if not result.success or shell._last_traceback_during_displayhook:
            error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
            content = {"status": "error", "traceback": shell._last_traceback or [], "ename": type(error).__name__,
                       "evalue": _text_of(error),
                       "engine_info": {"engine_uuid": messages.KERNEL_ID, "engine_id": -1, "method": "execute"}}
        content["execution_count"] = number_of(result, shell.execution_count - 1)
        content["user_expressions"] = {}
        if content["status"] == "ok" and cell.user_expressions:
            content["user_expressions"] = user_expressions(cell.user_expressions)
        content["payload"] = shell.payload_manager.take(cell.request)
        metadata = {"started": cell.started, "dependencies_met": content.get("ename") != "UnmetDependency",
                    "engine": messages.KERNEL_ID, "status": content["status"]}
        self._link.reply(cell.request, content, metadata, leave=bool(shell.exit_now))

    def _transformed_if_it_awaits(self, code):
        """The transformed code of a cell that needs a loop, else None. `await` and `async` are words of the code, unless
        somebody has added transformers: then their result counts."""
        shell = self._shell
        if shell.loop_runner is not _asyncio_runner:
            return None
        if "await" not in code and "async" not in code and _transforms(shell) == self._transforms:
            return None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            return None  # run_cell() meets it again and shows it.
        return transformed if shell.should_run_async(code, transformed_cell=transformed) else None

    def _more(self, cell):
        """Arguments that came with later versions of IPython."""
        more = {"cell_id": cell.cell_id, "cell_meta": cell.request.metadata}
        accepted = _own_parameters()
        if "run_cell" in self._shell.__dict__:
            accepted = _parameters_of(self._shell.run_cell, accepted)  # A front end has put its own function there.
        return {name: value for name, value in more.items() if name in accepted}


class Cell:
    """What an execute_request asks for."""

    def __init__(self, request):
        content = request.content
        self.request = request
        self.started = messages.now()
        self.code = content["code"]
        self.silent = content.get("silent", False)
        self.store_history = content.get("store_history", not self.silent)
        self.user_expressions = content.get("user_expressions") or {}
        self.cell_id = request.metadata.get("cellId")


class Ended:
    """Stands for IPython's ExecutionResult when an interrupt left none."""

    success = False
    error_before_exec = None
    info = None

    def __init__(self, error):
        self.error_in_exec = error


def stream_history(shell, count):
    """What a cell prints goes into IPython's history too, for %notebook; IPython 8 keeps none."""
    outputs = getattr(shell.history_manager, "outputs", None)
    if outputs is None:
        return None
    from IPython.core.history import HistoryOutput

    left = MAX_RECORDED

    def record(name, text):
        nonlocal left
        text = text[:left]
        left -= len(text)
        kind, kept = "out_stream" if name == "stdout" else "err_stream", outputs[count]
        if not text:
            return
        if not kept or kept[-1].output_type != kind:
            kept.append(HistoryOutput(output_type=kind, bundle={"stream": []}))
        kept[-1].bundle["stream"].append(text)

    return record


def _own_parameters():
    """Names that IPython's own run_cell takes; ours hands everything on."""
    code = InteractiveShell.run_cell.__code__
    return code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]


def _parameters_of(function, accepted):
    from inspect import Parameter, signature

    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):
        return ()
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return accepted
    return [name for name in accepted if name in parameters]


def _transforms(shell):
    manager = shell.input_transformer_manager
    return [len(shell.input_transformers_post), len(manager.cleanup_transforms), len(manager.line_transforms),
            len(manager.token_transformers)]


def _text_of(error):
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} whose text cannot be made>"
