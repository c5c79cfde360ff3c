"""A conversation's record in a form that two kernels' records can be compared in, and the comparison."""

import difflib
import json
import re
from fnmatch import fnmatchcase

from normal import normal

from differential.words import ANY

KERNEL_SPECIFIC = [
    (re.compile(r"/[^\s'\"]*/kernel-under-test-\w+/notebooks"), "NOTEBOOKS"),
    (re.compile(r"/[^\s'\"]*ipykernel_\d+/"), "/tmp/ipykernel_N/"),
    (re.compile(r"/[^\s'\"]*/conversation-\w+"), "DIRECTORY"),
    (re.compile(r"IPY_MODEL_[0-9a-f]{32}"), "IPY_MODEL_ID"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{24}(_\d+_\d+)?\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "HEX"),
    (re.compile(r"/[^\s'\"]*/tmp\w{8}\b"), "TEMPORARY"),
]
ABSENT = object()


def record_of(recorder, scenario):
    """[(lane, message)]: what must come in the same order is in one lane."""
    numbers = {header["msg_id"]: number for number, header in enumerate(recorder.sent, 1)}
    lanes = {}
    patterns = [*KERNEL_SPECIFIC, *((re.compile(pattern), to) for pattern, to in scenario.leave_out)]
    for channel, topics, message in recorder.received:
        parent = message["parent_header"].get("msg_id")
        if parent in recorder.own_requests:
            continue
        number = numbers.get(parent, "none")
        lane = channel
        if channel == "iopub" and number != "none" and recorder.channels[number - 1] == "control":
            lane = "iopub of control"  # Another thread's: its messages may come in between anywhere.
        if scenario.streams_apart and message["header"]["msg_type"] == "stream":
            lane = "streams " + message["content"]["name"]
        lanes.setdefault(lane, []).append(_message(message, topics if channel.startswith("iopub") else [], number, recorder, patterns))
    if recorder.exit_status is not None:
        lanes["process"] = [{"parent": 0, "type": "exit", "status": recorder.exit_status}]
    return {lane: _joined(messages) for lane, messages in lanes.items()}


def _message(message, topics, number, recorder, patterns):
    header = message["header"]
    said = {
        "parent": number,
        "type": header["msg_type"],
        "header": {"keys": sorted(header), "version": header["version"], "username": type(header["username"]).__name__,
                   "date": type(header["date"]).__name__},
        "topic": [topic.decode("utf-8", "replace") for topic in topics],
        "metadata": message["metadata"],
        "content": message["content"],
        "buffers": [bytes(buffer) for buffer in message["buffers"]],
    }
    if number != "none":
        sent = recorder.sent[number - 1]
        echoed = {key: str(value) for key, value in message["parent_header"].items() if value != sent.get(key)}
        missing = [key for key in sent if key not in message["parent_header"]]
        said["parent header"] = {"differs": {key: echoed[key] for key in echoed if key != "date"}, "lacks": missing}
    for key in ("topic", "metadata", "content"):
        said[key] = _normal(said[key], patterns)
    return said


def _normal(value, patterns):
    text = json.dumps(value, default=str, ensure_ascii=False)
    for pattern, replacement in patterns:
        text = pattern.sub(replacement, text)
    return normal(json.loads(text))


def _joined(messages):
    """Text that a stream sent in several messages, in one: how it was cut is a matter of time."""
    joined = []
    for message in messages:
        last = joined[-1] if joined else None
        if (last and message["type"] == last["type"] == "stream" and message["parent"] == last["parent"]
                and message["content"].get("name") == last["content"].get("name")):
            last["content"]["text"] += message["content"]["text"]
            continue
        joined.append(message)
    return joined


def differences(theirs, ours, parents_apart=False):
    """[(place, their value, our value)], ABSENT for what one side does not have."""
    found = []
    for lane in sorted({*theirs, *ours}):
        a, b = theirs.get(lane, []), ours.get(lane, [])
        if parents_apart:
            a, b = (sorted(side, key=lambda m: str(m["parent"])) for side in (a, b))
        names = [[f"{m['parent']} {m['type']} {m['content'].get('name', '')}".strip() if m["type"] == "stream" else
                  f"{m['parent']} {m['type']}" for m in side] for side in (a, b)]
        for kind, i, i_end, j, j_end in difflib.SequenceMatcher(None, *names, autojunk=False).get_opcodes():
            if kind == "equal":
                for x, y, name in zip(a[i:i_end], b[j:j_end], names[0][i:i_end]):
                    found += _of_values(f"{lane}: {name}", x, y)
            else:
                found += [(f"{lane}: {name}", m, ABSENT) for m, name in zip(a[i:i_end], names[0][i:i_end])]
                found += [(f"{lane}: {name}", ABSENT, m) for m, name in zip(b[j:j_end], names[1][j:j_end])]
    return found


def _of_values(place, theirs, ours):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [d for key in [*theirs, *(k for k in ours if k not in theirs)]
                for d in _of_values(f"{place}.{key}", theirs.get(key, ABSENT), ours.get(key, ABSENT))]
    # 1 and 1.0 and True are three different things to a front end.
    return [] if type(theirs) is type(ours) and repr(theirs) == repr(ours) else [(place, theirs, ours)]


def judge(found, expected):
    """What speaks against the two being the same, the meant differences considered; sentences."""
    problems, occurred = [], set()
    for place, theirs, ours in found:
        reasons = [e for e in expected if fnmatchcase(place, e.place) and _fits(e.theirs, theirs) and _fits(e.ours, ours)]
        occurred.update(reasons)
        if not reasons:
            problems.append(f"{place}\n    ipykernel: {_shown(theirs)}\n    ours:      {_shown(ours)}")
    problems += [f"the difference at {e.place!r} ({e.because}) does not occur any more: take it out of the scenario"
                 for e in expected if e not in occurred and not e.sometimes]
    return problems


def _fits(pattern, value):
    if value is ABSENT or pattern is None:
        return value is ABSENT and pattern in (None, ANY)
    return re.search(pattern, str(value), re.DOTALL) is not None


def _shown(value):
    return "nothing" if value is ABSENT else repr(value)
