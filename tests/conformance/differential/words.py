"""The words that scenarios are written in. All of them are data; recorder.py does what they say."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Send:
    """A message to the kernel. Named by its number among the scenario's messages, from 1.

    Values of the header and of the content may be `FromReply`.
    """

    msg_type: str
    content: object
    channel: str = "shell"
    metadata: dict = field(default_factory=dict)
    buffers: tuple = ()
    header: dict = field(default_factory=dict)
    waits: str = "reply"  # then for: "reply" and idle, "idle" only, "nothing"


@dataclass(frozen=True)
class Frames:
    """A message part by part, signed as it is: (header, parent header, metadata, content), bytes or objects."""

    parts: tuple
    channel: str = "shell"
    signed: bool = True


@dataclass(frozen=True)
class Until:
    """Waits for text in the streams of the scenario, or for so many messages of a type on iopub."""

    text: str = None
    msg_type: str = None
    count: int = 1


@dataclass(frozen=True)
class Answer:
    """Waits for an input_request and answers it."""

    value: object
    count: int = None  # wait for so many questions in all; one more than were answered, unless it says so
    if_asked: bool = False  # that there is no question is an answer, too: do not wait beyond the end of all messages


@dataclass(frozen=True)
class Asked:
    """Waits for so many input_requests in all."""

    count: int = 1


@dataclass(frozen=True)
class Signal:
    """SIGINT to the kernel's process group, as front ends do that interrupt by signal."""


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Settle:
    """Waits for the reply and the idle of everything sent so far."""


@dataclass(frozen=True)
class Exit:
    """Waits for the end of the kernel's process and records its status."""


@dataclass(frozen=True)
class Subscribe:
    """Another client subscribes to a topic of iopub. What comes to it at once is recorded."""

    topic: str


@dataclass(frozen=True)
class Restart:
    """Asks for the end, and starts the kernel again at the same addresses, as front ends restart one."""


@dataclass(frozen=True)
class FromReply:
    """A value for a header: what the reply to an earlier message of the scenario has in its content."""

    number: int
    key: str


ANY = ".*|"


@dataclass(frozen=True)
class Differs:
    """A difference that is meant.

    `place` is where, as the test prints it, with * for any text; `theirs` and `ours` are regular expressions that must
    be found in the values as Python prints them; None for a value that must not be there, ANY for one that may.
    """

    place: str
    theirs: object
    ours: object
    because: str
    # Whether it depends on timing inside of ipykernel, so that its absence proves nothing.
    sometimes: bool = False


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: tuple
    differs: tuple = ()
    fresh: bool = False  # needs kernels of its own: it ends them, or changes what cannot be changed back
    before: str = ""  # code of a silent cell that is no part of the comparison
    parents_apart: bool = False  # messages of different requests may come in any order on iopub
    # What descriptors carry is read by threads of ipykernel's, which let it come at any time. Only the text is compared.
    streams_apart: bool = False
    leave_out: tuple = ()  # (pattern, replacement) for what else differs from run to run


def scenario(name, *steps, **more):
    """Strings among the steps are cells."""
    return Scenario(name, tuple(cell(step) if isinstance(step, str) else step for step in steps), **more)


def cell(code, waits="reply", channel="shell", metadata=None, header=None, **content):
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
               "stop_on_error": True, **content}
    return Send("execute_request", content, channel, metadata or {}, header=header or {}, waits=waits)


def start(code, **content):
    """A cell whose end is not waited for: other steps follow while it runs."""
    return cell(code, waits="nothing", **content)


def asking(code, **content):
    """A cell that may ask for input."""
    return start(code, allow_stdin=True, **content)


def ask(msg_type, channel="shell", **content):
    return Send(msg_type, content, channel)


def say(msg_type, content=None, channel="shell", buffers=(), metadata=None, header=None):
    """A message that has no reply, or may have none. Should one come, it is recorded too."""
    return Send(msg_type, {} if content is None else content, channel, metadata or {}, tuple(buffers), header or {}, "idle")


def complete(code, cursor_pos=None):
    return ask("complete_request", code=code, cursor_pos=len(code) if cursor_pos is None else cursor_pos)


def inspect(code, cursor_pos=None, **more):
    return ask("inspect_request", code=code, cursor_pos=len(code) if cursor_pos is None else cursor_pos,
               **{"detail_level": 0, **more})


def is_complete(code):
    return ask("is_complete_request", code=code)


def history(hist_access_type, **content):
    return ask("history_request", **{"output": False, "raw": True, "hist_access_type": hist_access_type, **content})


def interrupt():
    return ask("interrupt_request", channel="control")
