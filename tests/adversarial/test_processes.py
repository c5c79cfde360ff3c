"""Attack: start processes or threads without end, or some that nobody finds again.
Barrier: the cgroup's number of processes; pid 1 of the jail reaps what lost its parent, and takes everything along
when it ends.
"""

import pytest

FORK_BOMB = """
import os, time
children = 0
try:
    while True:
        pid = os.fork()
        if pid == 0:
            while True:
                try:
                    os.fork()
                except OSError:
                    time.sleep(0.01)
        children += 1
except OSError as error:
    print('refused', type(error).__name__, children > 0)
"""

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import signal
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_IGN)
        os.closerange(0, 256)
        while True:
            time.sleep(1)
    os._exit(0)
time.sleep(0.3)"""


def test_a_fork_bomb_is_refused_at_the_limit(jailed):
    kernel = jailed()
    cell = kernel.run(FORK_BOMB)
    assert "refused BlockingIOError True" in cell.stdout, cell
    assert "64" in cell.stderr, "nothing tells the user about the limit"
    assert len(kernel.family.members()) <= 64 + 4


def test_a_fork_bomb_cannot_be_felt_in_another_kernel(jailed):
    bombed, other = jailed(), jailed()
    bombed.run(FORK_BOMB)
    cell = other.run("import subprocess; subprocess.run(['true'], check=True).returncode")
    assert cell.result == "0"


def test_threads_are_counted_too(jailed):
    cell = jailed().run("""
import threading
stop = threading.Event()
threads = []
try:
    for _ in range(10_000):
        thread = threading.Thread(target=stop.wait)
        thread.start()
        threads.append(thread)
except RuntimeError as error:
    print(error, len(threads) < 64)
stop.set()
for thread in threads:
    thread.join()""")
    assert cell.stdout == "can't start new thread True\n", cell


def test_daemons_that_left_their_session_end_with_the_kernel(jailed):
    kernel = jailed()
    kernel.run(DAEMON)
    kernel.family.look()
    assert len(kernel.family.members()) >= 4  # kernel, pid 1, worker, daemon


def test_orphans_are_reaped(jailed):
    cell = jailed().run("""
import os, time
for _ in range(500):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    left = [p for p in os.listdir('/proc') if p.isdigit()]
    if len(left) < 10:
        break
    time.sleep(0.05)
print(len(left) < 10)""")
    assert cell.stdout == "True\n", cell


def test_a_fork_of_the_interpreter_does_not_answer_in_its_name(jailed):
    kernel = jailed()
    cell = kernel.run("import os\npid = os.fork()\nNone")
    assert cell.status == "ok"
    assert kernel.run("40 + 2").result == "42"


# ---- processes that outlive their cell

# Who is killed takes a moment to be gone, longer on a busy machine.
OTHERS = """
import os, time
def others():
    found = []
    for p in os.listdir('/proc'):
        try:
            if p.isdigit() and int(p) not in (1, os.getpid()) and ') Z ' not in open(f'/proc/{p}/stat').read():
                found.append(p)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found
deadline = time.monotonic() + 5
while others() and time.monotonic() < deadline:
    time.sleep(0.05)
others()"""
LEVELS = pytest.mark.parametrize("level", ["full", "namespaced"])


@LEVELS
def test_what_a_cell_leaves_behind_is_ended_and_named_when_that_is_wanted(jailed, level):
    kernel = jailed("--background=kill", f"--isolation={level}")
    kernel.run("kept = 1")
    cell = kernel.run("import subprocess\np = subprocess.Popen(['sleep', '600'], start_new_session=True)" + DAEMON)
    assert cell.status == "ok" and "sleep 600 (pid " in cell.stderr and "--background" in cell.stderr, cell
    assert kernel.run("p.wait()").result == "-9"
    assert kernel.run(OTHERS).result == "[]"
    cell = kernel.run("kept")
    assert cell.result == "1" and cell.stderr == "", cell


def test_a_bomb_that_outlives_its_cell_is_ended(jailed):
    kernel = jailed("--background=kill", "--memory=256MiB", "--processes=64")
    cell = kernel.run("""
import os
if os.fork() == 0:
    while True:
        try:
            os.fork()
        except OSError:
            pass""")
    assert "--background" in cell.stderr, cell
    assert kernel.run("import os, signal\nwhile True:\n    try: os.waitpid(-1, 0)\n    except ChildProcessError: break\n" + OTHERS).result == "[]"


def test_threads_are_no_processes(jailed):
    kernel = jailed("--background=kill")
    kernel.run("import threading\nstop = threading.Event()\nthread = threading.Thread(target=stop.wait)\nthread.start()")
    assert kernel.run("thread.is_alive()").result == "True"
    kernel.run("stop.set(); thread.join()")


def test_by_default_servers_and_pools_go_on_working(jailed):
    kernel = jailed()
    kernel.run("import multiprocessing\npool = multiprocessing.get_context('fork').Pool(2)\npool.map(abs, [-1])")
    cell = kernel.run("pool.map(abs, [-2, 3])")
    assert cell.result == "[2, 3]" and cell.stderr == "", cell


def test_what_earlier_cells_left_behind_is_named_when_a_limit_is_hit(jailed):
    kernel = jailed("--memory=512MiB", "--processes=64")
    # Its memory is there before the cell wants its own.
    kernel.run("import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', 'b = bytearray(b\"x\") * (200 << 20); "
               "print(1, flush=True); import time; time.sleep(600)'], start_new_session=True, stdout=subprocess.PIPE)\np.stdout.readline()")
    cell = kernel.run("block = b'x' * (300 << 20)")
    assert cell.ename == "MemoryError" and "earlier cells" in cell.stderr and "bytearray" in cell.stderr, cell
