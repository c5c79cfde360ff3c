"""SIGINT: in every kind of cell, and between cells."""

import subprocess
import time
from pathlib import Path

import pytest

SLEEPS = {
    "sleep": "import time; time.sleep(30)",
    "loop": "while True: pass",
    "prints": "while True: print('x')",
    "displays": "while True: display('x')",
    "subprocess": "import subprocess; subprocess.run(['sleep', '30'])",
    "lock": "import threading; threading.Lock().acquire() and None; l = threading.Lock(); l.acquire(); l.acquire()",
    "join": "import threading, time; t = threading.Thread(target=time.sleep, args=(30,), daemon=True); t.start(); t.join()",
    "queue": "import queue; queue.Queue().get()",
    "select": "import select; select.select([], [], [], 30)",
    "await": "import asyncio; await asyncio.sleep(30)",
    "await_event": "import asyncio; await asyncio.Event().wait()",
    "await_gather": "import asyncio; await asyncio.gather(asyncio.sleep(30), asyncio.sleep(31))",
    "await_thread": "import asyncio, time\nawait asyncio.get_running_loop().run_in_executor(None, lambda: time.sleep(3))",
    "await_busy": "import asyncio\nasync def f():\n    while True: pass\nawait f()",
    "await_spin": "import asyncio\nwhile True: await asyncio.sleep(0)",
    "async_for": "import asyncio\nasync def g():\n    while True:\n        yield 1\n        await asyncio.sleep(0.01)\nasync for x in g(): pass",
    "user_expression": None,
}


@pytest.mark.parametrize("name", [name for name in SLEEPS if SLEEPS[name]])
def test_interrupted(worker, name):
    number = worker.execute("print('begun')\n" + SLEEPS[name])
    worker.await_text(number, "begun")
    time.sleep(0.2)
    worker.interrupt()
    cell = worker.result(number, timeout=8)
    assert (cell.status, cell.error) == ("error", "KeyboardInterrupt")
    assert cell.types[-1] == "error"
    assert not any("cellblock_worker" in line for line in cell.reply["traceback"])
    assert any("Cell" in line and "In[" in line for line in cell.reply["traceback"])
    again = worker.run("print('alive'); 1 + 1")
    assert again.stdout.endswith("alive\n") and again.reply["execution_count"] == cell.reply["execution_count"] + 1


def test_await_that_is_interrupted_says_where(worker):
    number = worker.execute("import asyncio\nasync def deep():\n    await asyncio.sleep(30)\nawait deep()")
    worker.wait_for(lambda f: f.msg_type == "execute_input")
    time.sleep(0.3)
    worker.interrupt()
    text = "\n".join(worker.result(number).reply["traceback"])
    assert "deep" in text and "KeyboardInterrupt" in text


def test_cells_can_catch_an_interrupt_and_go_on(worker):
    for code in ("import time\ntry:\n    print('begun'); time.sleep(30)\nexcept KeyboardInterrupt:\n    print('caught')",
                 "import asyncio\ntry:\n    print('begun'); await asyncio.sleep(30)\nexcept KeyboardInterrupt:\n"
                 "    await asyncio.sleep(0.05); print('caught')"):
        number = worker.execute(code)
        worker.await_text(number, "begun")
        time.sleep(0.1)
        worker.interrupt()
        cell = worker.result(number)
        assert cell.status == "ok" and cell.stdout == "begun\ncaught\n"


def test_second_interrupt_of_one_cell(worker):
    number = worker.execute("import asyncio\nfor i in range(2):\n    try:\n        print('begun', i); await asyncio.sleep(30)\n"
                            "    except KeyboardInterrupt: print('caught', i)")
    for i in range(2):
        worker.await_text(number, f"begun {i}")
        time.sleep(0.1)
        worker.interrupt()
    assert worker.result(number).stdout == "begun 0\ncaught 0\nbegun 1\ncaught 1\n"


def test_tasks_of_other_cells_survive_an_interrupt(worker):
    worker.run("import asyncio\nasync def tick():\n    global n\n    n = 0\n    while True:\n        n += 1\n        await asyncio.sleep(0.02)\n"
               "task = asyncio.create_task(tick())")
    number = worker.execute("await asyncio.sleep(30)")
    worker.wait_for(lambda f: f.msg_type == "execute_input" and f.parent == number)
    time.sleep(0.3)
    worker.interrupt()
    assert worker.result(number).error == "KeyboardInterrupt"
    assert worker.run("before = n; await asyncio.sleep(0.2); n > before, task.done()"
                      ).of("execute_result")[0]["data"]["text/plain"] == "(True, False)"


def test_a_task_that_blocks_the_loop_can_be_interrupted(worker):
    number = worker.execute("import asyncio\nasync def hog():\n    print('hogging')\n    while True: pass\n"
                            "t = asyncio.create_task(hog())\nawait asyncio.sleep(30)")
    worker.await_text(number, "hogging")
    for _ in range(2):
        time.sleep(0.3)
        worker.interrupt()
    assert worker.result(number).error == "KeyboardInterrupt"
    assert worker.run("await asyncio.sleep(0); 1").status == "ok"


