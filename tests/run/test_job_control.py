"""Attacks on a program's time: whoever watches it stands still. As a shell does it, with a terminal and process groups."""

import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from support.runs import PYTHON, jails_of, wait_until

# A shell: it makes a session with a terminal, starts one job in the foreground, and tells of its states on a pipe.
SHELL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.dup2(int(sys.argv[1]), 1)
    os.execv(sys.argv[3], sys.argv[3:])
told = os.fdopen(int(sys.argv[2]), "w", buffering=1)
print(job, file=told)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        print("ended", os.waitstatus_to_exitcode(status), file=told)
        break
    os.tcsetpgrp(0, os.getpgrp())
    print("stopped", int(os.WSTOPSIG(status)), file=told)
    sys.stdin.readline()  # fg
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
"""


class Job:
    """A run in the foreground of a terminal of its own."""

    def __init__(self, runner, *arguments):
        self.terminal, theirs = os.openpty()
        result, result_end = os.pipe()
        told, told_end = os.pipe()
        command = [sys.executable, "-c", SHELL, str(result_end), str(told_end), str(runner.binary), "run", *PYTHON, "--json", *map(str, arguments)]
        options = {"user": runner.user.uid, "group": runner.user.gid, "extra_groups": []} if runner.user else {}
        self.shell = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, pass_fds=(result_end, told_end), env=runner.environment,
                                      **options)
        for fd in (theirs, result_end, told_end):
            os.close(fd)
        self.told, self._result = os.fdopen(told), os.fdopen(result)
        self.pid = int(self.told.readline())

    def type(self, text):
        os.write(self.terminal, text)

    def result(self):
        return json.loads(self._result.read())

    def close(self):
        self.shell.kill()
        self.shell.wait()
        for fd in (self.told, self._result):
            fd.close()
        os.close(self.terminal)


@pytest.fixture
def job(runner):
    jobs = []
    yield lambda *arguments: jobs.append(Job(runner, *arguments)) or jobs[-1]
    for one in jobs:
        one.close()


# Attack: none; somebody types Ctrl-Z.
# Barrier: the program stops with us, its time stands still, and both go on.
def test_a_program_stops_and_goes_on_with_its_watcher(job):
    one = job("--timeout", "5s", "--code", "import time\nfor i in range(20): print(i, flush=True); time.sleep(0.1)")
    wait_until(lambda: jails_of(one))
    time.sleep(0.8)
    one.type(b"\x1a")
    assert one.told.readline() == f"stopped {int(signal.SIGTSTP)}\n"
    time.sleep(6)
    one.type(b"fg\n")
    assert one.told.readline() == "ended 0\n"
    result = one.result()
    assert result["verdict"] == "ok" and 1.9 < result["wall_time"] < 4.9 and len(result["stdout"].split()) == 20, result


# Attack: none; a job in the background reads from its terminal.
# Barrier: as with Ctrl-Z; in the foreground again it reads what is typed.
def test_a_program_in_the_background_does_not_read_what_is_typed(job):
    one = job("--timeout", "5s", "--code", "print(input())")
    wait_until(lambda: jails_of(one))
    time.sleep(0.5)
    one.type(b"\x1a")
    assert one.told.readline() == f"stopped {int(signal.SIGTSTP)}\n"
    os.kill(one.pid, signal.SIGCONT)  # bg: the shell has the terminal, and its next line is "fg"
    states = []
    while not states or states[-1].startswith("stopped"):
        one.type(b"words\n")
        if select.select([one.told], [], [], 0.3)[0]:
            states.append(one.told.readline())
    assert states[-1] == "ended 0\n", states
    result = one.result()
    assert (result["verdict"], result["stdout"]) == ("ok", "words\n"), result


# Attack: whoever watches the program is stopped without being asked; the program goes on meanwhile, beyond its time.
# Barrier: pid 1 of the jail notes when it ended.
def test_time_is_counted_while_the_watcher_is_stopped(runner):
    process = runner.start(*PYTHON, "--json", "--timeout", "1s", "--code", "import time; time.sleep(2)")
    try:
        wait_until(lambda: jails_of(process))
        time.sleep(0.3)
        process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        process.send_signal(signal.SIGCONT)
        result = json.loads(process.communicate(timeout=30)[0])
    finally:
        process.kill()
        process.wait()
    assert (result["verdict"], process.returncode) == ("timeout_wall", 124) and 1.9 < result["wall_time"] < 3.5, result
