"""Attacks of programs on `cellblock run` itself: on the process that watches them, on what it writes and reads for them, and
on later runs. Those on the jail are in tests/adversarial: it is the same one."""

import copy
import json
import os
import signal
import subprocess
import time

import pytest

from support.runs import PYTHON, jails_of, wait_until


@pytest.fixture
def shared(runner, public_directory):
    """A directory that programs of the user's may write to."""
    directory = public_directory / "shared"
    directory.mkdir()
    if runner.user:
        os.chown(directory, runner.user.uid, runner.user.gid)
    return directory


# Attack: the program replaces the file that its result is written to by a link to a file of the user's, or a FIFO.
# Barrier: no result in a directory that the program can write to; no link is followed, and only files are written.
def test_the_result_overwrites_nothing_that_a_program_has_chosen(runner, shared, public_directory):
    run = runner(*PYTHON, "--code", "print('ran')", "--volume", f"{shared}:/data:rw", "--json-file", shared / "result")
    assert run.status == 2 and "ran" not in run.stdout and not (shared / "result").exists(), run
    victim = public_directory / "victim"
    victim.write_text("mine")
    (shared / "link").symlink_to(victim)
    os.mkfifo(shared / "fifo")
    for name in ("link", "fifo"):
        run = runner(*PYTHON, "--code", "print('ran')", "--json-file", shared / name, timeout=20)
        assert run.status == 2 and "ran" not in run.stdout, run
    assert victim.read_text() == "mine"


# Attack: an earlier program leaves a FIFO where a file is expected: whoever opens it waits for ever, before any time limit.
# Barrier: nothing that is named is waited for; what is no file is refused.
def test_fifos_are_not_waited_for(runner, shared):
    os.mkfifo(shared / "trap.py")
    os.mkfifo(shared / "trap.template")
    for arguments in (["--file", shared / "trap.py"], [shared], ["--lang", "python", "--code", "1", "--template", shared / "trap.template"],
                      ["--lang", "python", "--code", "1", "--template", "tests", "--set", f"tests=@{shared / 'trap.py'}"]):
        run = runner(*arguments, timeout=20)
        assert run.status == 2, run
    # The program waits, not who watches its time.
    assert runner.python("input()", "--stdin", shared / "trap.py", "--timeout", "500ms", timeout=20)["verdict"] == "timeout_wall"


# Attack: nobody reads what the program has written, so that its watcher waits to write, and cannot be ended.
# Barrier: the program ends at its time all the same; then signals end the watcher.
def test_output_that_nobody_reads_keeps_nothing(runner):
    for arguments in ([], ["--json"], ["--json", "--stream"]):
        process = runner.start(*PYTHON, "--timeout", "700ms", *arguments, "--code", "while True: print('x' * 5000)")
        try:
            wait_until(lambda: jails_of(process))
            wait_until(lambda: not jails_of(process))
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            process.wait(10)
        finally:
            process.kill()
            process.communicate()


# Attack: none; who starts it has closed its streams, whose numbers would be those of the next files that it opens.
# Barrier: they are held.
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nothing_else(runner, public_directory, closed):
    file = public_directory / f"result-{len(closed)}"
    file.touch(mode=0o666)
    file.chmod(0o666)
    code = "import sys\nprint(sys.stdin.read() == '')"
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", str(runner.binary), "run", *PYTHON, "--code", code, "--json-file", str(file)]
    options = {"user": runner.user.uid, "group": runner.user.gid, "extra_groups": []} if runner.user else {}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=runner.environment, **options)
    result = json.loads(file.read_text())
    assert (done.returncode, result["verdict"], result["stdout"]) == (0, "ok", "True\n"), result


