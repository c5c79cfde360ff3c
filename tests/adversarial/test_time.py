"""Attack: never end, and do not listen; compute in child processes that nobody waits for.
Barrier: a wall-time limit per cell: first an interrupt, which keeps the variables, then a kill of everything. The same for
CPU time, which is the cgroup's count of the whole jail.
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



# ---- CPU time

CPU_LIMITS = ("--memory=256MiB", "--processes=64", "--cpu-time=1s")
LEVELS = pytest.mark.parametrize("level", ["full", "namespaced"])


@LEVELS
def test_a_cell_that_computes_too_long_is_interrupted(jailed, level):
    kernel = jailed(*CPU_LIMITS, f"--isolation={level}")
    kernel.run("kept = 1")
    cell = kernel.run("while True: pass")
    assert cell.ename == "CpuTimeExceeded" and "1 s allowed" in cell.error and "--cpu-time" in cell.error, cell
    assert kernel.run("kept").result == "1"


def test_a_cell_that_computes_and_does_not_listen_is_killed(jailed):
    kernel = jailed(*CPU_LIMITS)
    kernel.run("kept = 1")
    cell = kernel.run(DEAF["ignores-interrupts"])
    assert cell.ename == "CpuTimeExceeded" and "variables are lost" in cell.error, cell
    assert kernel.run("kept").ename == "NameError"


def test_waiting_costs_no_cpu_time_and_each_cell_has_its_own(jailed):
    kernel = jailed(*CPU_LIMITS)
    assert kernel.run("import time; time.sleep(1.5); 'done'").result == "'done'"
    for _ in range(3):
        assert kernel.run("t = time.process_time()\nwhile time.process_time() < t + 0.5: pass\n'done'").result == "'done'"


@LEVELS
def test_child_processes_count(jailed, level):
    cell = jailed(*CPU_LIMITS, f"--isolation={level}").run("""
import subprocess
subprocess.run(['sh', '-c', 'trap "" INT; while :; do :; done'])""")
    assert cell.ename == "CpuTimeExceeded", cell


def test_children_count_although_nobody_waits_for_them(jailed):
    cell = jailed(*CPU_LIMITS).run("""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        begin = time.process_time()
        while time.process_time() < begin + 0.2: pass
        os._exit(0)
    time.sleep(0.3)""")
    assert cell.ename == "CpuTimeExceeded", cell


def test_an_exception_of_that_name_is_just_an_exception(jailed):
    cell = jailed(*CPU_LIMITS).run("class CpuTimeExceeded(Exception): pass\nraise CpuTimeExceeded('1 s allowed')")
    assert cell.content["traceback"], cell