def test_interrupt_when_idle_is_harmless(worker):
    worker.run("import asyncio")
    for _ in range(15):
        worker.interrupt()
        time.sleep(0.1)
        assert worker.run("1 + 1").status == "ok"
    worker.interrupt()
    time.sleep(0.3)
    assert worker.run("2").status == "ok"


def test_interrupt_in_the_gap_before_the_wait_for_requests(start_worker, tmp_path):
    library = tmp_path / "late_wait.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("late_wait.c"), "-ldl"], check=True)
    worker = start_worker(env={"LD_PRELOAD": str(library)})
    worker.run("import asyncio")
    for _ in range(15):
        worker.interrupt()
        time.sleep(0.1)  # Less than the nudges take: those of one signal must not delay the next one's.
        assert worker.run("1 + 1").error is None


def test_interrupt_when_idle_spares_background_tasks_and_threads(worker):
    worker.run("import asyncio, threading, time\nasync def f():\n    await asyncio.sleep(0.5); return 'done'\n"
               "t = asyncio.create_task(f())\nthreading.Timer(0.4, lambda: globals().update(ticked=True)).start()")
    worker.interrupt()
    time.sleep(0.2)
    assert worker.run("await t, (time.sleep(0.2), ticked)[1]").of("execute_result")[0]["data"]["text/plain"] == "('done', True)"


def test_interrupt_right_behind_the_request_is_not_lost(start_worker):
    """The kernel sends the cell and then, because the user was quick, SIGINT: the cell may not have begun."""
    worker = start_worker()
    for _ in range(30):
        number = worker.execute("import time; time.sleep(10)")
        worker.interrupt()
        cell = worker.result(number, timeout=8)
        assert cell.error == "KeyboardInterrupt"
    assert worker.run("1").status == "ok"


@pytest.mark.parametrize("wait", ["time.sleep(10)", "select.select([], [], [], 10)", "lock.acquire(timeout=10)", "await asyncio.sleep(10)"])
def test_interrupt_that_does_not_end_a_wait_in_c_by_itself(worker, wait):
    """As when it comes just before the wait begins. Here another thread gets the signal, which leaves the wait alone too."""
    cell = worker.run("import asyncio, select, signal, threading, time\nlock = threading.Lock(); lock.acquire()\n"
                      "threading.Timer(0.3, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)).start()\n" + wait,
                      timeout=5)
    assert cell.error == "KeyboardInterrupt"


def test_an_interrupt_leaves_the_waits_of_the_next_cell_alone(worker):
    worker.run("import ctypes\nlibc = ctypes.CDLL(None)")
    for _ in range(5):
        number = worker.execute("import time\nprint('begun')\ntime.sleep(30)")
        worker.await_text(number, "begun")
        worker.interrupt()
        assert worker.result(number, timeout=8).error == "KeyboardInterrupt"
        # In C it ends at any signal, with -1.
        assert worker.run("print(libc.usleep(400_000))").stdout == "0\n"


def test_execution_counts_stay_in_step_with_interrupts(start_worker):
    worker = start_worker()
    counts = []
    for _ in range(20):
        number = worker.execute("for i in range(100_000): pass")
        worker.interrupt()
        cell = worker.result(number)
        counts += [(c["execution_count"], cell.reply["execution_count"]) for c in cell.of("execute_input")]
    assert counts == [(n, n) for n in range(1, 21)]


def test_interrupt_of_a_shell_command_ends_it(worker):
    number = worker.execute("print('begun')\n!sleep 30")
    worker.await_text(number, "begun")
    time.sleep(0.7)
    worker.interrupt()
    assert worker.result(number, timeout=8).status == "ok"  # as in ipykernel


def test_interrupt_of_a_user_expression(worker):
    number = worker.execute("import time; print('begun')", user_expressions={"slow": "time.sleep(30)"})
    worker.await_text(number, "begun")
    time.sleep(0.2)
    worker.interrupt()
    assert worker.result(number, timeout=8).reply["user_expressions"]["slow"]["ename"] == "KeyboardInterrupt"


def test_handlers_are_pythons_own_while_a_cell_runs(worker):
    code = "import signal; signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    assert worker.run(code).of("execute_result")[0]["data"]["text/plain"] == "True"


def test_children_started_by_cells_can_be_interrupted(worker):
    """SIG_IGN would be inherited."""
    number = worker.execute("import subprocess, sys\np = subprocess.run([sys.executable, '-c',\n"
                            "    'import time; print(\"up\", flush=True); time.sleep(30)'])")
    deadline = time.monotonic() + 15
    while b"up" not in worker.descriptor_text["stdout"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker.interrupt()
    assert worker.result(number, timeout=8).error == "KeyboardInterrupt"
    assert b"KeyboardInterrupt" in worker.descriptor_text["stderr"]
