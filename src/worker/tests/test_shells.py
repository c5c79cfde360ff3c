"""Cells of several shells at the same moment: each gets what is its own, and nothing of the others'."""

import pytest

SHELLS = (None, "s1", "s2")
ROUNDS = 40

# They meet at a barrier in the middle, so that the rest of them runs and ends at the same moment.
MEET = "import sys, threading, time\nsys.setswitchinterval(1e-5)\nmeeting = threading.Barrier(%d, timeout=10)\n" % len(SHELLS)


@pytest.fixture
def shells(worker):
    worker.send({"type": "subshells", "ids": [name for name in SHELLS if name]})
    worker.run(MEET)
    return worker


def at_once(worker, *codes, **content):
    """One cell for each shell; their results, in the same order."""
    numbers = [worker.execute(code, subshell=shell, **content) for code, shell in zip(codes, SHELLS)]
    return [worker.result(number) for number in numbers]


def each(code):
    return [code.replace("NAME", f"shell_{shell}") for shell in SHELLS]


def results(cell):
    return [content["data"]["text/plain"] for content in cell.of("execute_result")]


def test_results(shells):
    for turn in range(ROUNDS):
        cells = at_once(shells, *each(f"meeting.wait(); 'NAME {turn}'"))
        assert [results(cell) for cell in cells] == [[repr(f"shell_{shell} {turn}")] for shell in SHELLS]


def test_results_whose_text_takes_a_while(shells):
    shells.run("class Slow:\n    def __init__(self, name): self.name = name\n"
               "    def __repr__(self): meeting.wait(); time.sleep(0.002); return self.name")
    for turn in range(ROUNDS):
        cells = at_once(shells, *each(f"Slow('NAME {turn}')"))
        assert [results(cell) for cell in cells] == [[f"shell_{shell} {turn}"] for shell in SHELLS]


def test_results_are_not_hidden_by_the_semicolon_of_another(shells):
    for _ in range(ROUNDS):
        loud, quiet, other = at_once(shells, "meeting.wait(); 1", "meeting.wait(); 2;", "meeting.wait(); 3")
        assert (results(loud), results(quiet), results(other)) == (["1"], [], ["3"])


def test_numbers(shells):
    """Of the result, in `Out` and in the reply: the one under which the cell has begun, each cell another."""
    seen = set()
    for turn in range(ROUNDS):
        cells = at_once(shells, *each(f"meeting.wait(); 'NAME {turn}'"))
        for cell, shell in zip(cells, SHELLS):
            count = cell.reply["execution_count"]
            assert [content["execution_count"] for content in cell.of("execute_input")] == [count]
            assert [content["execution_count"] for content in cell.of("execute_result")] == [count]
            assert results(shells.run(f"Out[{count}]")) == [repr(f"shell_{shell} {turn}")]
            assert count not in seen
            seen.add(count)


def test_errors(shells):
    for turn in range(ROUNDS):
        cells = at_once(shells, *each(f"meeting.wait(); raise RuntimeError('NAME {turn}')"))
        for cell, shell in zip(cells, SHELLS):
            own, text = f"shell_{shell} {turn}", "\n".join(cell.reply["traceback"])
            assert (cell.error, cell.reply["evalue"]) == ("RuntimeError", own)
            assert text.count(f"RuntimeError\x1b[39m: {own}") == 1
            assert [content["traceback"] for content in cell.of("error")] == [cell.reply["traceback"]]


def test_an_error_is_nobody_elses(shells):
    """Of a value that cannot be shown too, which makes its cell fail in another way."""
    shells.run("class Bad:\n    def __repr__(self): meeting.wait(); raise ValueError('bad')")
    for _ in range(ROUNDS):
        shown, failed, good = at_once(shells, "Bad()", "meeting.wait(); 1/0", "meeting.wait(); 'good'")
        assert "ValueError" in "\n".join(shown.reply["traceback"])
        assert "ZeroDivisionError" in "\n".join(failed.reply["traceback"]) and failed.error == "ZeroDivisionError"
        assert good.status == "ok" and results(good) == ["'good'"] and good.of("error") == []


def test_payloads(shells):
    for turn in range(ROUNDS):
        cells = at_once(shells, *each(f"get_ipython().set_next_input('NAME {turn}'); meeting.wait()"))
        assert [[payload["text"] for payload in cell.reply["payload"]] for cell in cells] == \
            [[f"shell_{shell} {turn}"] for shell in SHELLS]


def test_state_survives_awaits(shells):
    shells.run("import asyncio")
    for turn in range(ROUNDS):
        cells = at_once(shells, *each(f"get_ipython().set_next_input('NAME {turn}')\nawait asyncio.sleep(0.001)\n"
                                      f"meeting.wait()\nawait asyncio.sleep(0)\n'NAME {turn}'"))
        for cell, shell in zip(cells, SHELLS):
            assert results(cell) == [repr(f"shell_{shell} {turn}")]
            assert [payload["text"] for payload in cell.reply["payload"]] == [f"shell_{shell} {turn}"]


def test_cells_that_begin_while_others_end(shells):
    """IPython puts its display hook and its builtins in place for a cell, and takes them away after it."""
    numbers = {}
    for turn in range(10 * ROUNDS):
        for shell in SHELLS:
            numbers[shells.execute(f"get_ipython() and {turn}", subshell=shell)] = str(turn)
    for number, expected in numbers.items():
        assert results(shells.result(number)) == [expected]


def test_payloads_that_no_cell_writes_go_with_the_next_reply(worker):
    worker.run("import threading\nready, done = threading.Event(), threading.Event()\n"
               "def later():\n    ready.wait(); get_ipython().set_next_input('late'); done.set()\n"
               "threading.Thread(target=later).start()")
    assert worker.run("1").reply["payload"] == []
    assert [payload["text"] for payload in worker.run("ready.set(); done.wait()").reply["payload"]] == ["late"]
    assert worker.run("1").reply["payload"] == []
