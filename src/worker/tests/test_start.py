"""How a worker begins and ends, and what user code finds there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from driver import PACKAGE, Worker

HEAVY = ("zmq", "tornado", "jupyter_client", "comm", "matplotlib", "jedi", "asyncio", "pexpect", "debugpy",
         "prompt_toolkit", "pygments.lexers.python", "stack_data", "numpy", "pandas", "ssl")


def test_hello_is_what_kernel_info_needs(worker):
    assert worker.hello.header["protocol"] == 1
    info = worker.hello.content
    assert info["language_info"]["name"] == "python"
    assert info["language_info"]["version"] == sys.version.split()[0]
    assert info["language_info"]["pygments_lexer"] == "ipython3"
    assert "IPython" in info["banner"]
    assert all(set(link) == {"text", "url"} for link in info["help_links"])


def test_digest_is_the_text_of_the_file_beside_the_package(start_worker, tmp_path):
    assert start_worker().hello.header["digest"] == "unbuilt"
    package = tmp_path / "package"
    package.mkdir()
    shutil.copytree(PACKAGE, package, dirs_exist_ok=True)
    (package / "DIGEST").write_text("abc123\n")
    assert start_worker(package=package).hello.header["digest"] == "abc123"


def test_start_imports_nothing_that_can_wait():
    # IPython 8 brings some of them along by itself.
    plain = subprocess.run([sys.executable, "-I", "-c", "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
                            "InteractiveShell()\nprint(*sys.modules)"], capture_output=True, text=True, env={"HOME": "/nonexistent"})
    avoidable = [name for name in HEAVY if name not in plain.stdout.split()]
    assert {"zmq", "comm", "matplotlib"} <= set(avoidable)
    # The first cell asks for the modules before the idle worker has begun to load asyncio.
    worker = Worker(home="/nonexistent")
    worker.socket.setblocking(True)
    number = worker.execute(f"import sys\nsorted(set({avoidable!r}) & set(sys.modules))")
    worker.await_hello()
    try:
        assert worker.result(number).of("execute_result")[0]["data"]["text/plain"] == "[]"
    finally:
        worker.close()


def test_of_ipykernel_there_are_names_only(worker):
    worker.run("import asyncio, threading; import comm; 1/0")
    assert worker.run("import sys\n[n for n, m in sys.modules.items() if n.split('.')[0] in ('ipykernel', 'zmq', 'tornado', "
                      "'jupyter_client') and type(m).__name__ != '_Unloaded']").of("execute_result")[0]["data"]["text/plain"] == "[]"


def test_works_without_a_writable_home(start_worker):
    worker = start_worker(home="/proc")
    assert worker.run("1 + 1").of("execute_result")[0]["data"]["text/plain"] == "2"
    assert worker.ask("history_request", {"hist_access_type": "tail", "n": 2, "raw": True, "output": False}
                      ).reply["history"] == [[1, 1, "1 + 1"]]


def test_user_code_sees_a_clean_main(worker):
    cell = worker.run("import sys, __main__\n"
                      "(sys.path.index('') > 0, __name__, '__file__' in globals(), any('cellblock' in p for p in sys.path),\n"
                      " __main__.__dict__ is globals(), [n for n in dir() if not n.startswith('_')])")
    assert eval(cell.of("execute_result")[0]["data"]["text/plain"]) == \
        (True, "__main__", False, False, True, ["In", "Out", "exit", "get_ipython", "open", "quit", "sys"])


@pytest.mark.parametrize("name", ["streams", "shell", "random", "queue", "requests", "asyncio", "json"])
def test_files_beside_the_notebook_break_nothing(start_worker, tmp_path, name):
    worker = start_worker()  # shares the directory with what is written now
    (tmp_path / "notebook" / f"{name}.py").write_text("whose = 'mine'")
    again = start_worker()
    assert again.run("1/0").error == "ZeroDivisionError"
    assert again.run("import asyncio as a; await a.sleep(0); print('ok')").stdout == "ok\n"
    if name in ("streams", "shell", "requests"):
        assert again.run(f"import {name}; print({name}.whose)").stdout == "mine\n"
    assert worker.run("1").status == "ok"


def test_missing_ipython_is_one_line_with_the_remedy(tmp_path):
    # -S: no site-packages, so no IPython.
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    wrapper.chmod(0o755)
    worker = Worker(python=str(wrapper))
    try:
        assert worker.process.wait(timeout=20) == 3
        worker._reader.join(timeout=10)
        text = worker.descriptor_text["stderr"].decode()
        assert re.fullmatch(r"cellblock worker: \S+ cannot import IPython \(.*\); install it with `\S+ -m pip install ipython`\n",
                            text), text
        assert sys.executable in text or os.path.realpath(sys.executable) in text
    finally:
        worker.close()


def test_started_by_hand_says_so():
    done = subprocess.run([sys.executable, "-I", str(PACKAGE)], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 4
    assert "not by hand" in done.stderr and done.stderr.count("\n") == 1


def test_end_of_the_socket_ends_the_worker_at_once(worker):
    worker.execute("import time; time.sleep(100)")
    worker.wait_for(lambda f: f.msg_type == "execute_input")
    worker.socket.shutdown(2)
    assert worker.process.wait(timeout=5) == 0


def test_shutdown_runs_atexit_and_ends_with_zero(worker):
    worker.run("import atexit\natexit.register(print, 'bye')\n"
               "class D:\n    def __del__(self): print('deleted')\nd = D()")
    assert worker.shutdown() == 0
    worker._reader.join(timeout=10)
    said = "".join(f.content["text"] for f in worker.received if f.msg_type == "stream")
    assert "bye\n" in said and "deleted\n" in said + worker.descriptor_text["stdout"].decode()


def test_shutdown_ends_a_running_cell(worker):
    number = worker.execute("import time\ntime.sleep(100)")
    worker.wait_for(lambda f: f.msg_type == "execute_input")
    time.sleep(0.1)
    assert worker.shutdown() == 0
    worker._reader.join(timeout=10)
    assert worker.result(number).error == "KeyboardInterrupt"


def test_exit_asks_the_kernel_to_end(worker):
    cell = worker.run("exit")
    assert cell.header["exit"] is True
    assert cell.reply["payload"] == [{"source": "ask_exit", "keepkernel": False}]
    assert "exit" not in worker.run("1").header or worker.process.poll() is None


def test_interrupts_while_starting_are_ignored(tmp_path):
    """From the worker's first statement on; until then the interpreter has its own way with signals."""
    worker = Worker(home=tmp_path)
    try:
        deadline = time.monotonic() + 20
        while not ignores_interrupts(worker.process.pid):
            assert time.monotonic() < deadline and not worker.received
            time.sleep(0.0005)
        sent = 0
        while not worker.received:
            os.killpg(worker.process.pid, signal.SIGINT)
            sent += 1
            time.sleep(0.002)
        assert sent > 1
        worker.await_hello()
        time.sleep(0.3)  # A signal and a request that follow each other closely have no order.
        assert worker.run("1").status == "ok"
    finally:
        worker.close()


def ignores_interrupts(pid):
    with open(f"/proc/{pid}/status") as file:
        ignored = next(line.split()[1] for line in file if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (signal.SIGINT - 1) & 1)


def test_session_name_of_the_front_end_is_known(start_worker):
    worker = start_worker(env={"JPY_SESSION_NAME": "/x/n.ipynb"})
    assert worker.run("__session__").of("execute_result")[0]["data"]["text/plain"] == "'/x/n.ipynb'"
