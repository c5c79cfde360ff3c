"""Attacks of programs on the person who looks at a terminal: who writes there what, and where."""

import json
import os
import re
import subprocess

from support.runs import PYTHON


def on_terminal(runner, *arguments, stderr_too=True, timeout=30, **options):
    """What a terminal gets, as stdout and stderr or as stdout alone."""
    ours, terminal = os.openpty()
    streams = {"stdout": terminal, "stderr": terminal if stderr_too else subprocess.DEVNULL}
    process = runner.start(*arguments, **streams, **options)
    os.close(terminal)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:
        pass  # the end of a terminal
    os.close(ours)
    process.wait(timeout)
    return said.decode().replace("\r\n", "\n")


def python_on_terminal(runner, code, **options):
    return on_terminal(runner, *PYTHON, "--code", code, **options)


# Attack: words that cannot be seen, or are shown in another order than they stand there.
# Barrier: what conceals and what turns the direction of writing is spelled out; colours, also of those numbers, pass.
def test_words_are_not_hidden(runner):
    said = python_on_terminal(runner, r"print('\x1b[38;5;8mgrey\x1b[0m \x1b[8mconcealed\x1b[0;08m \u202eturned\u202c \u2066x\u2069')")
    assert "\x1b[38;5;8mgrey\x1b[0m \\x1b[8mconcealed\\x1b[0;08m \\xe2\\x80\\xaeturned\\xe2\\x80\\xac \\xe2\\x81\\xa6x\\xe2\\x81\\xa9\n" in said, said


# Attack: controls in UTF-8 (CSI is C2 9B) in the strings of JSON, which somebody looks at.
# Barrier: they are escapes there. The text stays what it is.
def test_json_does_not_steer_a_terminal(runner):
    written = "\x1b[2J\x9b2J\x7f\u202eäöü 🙂"
    run = runner(*PYTHON, "--json", "--stream", "--code", f"print({written!r}, end='')")
    event, result = map(json.loads, run.stdout.splitlines())
    assert event["text"] == result["stdout"] == written
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", run.stdout), run.stdout


# Attack: the first words go back over what somebody else has written in that line.
# Barrier: a carriage return goes back in the program's own lines only. Progress bars are that.
def test_words_of_others_are_not_overwritten(runner):
    code = r"print('\rchecked: fine\n', end='', flush=True)\nprint(*[f'\r{i} %' for i in (10, 20)], sep='')".replace(r"\nprint(*", "\nprint(*")
    assert python_on_terminal(runner, code, stderr_too=False) == "\nchecked: fine\n\r10 %\r20 %\n"
    assert "\n\rchecked: fine\n\r10 %\r20 %\n" in python_on_terminal(runner, code)  # our header has ended that line


# Attack: an unfinished line stands before and behind our line of figures, as if it were part of it.
# Barrier: our line begins a line.
def test_our_words_stand_in_a_line_of_their_own(runner):
    said = python_on_terminal(runner, r"print(' ' * 60 + 'all checks passed\r', end='')")
    *theirs, ours = re.sub(r"\x1b\[[0-9;]*m", "", said).strip("\n").split("\n")
    assert theirs[-1] == " " * 60 + "all checks passed\r" and ours.startswith("exit 0 "), said


# Attack: a colour that cannot be seen stays in force for what is written next: the line of figures, the next prompt.
# Barrier: our line begins without any, and what a program has set ends with it.
def test_colours_of_a_program_end_with_it(runner):
    said = python_on_terminal(runner, r"print('\x1b[30;40m', end='')")
    after = said.split("\x1b[30;40m", 1)[1]
    assert after.startswith("\x1b[0") and after.endswith(("\x1b[0m", "\x1b[0m\n")), said
