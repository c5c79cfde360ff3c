"""The scenarios of the worker's own quick check (src/worker/tests), which knows recorded answers of ipykernel: here they
are held live, over sockets."""

from scenarios import SCENARIOS as RECORDED

from differential.scenarios.conversation import NO_SUCH_COMM
from differential.words import Exit, Scenario, Send, cell

WITHOUT_REPLY = ("comm_open", "comm_msg", "comm_close")


def _step(step):
    if isinstance(step, dict):
        kind = step["msg_type"]
        return Send(kind, step["content"], waits="idle" if kind in WITHOUT_REPLY else "reply")
    code, changes = step if isinstance(step, tuple) else (step, {})
    return cell(code, **changes)


# These end the kernel.
ENDING = ("exit", "quit_call")
# What they do stays with the kernel: exception modes, hooks, registered targets, output settings.
FRESH = (*ENDING, "tracebacks_again", "hooks", "results", "magics", "comms", "complete", "autoreload_and_friends",
         "shell_object", "history", "matplotlib", "matplotlib_by_environment", "exit_keep")

DIFFERS = {"comms": [NO_SUCH_COMM]}

SCENARIOS = [Scenario(f"recorded: {name}", (*map(_step, steps), *([Exit()] if name in ENDING else [])), fresh=name in FRESH, differs=DIFFERS.get(name, ()))
             for name, steps in RECORDED.items()]
