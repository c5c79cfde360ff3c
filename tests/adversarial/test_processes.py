"""Attack: start processes or threads without end, or some that nobody finds again.
Barrier: the cgroup's number of processes; pid 1 of the jail reaps what lost its parent, and takes everything along
when it ends.
"""

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
    kernel.run("""
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_IGN)
        os.closerange(0, 256)
        while True:
            time.sleep(1)
    os._exit(0)
time.sleep(0.3)""")
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
