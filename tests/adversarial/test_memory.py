"""Attack: take all memory of the machine, in every way that a program can hold memory.
Barrier: one cgroup for the whole jail, page cache and tmpfs included; swap counts too. The worker is killed as a
group with its children, and the verdict rests on the cgroup's own counters.
"""

import pytest

BOMBS = {
    "in-the-interpreter": "hoard = []\nwhile True:\n    hoard.append(b'x' * (16 << 20))",
    "one-big-allocation": "hoard = bytearray(b'x') * (2 << 30)",
    "in-a-memfd": "import os\nfd = os.memfd_create('hoard')\nblock = b'x' * (16 << 20)\nwhile True:\n    os.write(fd, block)",
    "anonymous-shared-mapping": ("import mmap\nhoard = mmap.mmap(-1, 1 << 30)\n"
                                 "for i in range(0, 1 << 30, 1 << 20):\n    hoard[i:i + (1 << 20)] = b'x' * (1 << 20)"),
    "many-threads": ("import threading\ndef hold():\n    hoard = []\n    while True:\n        hoard.append(b'x' * (4 << 20))\n"
                     "threads = [threading.Thread(target=hold) for _ in range(4)]\n[t.start() for t in threads]\n"
                     "[t.join() for t in threads]"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_cell_is_stopped_and_told_why(jailed, bomb):
    kernel = jailed()
    kernel.run("kept = 1")
    cell = kernel.run(BOMBS[bomb], timeout=90)
    # A single request above the limit may also be refused at once, which keeps the variables: better still.
    if bomb == "one-big-allocation" and cell.ename == "MemoryError":
        assert kernel.run("kept").result == "1"
        return
    assert cell.ename == "MemoryLimitExceeded", cell
    assert "256.0 MiB" in cell.error and "peak" in cell.error and "variables are lost" in cell.error
    assert "--memory" in cell.error, "the message does not say how to allow more"
    assert cell.status == "error" and cell.content["ename"] == "MemoryLimitExceeded"
    assert kernel.run("kept").ename == "NameError"


def test_a_bomb_in_children_ends_within_the_limit(jailed):
    """The kernel of Linux may choose a child; then the interpreter lives on and the cell sees dead children."""
    kernel = jailed()
    cell = kernel.run("""
import os
children = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        hoard = []
        while True:
            hoard.append(b'x' * (8 << 20))
    children.append(pid)
statuses = [os.waitpid(pid, 0)[1] for pid in children]
print(statuses)""", timeout=90)
    assert cell.ename == "MemoryLimitExceeded" or (cell.status == "ok" and "[9, 9, 9, 9]" in cell.stdout), cell
    if cell.status == "ok":
        assert "256.0 MiB" in cell.stderr, "nothing tells the user why the children died"


def test_files_in_scratch_space_are_bounded(jailed):
    kernel = jailed("--memory=256MiB", "--processes=64", "--scratch=32MiB")
    cell = kernel.run("""
import errno, tempfile
with tempfile.TemporaryFile() as file:
    try:
        while True:
            file.write(b'x' * (1 << 20)); file.flush()
    except OSError as error:
        print(errno.errorcode[error.errno], file.tell() >> 20)""")
    word, size = cell.stdout.split()
    assert word == "ENOSPC" and int(size) <= 32, cell


def test_shared_memory_is_bounded(jailed):
    kernel = jailed()
    cell = kernel.run("""
hoard = open('/dev/shm/hoard', 'wb')
while True:
    hoard.write(b'x' * (1 << 20))""", timeout=90)
    assert cell.ename in ("OSError", "MemoryLimitExceeded"), cell


def test_inodes_are_bounded(jailed):
    kernel = jailed()
    cell = kernel.run("""
import errno, os, tempfile
place = tempfile.mkdtemp()
try:
    for i in range(2_000_000):
        os.close(os.open(f'{place}/{i}', os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(errno.errorcode[error.errno])""", timeout=90)
    assert cell.stdout == "ENOSPC\n" or cell.ename == "MemoryLimitExceeded", cell


def test_just_below_the_limit_nothing_happens(jailed):
    kernel = jailed()
    cell = kernel.run("block = b'x' * (120 << 20)\nlen(block) >> 20")
    assert cell.result == "120"
    assert kernel.run("len(block) >> 20").result == "120"


def test_an_exit_status_of_137_is_not_taken_for_the_limit(jailed):
    """137 is what shells make of a SIGKILL; as an exit status it proves nothing."""
    cell = jailed().run("import os; os._exit(137)")
    assert cell.ename == "WorkerExited" and "137" in cell.error


def test_many_bombs_one_after_the_other(jailed):
    kernel = jailed()
    for _ in range(5):
        assert kernel.run(BOMBS["in-the-interpreter"], timeout=90).ename == "MemoryLimitExceeded"
        assert kernel.run("1").status == "ok"
