"""Attack: end, crash, replace or freeze the interpreter that runs the cell, or the pid 1 above it.
Barrier: the kernel process lives outside; each end has its own, true sentence, and a new interpreter takes over.
"""

import time

import pytest

ENDINGS = {
    "exit": ("import os; os._exit(0)", "WorkerExited", "status 0"),
    "exit-with-status": ("import os; os._exit(3)", "WorkerExited", "status 3"),
    "sigkill": ("import os; os.kill(os.getpid(), 9)", "WorkerKilled", "SIGKILL"),
    "sigterm": ("import os, signal; signal.signal(15, signal.SIG_DFL); os.kill(os.getpid(), 15)", "WorkerKilled", "SIGTERM"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "WorkerCrashed", "SIGSEGV"),
    "abort": ("import os; os.abort()", "WorkerCrashed", "SIGABRT"),
    "stack-overflow": ("import ctypes\ndeeper = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: deeper())\n"
                       "import sys\nsys.setrecursionlimit(10**9)\ndeeper()", "WorkerCrashed", "SIGSEGV"),
    "bus-error": ("import ctypes, mmap, os, tempfile\nf = tempfile.TemporaryFile()\nf.truncate(4096)\n"
                  "m = mmap.mmap(f.fileno(), 4096)\nf.truncate(0)\nm[0]", "WorkerCrashed", "SIGBUS"),
    "exec": ("import os; os.execv('/bin/cat', ['cat', '/proc/self/status'])", "WorkerExited", ""),
    "exec-that-stays": ("import os; os.execv('/bin/sleep', ['sleep', '600'])", "WorkerExited", "replaced"),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_the_cell_says_what_happened(jailed, kind):
    code, name, word = ENDINGS[kind]
    kernel = jailed()
    kernel.run("kept = 1")
    began = time.monotonic()
    cell = kernel.run(code)
    assert cell.ename == name, cell
    assert word in cell.error
    assert "variables are lost" in cell.error
    assert time.monotonic() - began < 10
    assert kernel.run("kept").ename == "NameError"


def test_output_before_the_end_is_not_lost(jailed):
    cell = jailed().run("import ctypes, os\nprint('last words', flush=True)\n"
                        "ctypes.CDLL(None).write(1, b'and more\\n', 9)\nos._exit(1)")
    assert "last words\n" in cell.stdout and "and more\n" in cell.stdout


def test_queued_cells_are_aborted_when_the_interpreter_is_lost(jailed):
    from support.messages import collect_until_idle, reply_to
    kernel = jailed()
    client = kernel.client
    ids = [client.execute(code, allow_stdin=False) for code in
           ("import os, time; time.sleep(0.5); os._exit(1)", "'must not run'")]
    statuses = []
    for msg_id in ids:
        collect_until_idle(client, msg_id)
        statuses.append(reply_to(client, msg_id)["content"]["status"])
    assert statuses == ["error", "aborted"]


def test_an_interpreter_that_ends_between_cells_is_replaced_and_the_next_cell_says_so(jailed):
    kernel = jailed()
    kernel.run("import threading, os\nthreading.Timer(0.3, os._exit, [5]).start()")
    time.sleep(1)
    cell = kernel.run("6 * 7")
    assert cell.result == "42"
    assert "lost" in cell.stderr + (cell.error or "") or "lost" in str(cell.messages), cell


def test_pid_1_cannot_be_hurt(jailed):
    cell = jailed().run("""
import os, signal
for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV, signal.SIGINT):
    try:
        os.kill(1, number)
    except PermissionError:
        pass
'alive'""")
    assert cell.result == "'alive'", cell


def test_killing_everybody_kills_only_what_is_inside(jailed):
    cell = jailed().run("import os, signal, subprocess\nsubprocess.Popen(['sleep', '600'])\nos.kill(-1, signal.SIGKILL)\n'alive'")
    assert cell.result == "'alive'" or cell.ename == "WorkerKilled", cell


def test_the_restart_keeps_files_and_loses_processes(jailed):
    kernel = jailed()
    kernel.run("import pathlib, subprocess\npathlib.Path('/tmp/kept').write_text('still here')\n"
               "p = subprocess.Popen(['sleep', '600'], start_new_session=True)")
    kernel.run("import os; os._exit(1)")
    cell = kernel.run("import os, pathlib\nnames = [open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc') if p.isdigit()]\n"
                      "(pathlib.Path('/tmp/kept').read_text(), 'sleep' in names)")
    assert cell.result == "('still here', False)", cell


def test_ending_it_again_and_again(jailed):
    kernel = jailed()
    kernel.run("import os; os._exit(1)")
    # The interpreter that a next cell would find is there; without this, the count is of a start under way.
    kernel.run("'started'")
    before = kernel.open_descriptors()
    for _ in range(10):
        assert kernel.run("import os; os._exit(1)").ename == "WorkerExited"
    # Each jail belongs to the same kernel: no cgroup or descriptor may pile up.
    assert len(kernel.family.cgroups) <= 8
    kernel.run("'started'")
    # Those of the last jail that ended are closed when its processes are gone.
    deadline = time.monotonic() + 5
    while kernel.open_descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kernel.open_descriptors() <= before
