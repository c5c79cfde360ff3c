"""Completion, inspection, completeness and history: questions about code that do not run it."""

import sys

TYPES_KEY = "_jupyter_types_experimental"


def complete(shell, content):
    from IPython.core.completer import provisionalcompleter, rectify_completions

    code, cursor = content["code"], content.get("cursor_pos")
    if cursor is None:
        cursor = len(code)
    with provisionalcompleter():
        completions = list(rectify_completions(code, shell.Completer.completions(code, cursor)))
    types = [{"start": c.start, "end": c.end, "text": c.text, "type": c.type, "signature": c.signature} for c in completions]
    return {"matches": [c.text for c in completions],
            "cursor_end": completions[0].end if completions else cursor,
            "cursor_start": completions[0].start if completions else cursor,
            "metadata": {TYPES_KEY: types},
            "status": "ok"}


def inspect(shell, content):
    from IPython.utils.tokenutil import token_at_cursor

    name = token_at_cursor(content["code"], content["cursor_pos"])
    reply = {"status": "ok", "data": {}, "metadata": {}}
    try:
        bundle = shell.object_inspect_mime(name, detail_level=content.get("detail_level", 0),
                                           omit_sections=set(content.get("omit_sections", [])))
    except KeyError:
        reply["found"] = False
        return reply
    reply["data"].update(bundle)
    if not shell.enable_html_pager:
        reply["data"].pop("text/html", None)
    reply["found"] = True
    return reply


def is_complete(shell, content):
    status, indent = shell.input_transformer_manager.check_complete(content["code"])
    return {"status": status, "indent": " " * indent} if status == "incomplete" else {"status": status}


def history(shell, content):
    kind, manager = content.get("hist_access_type"), shell.history_manager
    raw, output = content.get("raw", True), content.get("output", False)
    if kind == "tail":
        entries = manager.get_tail(content.get("n"), raw=raw, output=output, include_latest=True)
    elif kind == "range":
        entries = manager.get_range(content.get("session", 0), content.get("start", 0), content.get("stop"),
                                    raw=raw, output=output)
    elif kind == "search":
        entries = manager.search(content.get("pattern", "*"), raw=raw, output=output, n=content.get("n"),
                                 unique=content.get("unique", False))
    else:
        entries = []
    return {"status": "ok", "history": list(entries)}


def comm_info(shell, content):
    """The open comms. Without the `comm` package loaded there are none, and no reason to load it."""
    comms = sys.modules["comm"].get_comm_manager().comms if "comm" in sys.modules else {}
    wanted = content.get("target_name")
    return {"comms": {key: {"target_name": comm.target_name} for key, comm in list(comms.items())
                      if wanted is None or comm.target_name == wanted},
            "status": "ok"}
