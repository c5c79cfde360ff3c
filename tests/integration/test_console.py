"""`jupyter console` in a pseudo-terminal, typed into as a person would."""

import os
import sys

import pexpect
import pytest


@pytest.fixture
def console(kernel_name, tmp_path):
    # No colours, no completion menu: what remains on the screen is what the kernel sent.
    child = pexpect.spawn(sys.executable, ["-m", "jupyter", "console", "--kernel", kernel_name, "--simple-prompt",
                                           "--ZMQTerminalInteractiveShell.kernel_timeout=60"],
                          env={**os.environ, "TERM": "dumb", "HOME": str(tmp_path), "NO_COLOR": "1"},
                          encoding="utf-8", timeout=60, dimensions=(50, 160), echo=False)
    child.expect(r"In \[\d*\]:")
    yield child
    if child.isalive():
        child.close(force=True)


def test_values_prints_and_errors(console):
    console.sendline("6 * 7")
    console.expect(r"Out\[\d+\]: 42")
    console.sendline("print('hello'); 1/0")
    console.expect("hello")
    console.expect("ZeroDivisionError")


def test_input_is_asked_at_the_terminal(console):
    console.sendline("'got ' + input('name? ')")
    console.expect(r"name\? ")
    console.sendline("ada")
    console.expect("got ada")


def test_control_c_interrupts_the_cell(console):
    console.sendline("import time; print('go', flush=True); time.sleep(60)")
    console.expect("go")
    console.sendintr()
    console.expect("KeyboardInterrupt", timeout=15)
    console.sendline("'still here'")
    console.expect(r"Out\[\d+\]: 'still here'")


def test_exit_ends_console_and_kernel(console):
    console.sendline("exit")
    console.expect(pexpect.EOF, timeout=30)


@pytest.mark.cellblock_only
def test_the_console_shows_why_an_interpreter_was_lost(console):
    console.sendline("import os; os._exit(3)")
    console.expect("WorkerExited")
    console.sendline("6 * 7")
    console.expect(r"Out\[\d+\]: 42")
