"""Takes out of messages what differs from run to run: process numbers, addresses, ids, times, installation paths."""

import json
import re

PATTERNS = [
    (re.compile(r"/tmp/ipykernel_\d+/"), "/tmp/ipykernel_N/"),
    (re.compile(r"0x[0-9a-f]{6,}|(?<= at )[0-9a-f]{12}\b"), "0xN"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "HEX"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "DATE"),
    (re.compile(r"/[^\s'\"]*/lib/python3\.\d+/"), "LIB/"),
    (re.compile(r"~/[^\s'\"]*/lib/python3\.\d+/"), "LIB/"),
    (re.compile(r"/[^\s'\"]*/cellblock-written.txt"), "DIRECTORY/cellblock-written.txt"),
    (re.compile(r"/\S*/<frozen "), "DIRECTORY/<frozen "),
    # Lines of the interpreter's own importlib: another patch release has others.
    (re.compile(r"(<frozen [\w.]+>):\d+"), r"\1:N"),
]


# Frames of the kernel's own code; they are others here and there.
OWN_FRAMES = re.compile(r"(site-packages/(ipykernel|jupyter_client)|cellblock_worker|LIB/json)/")


def normal_traceback(lines):
    """Without the kernel's own frames, and each frame of a recursion once: the depth differs."""
    kept = []
    for line in lines:
        if not OWN_FRAMES.search(line) and line not in kept[-1:]:
            kept.append(line)
    return kept


def normal(value):
    if isinstance(value, str):
        for pattern, replacement in PATTERNS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        if "traceback" in value:
            value = {**value, "traceback": normal_traceback(normal(value["traceback"]))}
        return {normal(key): "PNG" if key == "image/png" and len(item) > 200 else normal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [normal(item) for item in value]
    return value


def normal_cell(published, reply, metadata):
    merged = []
    for msg_type, content, extra, buffers in published:
        content = json.loads(json.dumps(content, default=str))
        if msg_type == "stream" and merged and merged[-1][0] == "stream" and merged[-1][1]["name"] == content["name"]:
            merged[-1][1]["text"] += content["text"]
            continue
        merged.append([msg_type, content, extra, buffers])
    for entry in merged:
        entry[1] = normal(entry[1])
    reply = normal(json.loads(json.dumps(reply, default=str)))
    return {"published": merged, "reply": reply, "metadata": sorted(metadata)}
