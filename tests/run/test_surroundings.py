"""What the surroundings of a call must not change about a program: who calls, in which state, what is kept of earlier runs."""

import fcntl
import os

import pytest

from support.runs import PYTHON


# Attack: none; who starts it lets nobody else read new files, or lets all write them.
# Barrier: the files of a program have modes of their own.
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_umask_of_the_caller_is_not_the_programs(runner, public_directory, umask):
    project = public_directory / "project"
    (project / "package").mkdir(parents=True)
    (project / "package" / "__init__.py").write_text("")
    (project / "tool").write_text("#!/bin/sh\necho tool\n")
    (project / "tool").chmod(0o755)
    (project / "main.py").write_text("import os, subprocess\nimport package\nopen('new', 'w').close()\nprint(oct(os.umask(0)), *("
                                     "oct(os.stat(f).st_mode) for f in ('main.py', 'package', 'package/__init__.py', 'tool', 'new')))\n"
                                     "print(subprocess.check_output('./tool', text=True))")
    result = runner.json(project, *PYTHON[2:], preexec_fn=lambda: os.umask(umask))
    assert result["stdout"] == "0o22 0o100644 0o40755 0o100644 0o100755 0o100644\ntool\n\n", result


ROOM = r'''package main

import (
    "fmt"
    "os"
)

func main() {
    file, _ := os.Create("/home/cell/filled")
    piece := make([]byte, 4096)
    total := 0
    for {
        n, err := file.Write(piece)
        total += n
        if err != nil {
            break
        }
    }
    fmt.Println(total)
}
'''


# Attack: none; the program's executable is kept from an earlier run, or it is not.
# Barrier: what was built is in nobody's way, however it comes to be there.
@pytest.mark.timeout(600)  # the first run of Go prepares its standard library
def test_a_program_has_the_same_room_whether_it_is_kept_or_not(runner, public_directory):
    source = public_directory / "room.go"
    source.write_text(ROOM)
    runs = [runner(source, "--json", "--disk", "4MiB", *more, timeout=400).result for more in ([], [], ["--no-compile-cache"])]
    assert [run["compile"]["cached"] for run in runs] == [False, True, False], runs
    rooms = [int(run["stdout"]) for run in runs]
    assert max(rooms) - min(rooms) <= 8192 and 4 << 20 >= min(rooms) > 3 << 20, rooms
    # Nor is it the first run's memory.
    assert abs(runs[0]["memory_used"] - runs[1]["memory_used"]) < 1 << 20, runs


# Attack: the file of a volume is locked, so that whoever uses it on the host waits; and its path tells of its owner's affairs.
# Barrier: it is shown through an overlay, like the files of directories, where that is possible; else a line says so.
def test_a_volume_of_one_file_tells_and_locks_nothing(runner, public_directory):
    place = public_directory / "clients of\\acme"
    place.mkdir()
    shown = place / "data.csv"
    shown.write_text("1,2\n")
    code = ("import fcntl\nfile = open('/data.csv')\nprint(file.read(), end='')\nfcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
            "fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)\nprint('acme' in open('/proc/self/mountinfo').read())")
    with open(shown, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.lockf(held, fcntl.LOCK_EX)
        run = runner(*PYTHON, "--code", code, "--volume", f"{shown}:/data.csv")
        assert (run.status, run.stdout, run.stderr) == (0, "1,2\nFalse\n", ""), run
    if not runner.user:
        place.chmod(0o700)  # the user of root's jails may not look into it
        run = runner(*PYTHON, "--code", "print(open('/data.csv').read())", "--volume", f"{shown}:/data.csv")
        assert run.stdout == "1,2\n\n" and "is shown as it is" in run.stderr, run
