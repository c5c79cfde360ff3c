"""Completion, inspection, is_complete, history, kernel_info."""

import pytest


def complete(kernel, code, cursor=None):
    return kernel.request("complete_request", {"code": code, "cursor_pos": len(code) if cursor is None else cursor})


def test_names_are_completed(kernel):
    kernel.run("quite_a_long_name = 1")
    answer = complete(kernel, "quite_a_lo").content
    assert answer["matches"] == ["quite_a_long_name"]
    assert (answer["cursor_start"], answer["cursor_end"]) == (0, 10)


def test_completion_counts_code_points(kernel):
    kernel.run("quite_a_long_name = 1")
    answer = complete(kernel, "'🐍🐍'; quite_a_lo").content
    assert "quite_a_long_name" in answer["matches"]
    assert (answer["cursor_start"], answer["cursor_end"]) == (6, 16)


def test_completions_say_what_they_are(kernel):
    kernel.run("def some_function(): pass")
    types = complete(kernel, "some_func").content["metadata"]["_jupyter_types_experimental"]
    assert [t["type"] for t in types if t["text"] == "some_function"] == ["function"]


def test_attributes_and_modules_are_completed(kernel):
    kernel.run("import os")
    assert any(m.endswith("getcwd") for m in complete(kernel, "os.getc").content["matches"])


def test_nothing_to_complete_is_an_empty_answer(kernel):
    answer = complete(kernel, "no_such_name_at_all_").content
    assert answer["status"] == "ok" and answer["matches"] == []


def test_inspection_finds_the_documentation(kernel):
    answer = kernel.request("inspect_request", {"code": "len(", "cursor_pos": 3, "detail_level": 0}).content
    assert answer["found"] and "number of items" in answer["data"]["text/plain"]


def test_inspection_with_detail_shows_the_source(kernel):
    kernel.run("def shown():\n    return 'the source'")
    answer = kernel.request("inspect_request", {"code": "shown", "cursor_pos": 5, "detail_level": 1}).content
    assert answer["found"] and "the source" in answer["data"]["text/plain"]


def test_inspection_of_the_unknown_finds_nothing(kernel):
    answer = kernel.request("inspect_request", {"code": "no_such_thing", "cursor_pos": 4, "detail_level": 0}).content
    assert answer["status"] == "ok" and not answer["found"]


@pytest.mark.parametrize("code, status", [("1 + 1", "complete"), ("for i in x:", "incomplete"), ("x = = 1", "invalid"),
                                          ("print('", "incomplete"), ("def f():\n    pass\n\n", "complete")])
def test_completeness_is_judged(kernel, code, status):
    answer = kernel.request("is_complete_request", {"code": code}).content
    assert answer["status"] == status
    if status == "incomplete" and code.endswith(":"):
        assert answer["indent"] == "    "


def test_history_holds_what_was_run(kernel):
    kernel.run("unusual_marker_a = 1")
    kernel.run("unusual_marker_b = 2", store_history=False)
    tail = kernel.request("history_request", {"hist_access_type": "tail", "n": 3, "output": False, "raw": True}).content
    sources = [entry[2] for entry in tail["history"]]
    assert "unusual_marker_a = 1" in sources and "unusual_marker_b = 2" not in sources


def test_history_can_be_searched(kernel):
    kernel.run("needle_in_the_history = 1")
    found = kernel.request("history_request", {"hist_access_type": "search", "pattern": "needle_in*", "n": 5,
                                               "output": False, "raw": True, "unique": True}).content["history"]
    assert [entry[2] for entry in found] == ["needle_in_the_history = 1"]
    assert all(isinstance(entry[0], int) and isinstance(entry[1], int) for entry in found)


def test_history_has_a_range(kernel):
    kernel.run("ranged = 1")
    answer = kernel.request("history_request", {"hist_access_type": "range", "session": 0, "start": 1, "stop": 1000,
                                                "output": False, "raw": True}).content
    assert "ranged = 1" in [entry[2] for entry in answer["history"]]


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_kernel_info_says_what_front_ends_need(kernel, channel):
    info = kernel.request("kernel_info_request", channel=channel).content
    assert info["status"] == "ok"
    language = info["language_info"]
    assert language["name"] == "python" and language["version"].startswith("3.")
    assert language["mimetype"] == "text/x-python" and language["file_extension"] == ".py"
    assert language["pygments_lexer"] == "ipython3" and language["nbconvert_exporter"] == "python"
    assert language["codemirror_mode"] == {"name": "ipython", "version": 3}
    assert info["protocol_version"].startswith("5.") and info["implementation"] and info["banner"]
    assert isinstance(info["help_links"], list)


@pytest.mark.cellblock_only
def test_kernel_info_says_who_answers_and_how_strongly_it_is_jailed(kernel):
    info = kernel.request("kernel_info_request").content
    assert info["implementation"] == "cellblock"
    assert "full" in info["banner"] or "namespaced" in info["banner"]


def test_questions_are_answered_while_a_background_thread_prints(kernel):
    kernel.run("import threading, time\nstop = threading.Event()\n"
               "def talk():\n    while not stop.is_set():\n        print('.', end='', flush=True); time.sleep(0.005)\n"
               "threading.Thread(target=talk, daemon=True).start()")
    assert complete(kernel, "st").content["status"] == "ok"
    kernel.run("stop.set()")
