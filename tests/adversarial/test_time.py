"""Attack: never end, and do not listen.
Barrier: a wall-time limit per cell: first an interrupt, which keeps the variables, then a kill of everything.
"""

import time

import pytest

LIMITS = ("--memory=256MiB", "--processes=64", "--wall-time=1500ms")

DEAF = {
    "ignores-interrupts": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    "catches-interrupts": "while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass",
    "blocks-all-signals": ("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
                           "time.sleep(1e6)"),
    "hangs-in-c": "import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')",
    "stops-itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
}


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(1e6)"], ids=["loop", "sleep"])
def test_an_endless_cell_is_interrupted_and_keeps_its_variables(jailed, code):
    kernel = jailed(*LIMITS)
    kernel.run("kept = 'kept'")
    began = time.monotonic()
    cell = kernel.run(code)
    assert 1.4 < time.monotonic() - began < 4
    assert cell.ename == "WallTimeExceeded" and "1.5 s" in cell.error, cell
    assert kernel.run("kept").result == "'kept'"


@pytest.mark.parametrize("kind", DEAF)
def test_a_cell_that_does_not_listen_is_killed(jailed, kind):
    kernel = jailed(*LIMITS)
    kernel.run("kept = 'kept'")
    began = time.monotonic()
    cell = kernel.run(DEAF[kind])
    assert time.monotonic() - began < 8
    assert cell.ename == "WallTimeExceeded", cell
    if "variables are lost" in cell.error:
        assert kernel.run("kept").ename == "NameError"
    else:
        assert kernel.run("kept").result == "'kept'"


def test_a_cell_below_the_limit_is_left_alone(jailed):
    assert jailed(*LIMITS).run("import time; time.sleep(1)\n'done'").result == "'done'"


def test_waiting_for_an_answer_does_not_count(jailed):
    from support.messages import collect_until_idle, next_stdin, reply_to
    kernel = jailed(*LIMITS)
    msg_id = kernel.client.execute("input('take your time')", allow_stdin=True)
    next_stdin(kernel.client)
    time.sleep(2.5)
    kernel.client.input("x")
    collect_until_idle(kernel.client, msg_id)
    assert reply_to(kernel.client, msg_id)["content"]["status"] == "ok"


def test_a_person_can_interrupt_and_then_restart_what_does_not_listen(jailed):
    kernel = jailed()
    kernel.client.execute(DEAF["ignores-interrupts"], allow_stdin=False)
    time.sleep(0.5)
    kernel.interrupt()
    time.sleep(0.5)
    assert kernel.shutdown(restart=True) == {"status": "ok", "restart": True}
    assert kernel.leftovers() == []

