"""Which function answers which request, and the promise that each request is answered exactly once."""

import copy
import sys
import threading
import traceback
from _queue import SimpleQueue

from . import comms, introspection, requests

# Questions about code; their answers are the functions' results.
QUESTIONS = {
    "complete_request": introspection.complete,
    "inspect_request": introspection.inspect,
    "is_complete_request": introspection.is_complete,
    "history_request": introspection.history,
    "comm_info_request": introspection.comm_info,
}
COMMS = ("comm_open", "comm_msg", "comm_close")


class Dispatcher:
    def __init__(self, shell, link, executor, interrupts):
        self._shell = shell
        self._link = link
        self._executor = executor
        self._interrupts = interrupts
        self._control = None
        self._debugger = None
        self._modules_at_start = frozenset(sys.modules)
        self.loop_of = None  # from the id of a subshell, None for the main shell, to its loop

    def of_subshell(self, loop, interrupts):
        """The same for another thread: that of a subshell."""
        dispatcher = copy.copy(self)
        dispatcher._interrupts = interrupts
        dispatcher._executor = self._executor.of_subshell(loop, interrupts)
        return dispatcher

    def beside(self, request):
        """A comm message in the event loop of a cell that awaits, perhaps for just this message."""
        previous = requests.newest()
        try:
            requests.enter(request, True)
            self._answer(request)
        except BaseException as error:
            self._answer_error(request, error)
        finally:
            requests.step_back(request, previous)

    def on_shell(self, request):
        """In the shell's thread. Returns a coroutine when the answer needs the loop."""
        runs_user_code = request.msg_type == "execute_request" or request.msg_type in COMMS
        token = None
        try:
            token = requests.enter(request, runs_user_code)
            if request.msg_type == "execute_request":
                unfinished = self._executor.begin(request)
                if unfinished is not None:
                    return self._finish(request, unfinished)
            else:
                self._interrupts.run(lambda: self._answer(request))
        except BaseException as error:
            self._answer_error(request, error)
        if token is not None and not runs_user_code:
            requests.leave(token)
        return None

    async def _finish(self, request, unfinished):
        try:
            await unfinished
        except BaseException as error:
            self._answer_error(request, error)

    def on_control(self, request):
        """From the link's thread: answered by a thread of its own, while the main thread runs a cell."""
        requests.note_control(request)
        if self._control is None:
            try:
                self._control = ControlThread(self._answer_control)
            except RuntimeError as error:  # The jail's limit of processes is reached.
                self._answer_error(request, error)
                return
        self._control.requests.put(request)

    def _answer_control(self, request):
        try:
            requests.enter(request, False)
            if request.msg_type == "execute_request":
                self._executor.run_in_thread(request)
            else:
                self._answer(request)
        except BaseException as error:
            self._answer_error(request, error)

    def _answer(self, request):
        if request.msg_type == "debug_request":
            self._debug(request)
            return
        content = {"status": "ok"}
        if request.msg_type in QUESTIONS:
            content = QUESTIONS[request.msg_type](self._shell, request.content)
        elif request.msg_type in COMMS:
            asking = self.loop_of(comms.asking_subshell(request))
            if asking is not self.loop_of(request.subshell) and asking is not None:
                # It answers a cell of another shell, which waits for it in that shell's thread.
                if asking.post_beside(lambda: self.beside(request)):
                    return
            comms.handle(request, self._link)
        self._link.reply(request, content)

    def refuse(self, request, error):
        """Answers with an error, in whatever thread."""
        self._answer_error(request, error)

    def _debug(self, request):
        if self._debugger is None:
            from .debugger import Debugger

            self._debugger = Debugger(self._shell, self._link, self._modules_at_start)
        self._debugger.handle(request)

    def _answer_error(self, request, error):
        """Our own failure, or a reply that cannot be sent (not JSON, too big): the front end must not wait for ever."""
        if request.answered:
            return
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        content = {"status": "error", "ename": type(error).__name__, "evalue": str(error)[:10_000],
                   "traceback": [line[:10_000] for line in lines[-50:]]}
        if request.msg_type == "execute_request":
            content.update(execution_count=self._shell.execution_count - 1, user_expressions={}, payload=[])
        self._link.reply(request, content)


class ControlThread(threading.Thread):
    def __init__(self, answer):
        super().__init__(name="Control", daemon=True)  # ipykernel's name for it
        self.pydev_do_not_trace = self.is_pydev_daemon_thread = True
        self.requests = SimpleQueue()
        self._answer = answer
        self.start()

    def run(self):
        while True:
            self._answer(self.requests.get())