# Attack: output that looks like the result, or like an event of the other stream.
# Barrier: what a program writes is in strings of JSON only.
def test_a_forged_result_is_output(runner):
    forged = '{"event":"output","stream":"stderr","encoding":"utf-8","text":"forged"}\n{"version":1,"verdict":"ok","exit_code":0}\n'
    run = runner(*PYTHON, "--json", "--stream", "--code", f"import sys\nsys.stdout.write({forged!r})\nsys.exit(4)")
    *events, result = map(json.loads, run.stdout.splitlines())
    assert result["verdict"] == "exit_nonzero" and result["stdout"] == forged and result["stderr"] == ""
    assert all(event["stream"] == "stdout" for event in events) and "".join(event["text"] for event in events) == forged


# Attack: children write on when the program has ended, stop it, or hold its streams open.
# Barrier: everything in the jail ends with the program.
def test_what_outlives_the_program_writes_nothing_more(runner):
    code = ("import os, signal\nfor kind in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "        while True: os.write(1, b'late')\nprint('end', flush=True)\nos._exit(0)")
    result = runner.python(code, "--timeout", "20s")
    assert result["verdict"] in ("ok", "output_limit") and result["wall_time"] < 15, result
    stopped = runner.python("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "--timeout", "1s")
    assert stopped["verdict"] == "timeout_wall", stopped


# Attack: a build leaves something else where its program is expected: a link to a file of the host's.
# Barrier: artifacts are opened beneath the jail's home directory, without links; only files are taken (what else there
# could be is tried in src/jail/home_test.cpp).
def test_a_build_cannot_hand_over_files_of_the_host(runner, public_directory):
    project = public_directory / "project"
    (project / "src").mkdir(parents=True)
    (project / "Cargo.toml").write_text('[package]\nname = "trap"\nversion = "0.1.0"\nedition = "2021"\n')
    (project / "src" / "main.rs").write_text('fn main() { println!("ran"); }\n')
    (project / "build.rs").write_text("fn main() {\n    for path in [\"/home/cell/.cellblock-program\", \"/home/cell/target/release/trap\"] {\n"
                                      f"        let _ = std::fs::remove_file(path);\n        if std::path::Path::new(path).parent().unwrap().exists() {{ std::os::unix::fs::symlink(\"/etc/hostname\", path).unwrap(); }}\n    }}\n}}\n")
    run = runner(project, "--json", timeout=100)
    hostname = open("/etc/hostname").read().strip()
    assert run.result["verdict"] in ("ok", "compile_error", "internal"), run
    assert run.result["stdout"] in ("ran\n", "") and (not hostname or hostname not in run.stdout), run


# Attack: none; who starts it ignores signals, as some servers and shells do, which their children inherit.
# Barrier: pid 1 of the jail begins with signals as they are by default.
@pytest.mark.parametrize("ignored", [signal.SIGCHLD, signal.SIGTERM])
def test_signals_that_are_ignored_outside_are_heeded_inside(runner, ignored):
    code = "import time\nprint(open('/proc/self/status').read().split('SigIgn:')[1].split()[0], flush=True)\ntime.sleep(60)"
    wrap = f"import os, signal, sys\nsignal.signal({int(ignored)}, signal.SIG_IGN)\nos.execv(sys.argv[1], sys.argv[1:])"
    command = ["/usr/bin/python3", "-c", wrap, str(runner.binary), "run", *PYTHON, "--json", "--timeout", "1s", "--grace", "5s", "--code", code]
    options = {"user": runner.user.uid, "group": runner.user.gid, "extra_groups": []} if runner.user else {}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=runner.environment, **options)
    try:
        result = json.loads(process.communicate(timeout=30)[0])
    finally:
        process.kill()
        process.wait()
    assert result["verdict"] == "timeout_wall" and result["wall_time"] < 4, result
    assert int(result["stdout"], 16) & 1 << int(ignored) - 1 == 0


GO = r'''package main

import (
    "os"
    "syscall"
)

func main() {
    argv := append([]string{"python3", "-c"}, os.Args[1:]...)
    panic(syscall.Exec("/usr/bin/python3", argv, os.Environ()))
}
'''


# Attack: a kept program finds out where the host keeps it, and locks or leases its own file, which other runs open.
# Barrier: it is shown through an overlay, like a copy; the filter refuses leases.
@pytest.mark.timeout(600)  # the first run of Go prepares its standard library
def test_a_kept_program_learns_and_locks_nothing_of_the_cache(runner, public_directory):
    source = public_directory / "kept.go"
    source.write_text(GO)
    attack = ("import fcntl, time\nfile = open('/home/cell/.cellblock-program', 'rb')\nfcntl.flock(file, fcntl.LOCK_EX)\n"
              "try: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\nexcept PermissionError: print('no lease')\n"
              "print(open('/proc/self/mountinfo').read(), flush=True)\ntime.sleep(4)")
    built = runner(source, "--json", "--arg=pass", timeout=400).result
    assert built["verdict"] == "ok" and built["compile"]["cached"] is False, built
    holder = runner.start(source, "--json", "--arg", attack)
    try:
        wait_until(lambda: jails_of(holder))
        time.sleep(1)
        # As another run does: the lock is nobody's but the first one's.
        other = runner(source, "--json", "--arg", attack.replace("LOCK_EX", "LOCK_EX | fcntl.LOCK_NB").replace("sleep(4)", "sleep(0)"), timeout=60).result
        out, _ = holder.communicate(timeout=60)
    finally:
        holder.kill()
        holder.wait()
    for result in (other, json.loads(out)):
        assert result["verdict"] == "ok" and result["compile"]["cached"] is True, result
        assert result["stdout"].startswith("no lease\n") and " /home/cell/.cellblock-program ro," in result["stdout"]
        assert "/programs/" not in result["stdout"] and str(public_directory) not in result["stdout"]


# Attack: none; the cache lies where nothing may be executed.
# Barrier: then a kept program is copied.
@pytest.mark.timeout(600)  # the first run of Go prepares its standard library
def test_a_cache_that_nothing_may_be_executed_in(runner, public_directory):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")
    cache = public_directory / "noexec"
    cache.mkdir()
    source = public_directory / "hello.go"
    source.write_text('package main\n\nfunc main() { println("ran") }\n')
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "none", cache], check=True)
    try:
        if runner.user:
            os.chown(cache, runner.user.uid, runner.user.gid)
        cached_there = copy.copy(runner)
        cached_there.environment = {**runner.environment, "XDG_CACHE_HOME": str(cache)}
        for cached in (False, True):
            result = cached_there(source, "--json", timeout=400).result
            assert (result["verdict"], result["stderr"], result["compile"]["cached"]) == ("ok", "ran\n", cached), result
    finally:
        subprocess.run(["umount", cache], check=True)


# Attack: files of the program make a directory where what is built of it is to be, so that all of it is taken for that.
# Barrier: a program has nothing there.
def test_sources_are_not_taken_for_what_is_built(runner, public_directory):
    for name in (".cellblock-program", ".cellblock-classes"):
        project = public_directory / f"project{name}"
        (project / name).mkdir(parents=True)
        (project / "go.mod").write_text("module trap\n\ngo 1.21\n")
        (project / "main.go").write_text("package main\n\nfunc main() {}\n")
        (project / name / "other").write_text("#!/bin/sh\n")
        run = runner(project, timeout=60)
        assert run.status == 2 and name in run.stderr, run


# Attack: none; who starts it may start no threads.
# Barrier: that is a failure of the sandbox, and no status that could be the program's.
def test_without_threads_it_fails_as_a_sandbox(runner):
    limited = ["sh", "-c", 'ulimit -d 4000 && exec "$@"', "sh", str(runner.binary), "run", *PYTHON, "--code", "print('ran')"]
    options = {"user": runner.user.uid, "group": runner.user.gid, "extra_groups": []} if runner.user else {}
    done = subprocess.run(limited, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=runner.environment, **options)
    assert done.returncode == 125 and "thread" in done.stderr and "ran" not in done.stdout, done
