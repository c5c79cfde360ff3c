"""What `cellblock run` promises at its edges: statuses, results, streams, times, signals, files. Each as root and as an
ordinary user. What each language can do is in test_languages.py."""

import json
import os
import signal
import subprocess
import time

import jsonschema
import psutil
import pytest

from support.runs import jails_of, wait_until
from support.installation import ROOT

SCHEMA = json.loads((ROOT / "docs" / "run-result.schema.json").read_text())
MIB = 1 << 20


def test_the_result_has_the_form_that_is_documented(runner):
    for code, arguments in (("print('ä')", []), ("1/0", []), ("import sys; sys.stdout.buffer.write(b'\\xff')", []),
                            ("import time; time.sleep(9)", ["--timeout", "300ms"]), ("import os; os.kill(os.getpid(), 6)", [])):
        result = runner.python(code, *arguments)
        jsonschema.validate(result, SCHEMA)
    jsonschema.validate(runner.json("--lang", "cobol", "--code", "x"), SCHEMA)
    # The six names that others rely on.
    assert {"stdout", "stderr", "exit_code", "execution_time", "memory_used", "success"} <= result.keys()


@pytest.mark.parametrize("code, arguments, verdict, status", [
    ("pass", [], "ok", 0),
    ("import sys; sys.exit(3)", [], "exit_nonzero", 3),
    ("raise ValueError", [], "exit_nonzero", 1),
    ("import os; os._exit(137)", [], "exit_nonzero", 137),
    ("import os; os.kill(os.getpid(), 11)", [], "signal", 139),
    ("import os; os.kill(os.getpid(), 9)", [], "signal", 137),
    ("import time; time.sleep(60)", ["--timeout", "300ms"], "timeout_wall", 124),
    ("while True: pass", ["--cpu-time", "200ms"], "timeout_cpu", 124),
    ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])", ["--cpu-time", "200ms"], "timeout_cpu",
     124),
    ("x = []\nwhile True: x.append(bytearray(1 << 20))", ["--memory", "64MiB"], "memory", 137),
    ("import subprocess, sys\nsys.exit(subprocess.run([sys.executable, '-c', 'x = []\\nwhile True: x.append(bytearray(1 << 20))'])"
     ".returncode and 1)", ["--memory", "64MiB"], "memory", 137),
    ("while True: print('x' * 1000)", ["--output-limit", "1MiB"], "output_limit", 153),
    # int 0x80, the 32-bit door into the kernel: mov eax, 20 (getpid); int 0x80; ret
    ("import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
     "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()", [], "denied", 159),
    ("open('x', 'wb').write(bytes(9 << 20))", ["--file-size", "8MiB"], "exit_nonzero", 1),
], ids=["ok", "exit", "exception", "exit-137", "crash", "kill-itself", "timeout", "cpu", "cpu-of-a-child", "memory",
        "memory-of-a-child", "output", "filter", "long-file"])
def test_how_it_ended_is_said_truly(runner, code, arguments, verdict, status):
    run = runner("--lang", "python", "--python", "/usr/bin/python3", "--code", code, "--json", *arguments)
    assert (run.result["verdict"], run.status, run.result["exit_code"]) == (verdict, status, status), run
    assert run.result["success"] == (verdict == "ok")
    said = runner("--lang", "python", "--python", "/usr/bin/python3", "--code", code, *arguments)
    assert said.status == status
    assert (f"cellblock run: {verdict}:" in said.stderr) == (verdict not in ("ok", "exit_nonzero")), said.stderr


def test_the_whole_tree_is_measured(runner):
    memory = runner.python("import subprocess, sys\n"
                           "code = 'x = bytearray(b\"x\") * (100 << 20); import time; time.sleep(1)'\n"
                           "for p in [subprocess.Popen([sys.executable, '-c', code]) for _ in range(4)]: p.wait()",
                           "--memory", "1GiB")
    assert 400 * MIB < memory["memory_used"] < 480 * MIB, memory
    assert 5 <= memory["processes_peak"] <= 8
    # Nobody waits for these, so that rusage does not see them.
    cpu = runner.python("import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif os.fork() == 0:\n"
                        "    while time.process_time() < 0.6: pass\n    os._exit(0)\n"
                        "while True:\n    try: os.wait()\n    except ChildProcessError: break", "--timeout", "60s")
    assert cpu["verdict"] == "ok" and cpu["cpu_time"] >= 0.6, cpu
    killed = runner.python("while True: pass", "--timeout", "700ms")
    assert killed["verdict"] == "timeout_wall" and killed["cpu_time"] > 0.01, killed
    tmpfs = runner.python("open('/tmp/x', 'wb').write(bytes(48 << 20))")
    assert tmpfs["memory_used"] > 48 * MIB and tmpfs["measured_by"] == "cgroup", tmpfs


def test_output_comes_while_it_runs_and_both_streams_apart(runner):
    process = runner.start("--lang", "python", "--python", "/usr/bin/python3", "--code",
                           "import sys, time\nprint('one', flush=True)\nprint('two', file=sys.stderr, flush=True)\ntime.sleep(60)")
    try:
        assert process.stdout.readline() == b"one\n"
        assert process.stderr.readline() == b"two\n"
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM


def test_events_and_then_the_result(runner):
    run = runner("--lang", "python", "--python", "/usr/bin/python3", "--code",
                 "import sys\nprint('ä' * 3, flush=True)\nsys.stderr.buffer.write(b'\\xff'); sys.stderr.flush()", "--json", "--stream")
    *events, result = map(json.loads, run.stdout.splitlines())
    text = "".join(event["text"] for event in events if event["stream"] == "stdout")
    assert text == "äää\n" == result["stdout"]
    assert [event["text"] for event in events if event["stream"] == "stderr"] == ["/w=="] == [result["stderr"]]
    assert result["stderr_encoding"] == "base64"


def test_partial_output_is_kept_and_cut_output_is_counted(runner):
    late = runner.python("print('half', flush=True)\nimport time; time.sleep(60)", "--timeout", "1s")
    assert late["stdout"] == "half\n" and not late["stdout_truncated"]
    flood = runner.python("import sys\nwhile True: sys.stderr.write('y' * 4096)", "--output-limit", "1MiB")
    assert len(flood["stderr"]) == MIB and flood["stderr_truncated"] and flood["stderr_bytes"] > MIB


def test_standard_input_is_passed_on_and_never_waited_for(runner):
    assert runner.python("print(input()[::-1])", stdin=b"abc\n")["stdout"] == "cba\n"
    big = b"x" * (3 * MIB)
    assert runner.python("import sys; print(len(sys.stdin.buffer.read()))", stdin=big)["stdout"] == f"{len(big)}\n"
    # A pipe that nobody closes neither keeps it nor stops its clock.
    for code, arguments, status in (("print(1)", [], 0), ("input()", ["--timeout", "500ms"], 124)):
        reader, writer = os.pipe()
        process = runner.start("--lang", "python", "--python", "/usr/bin/python3", "--code", code, *arguments, stdin=reader)
        assert process.wait(30) == status
        process.communicate()
        os.close(reader)
        os.close(writer)
    # Nor does a program that reads nothing of much.
    assert runner.python("print(1)", stdin=big)["verdict"] == "ok"


def test_who_reads_slowly_does_not_stop_the_clock(runner):
    process = runner.start("--lang", "python", "--python", "/usr/bin/python3", "--code", "while True: print('x' * 5000)", "--timeout",
                           "1s")
    time.sleep(2.5)
    wait_until(lambda: not jails_of(process))
    process.communicate()
    assert process.returncode == 124


def test_files_arguments_and_variables(runner, public_directory):
    (public_directory / "in.txt").write_text("from the file")
    result = runner.python("import os, sys\nprint(sys.argv[1:], os.environ['WORD'], sys.stdin.read(), 'SECRET' in os.environ)",
                           "--arg", "one", "--arg=--two", "--env", "WORD=x y", "--stdin", public_directory / "in.txt")
    assert result["stdout"] == "['one', '--two'] x y from the file False\n"


def test_volumes(runner, public_directory):
    data = public_directory / "data"
    data.mkdir()
    (data / "in").write_text("in")
    if runner.user:
        os.chown(data, runner.user.uid, runner.user.gid)
    code = ("import errno\nprint(open('/data/in').read())\ntry:\n    open('/data/out', 'w').write('out')\n"
            "except OSError as error:\n    print(errno.errorcode[error.errno])")
    assert runner.python(code, "--volume", f"{data}:/data")["stdout"] == "in\nEROFS\n"
    assert not (data / "out").exists()
    assert runner.python(code, "--volume", f"{data}:/data:rw")["stdout"] == "in\n"
    assert (data / "out").read_text() == "out"
    assert (data / "out").stat().st_uid == data.stat().st_uid


@pytest.mark.parametrize("volume", ["/:/data", "/etc/shadow:/data", "/root:/data", "/home:/data:rw", "/proc:/data", "data:/data",
                                    "/usr:/data:rw", "{}:/usr/x", "{}:/", "{}:/tmp/../etc", "{}:relative", "{}:/home", "{}", ":/x",
                                    "{}/link:/x:rw"])
def test_volumes_that_escape_are_refused(runner, public_directory, volume):
    (public_directory / "link").symlink_to("/")
    run = runner("--lang", "python", "--code", "print('ran')", "--volume", volume.format(public_directory))
    if volume.startswith("/etc/shadow"):  # a file that has been named; who runs it may read it or not
        assert run.status in (0, 125)
        return
    assert run.status == 2 and "ran" not in run.stdout and "cellblock run: " in run.stderr, run


def test_what_cellblock_relies_on_is_no_volume(runner, public_directory):
    assert runner.python("1")["verdict"] == "ok"
    log = public_directory / "log"
    log.mkdir()
    if runner.user:
        os.chown(log, runner.user.uid, runner.user.gid)
    cache = runner.environment["XDG_CACHE_HOME"]
    for source, arguments in ((cache, []), (f"{cache}/cellblock", []), (log, ["--audit", log]), (public_directory, ["--audit", log])):
        for access in ("ro", "rw"):
            run = runner("--lang", "python", "--code", "1", "--volume", f"{source}:/x:{access}", *arguments)
            assert run.status == 2 and "lies there" in run.stderr, run


def test_workspaces(runner):
    assert runner.python("open('kept', 'w').write('yes')", "--workspace", "mine")["verdict"] == "ok"
    assert runner.python("print(open('/workspace/kept').read())", "--workspace", "mine")["stdout"] == "yes\n"
    assert runner.python("import os; print(os.listdir('.'))", "--workspace", "other")["stdout"] == "[]\n"
    assert {"mine", "other"} <= set(runner("--list-workspaces").stdout.split())
    for name in ("mine", "other"):
        assert runner("--remove-workspace", name).status == 0
    assert runner("--remove-workspace", "mine").status == 1
    for name in ("../x", "", ".hidden", "a/b"):
        assert runner("--lang", "python", "--code", "1", f"--workspace={name}").status == 2, name


def test_results_are_kept_only_when_asked_and_only_of_the_same(runner, public_directory):
    code = "import time; print(time.time_ns())"
    assert runner.python(code)["stdout"] != runner.python(code)["stdout"]
    first, second = runner.python(code, "--cache"), runner.python(code, "--cache")
    assert (first["cached"], second["cached"]) == (False, True) and first["stdout"] == second["stdout"]
    for other in (["--arg", "x"], ["--env", "A=1"], ["--memory", "128MiB"], ["--timeout", "5s"], ["--workdir", "/tmp"]):
        assert runner.python(code, "--cache", *other)["stdout"] != first["stdout"], other
    # The same files, but lines are told as those of a template's value.
    runner.python("1\n\n1/0\n", "--cache")
    (public_directory / "t.py").write_text("1\n\n{{code}}\n")
    assert '"code", line 1' in runner.python("1/0", "--cache", "--template", public_directory / "t.py")["stderr"]
    failing = "import sys, time; print(time.time_ns()); sys.exit(3)"
    assert runner.python(failing, "--cache")["stdout"] == runner.python(failing, "--cache")["stdout"]
    stopped = "import time; print(time.time_ns(), flush=True); time.sleep(9)"
    results = [runner.python(stopped, "--cache", "--timeout", "1s")["stdout"] for _ in range(2)]
    assert results[0] != results[1]


@pytest.mark.parametrize("arguments", [
    ["--lang", "cobol", "--code", "x"], ["--code", "print(1)"], ["--lang", "python", "--code", ""], ["absent.py"], ["/"],
    ["--lang", "python", "--code", "1", "--file", "x.py"], ["--lang", "python"], [],
    ["--lang", "python", "--code", "1", "--memory", "1KiB"], ["--lang", "python", "--code", "1", "--memory", "2"],
    ["--lang", "python", "--code", "1", "--timeout", "-1s"], ["--lang", "python", "--code", "1", "--procs", "0"],
    ["--lang", "python", "--code", "1", "--json", "--text"], ["--lang", "python", "--code", "1", "--stream"],
    ["--lang", "python", "--code", "1", "--env", "=x"], ["--lang", "python", "--code", "1", "--stdin", "/absent"],
    ["--lang", "python", "--code", "1", "--python", "/absent/python"], ["--lang", "python", "--code", "1", "--nonsense"],
    ["--lang", "python", "--code", "1", "--cache", "--network", "localhost"],
    ["--lang", "python", "--code", "1", "--network", "allow", "--allow-dns", "10.0.0.1"],
    ["--lang", "python", "--code", "1", "--network", "allow", "--allow-dns", "*"],
    ["--lang", "python", "--code", "1", "--network", "localhost", "--allow-dns", "example.org"],
    ["--lang", "python", "--code", "1", "--workdir", "relative"], ["--lang", "python", "--code", "1", "--set", "A=1"],
], ids=lambda arguments: " ".join(arguments) or "nothing")
def test_what_cannot_be_meant_is_refused_with_a_sentence(runner, arguments):
    run = runner(*arguments)
    assert run.status == 2 and "cellblock run: " in run.stderr and not run.stdout, run


def test_names_without_a_network_are_refused(runner):
    run = runner("--lang", "python", "--code", "1", "--allow-dns", "example.org")
    assert run.status == 2 and not run.stdout
    assert run.stderr == "cellblock run: reach the names of --allow-dns: the program's network is none. Say --network allow, too.\n"


def test_a_gigabyte_of_code_is_not_read(runner):
    process = runner.start("--lang", "python", "-", stdin=subprocess.PIPE)
    block = b"#" * MIB
    with pytest.raises(BrokenPipeError):
        for _ in range(1024):
            process.stdin.write(block)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE or process.wait(20) == 2
    process.stdin = None
    _, err = process.communicate()
    assert process.returncode == 2 and b"64.0 MiB" in err


def test_a_host_without_a_jail_runs_nothing(runner):
    run = runner("--lang", "python", "--code", "print('ran')", "--backend", "bwrap", "--network", "none", "--json")
    assert run.status == 125 and run.result["verdict"] == "internal" and run.result["stdout"] == "", run
    assert "bwrap" in run.result["explanation"]


def test_what_cannot_be_executed_is_told_apart(runner):
    run = runner("--lang", "python", "--code", "print('ran')", "--workdir", "/absent", "--json")
    assert (run.status, run.result["verdict"], run.result["stdout"]) == (127, "internal", "") and "/absent" in run.result["explanation"], run


def test_what_must_not_be_executed_is_told_apart_from_what_is_not_there(runner, public_directory):
    closed = public_directory / "closed"
    closed.mkdir(mode=0)
    if runner.user:
        os.chown(closed, runner.user.uid, runner.user.gid)
    run = runner("--lang", "python", "--code", "print('ran')", "--volume", f"{public_directory}:/data", "--workdir", "/data/closed", "--json")
    assert (run.status, run.result["verdict"], run.result["stdout"]) == (126, "internal", ""), run
    assert "/data/closed in the jail: Permission denied (EACCES)" in run.result["explanation"]


def test_a_link_is_followed_when_it_is_named_and_not_out_of_a_project(runner, public_directory):
    secret = public_directory / "secret.py"
    secret.write_text("print('secret')")
    project = public_directory / "project"
    project.mkdir()
    (project / "main.py").write_text("import helper")
    (project / "helper.py").symlink_to(secret)
    run = runner(project, "--json")
    assert run.status == 2 and "secret')" not in run.stdout + run.stderr, run
    assert "helper.py leads out of the program's directory" in run.result["explanation"]
    named = runner.json(project / "helper.py", "--python", "/usr/bin/python3")
    assert (named["stdout"], named["verdict"]) == ("secret\n", "ok")


def test_a_terminal_is_not_steered(runner):
    ours, theirs = os.openpty()
    process = runner.start("--lang", "python", "--python", "/usr/bin/python3", "--code",
                           "print('\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07\\x1b[2J', flush=True)", stdout=theirs)
    os.close(theirs)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert os.read(ours, 4096) == b"\x1b[31mred\x1b[0m\\x1b]0;title\\x07\\x1b[2J\r\n\x1b[0m"
    os.close(ours)


class TestSignals:
    # In steps: a signal between Python's last look and a wait in C has no effect before the wait is over.
    CODE = "import time\ntry:\n    print('ready', flush=True)\n    while True: time.sleep(0.05)\nexcept KeyboardInterrupt:\n    print('interrupted')"
    DEAF = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True: time.sleep(1)"

    def start(self, runner, code, *arguments):
        process = runner.start("--lang", "python", "--python", "/usr/bin/python3", "--code", code, "--timeout", "60s", *arguments)
        assert process.stdout.readline() == b"ready\n"
        return process

    def test_the_first_interrupt_is_the_programs(self, runner):
        process = self.start(runner, self.CODE)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        assert out == b"interrupted\n" and process.returncode == 128 + signal.SIGINT

    def test_a_program_that_does_not_listen_is_ended_after_the_grace(self, runner):
        process = self.start(runner, self.DEAF)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 128 + signal.SIGINT

    def test_the_second_interrupt_ends_it_at_once(self, runner):
        process = self.start(runner, self.DEAF)
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert time.monotonic() - began < 1.5 and process.returncode == 128 + signal.SIGINT

    def test_termination_and_death_leave_nothing(self, runner):
        for number, status in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP), (signal.SIGKILL, -9)):
            process = self.start(runner, self.DEAF)
            (first,) = jails_of(process)
            processes = [psutil.Process(first), *psutil.Process(first).children(recursive=True)]
            process.send_signal(number)
            process.communicate(timeout=20)
            assert process.returncode == status
            _, alive = psutil.wait_procs(processes, timeout=5)
            assert not alive
        # The next run removes what a killed one could not: its cgroups.
        assert runner.python("pass")["verdict"] == "ok"


def test_a_graceful_end_at_the_timeout(runner):
    code = ("import signal, sys, time\ndef stop(*_):\n    print('saved', flush=True)\n    sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, stop)\ntime.sleep(60)")
    assert runner.python(code, "--timeout", "1s", "--grace", "5s")["stdout"] == "saved\n"
    deaf = runner.python("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)",
                         "--timeout", "500ms", "--grace", "500ms")
    assert deaf["verdict"] == "timeout_wall" and 1.0 <= deaf["wall_time"], deaf


def test_every_run_has_its_records(runner, public_directory):
    log = public_directory / "log"
    log.mkdir()
    if runner.user:
        os.chown(log, runner.user.uid, runner.user.gid)
    result = runner.python("print(1)", "--audit", log)
    records = [json.loads(line) for line in (log / "audit-00000001.jsonl").read_text().splitlines()]
    start, end = [record for record in records if record["type"] in ("run_start", "run_end")]
    assert (start["type"], start["run"]) == ("run_start", end["run"])
    assert end["verdict"] == "ok" and end["hash"] == result["audit_record"] and end["stdout_bytes"] == 2
    schema = json.loads((ROOT / "docs" / "audit-log.schema.json").read_text())
    for record in records:
        jsonschema.validate(record, schema)
    shown = runner.cellblock("audit", "show", "--type", "run_start", "--path", log)
    assert "language=python entry=main.py" in shown.stdout, shown


def test_without_its_record_nothing_runs(runner, public_directory):
    file = public_directory / "no-directory"
    file.write_text("")
    run = runner("--lang", "python", "--code", "print('ran')", "--audit", file, "--json")
    assert run.status == 125 and run.result["verdict"] == "internal" and run.result["stdout"] == "", run


def test_names_that_are_not_allowed_are_told(runner):
    code = ("import socket\nfor name in ('other.example', 'allowed.example'):\n    try: print(socket.gethostbyname(name))\n"
            "    except OSError: print('no')\ntry: socket.create_connection(('198.18.77.77', 443), 2)\nexcept OSError as e: print(e.errno)")
    arguments = ["--lang", "python", "--python", "/usr/bin/python3", "--network", "allow", "--allow-dns", "allowed.example", "--code", code]
    said = runner(*arguments)
    refused, allowed, _ = said.stdout.splitlines()
    assert refused == "no" and allowed.startswith("198.18."), said
    assert "network: other.example: no --allow-dns names it" in said.stderr
    events = runner.json(*arguments)["network_events"]
    assert [(event["event"], event["host"]) for event in events] == [("unknown_name", "other.example")]


def test_names_that_are_made_up_hide_no_connection(runner):
    code = ("import socket, time\nfor i in range(100):\n    try: socket.gethostbyname(f'{i}.other.example')\n    except OSError: pass\n"
            "    if i % 50 == 49: time.sleep(0.7)\ntry: socket.create_connection(('allowed.example', 443), 2)\nexcept OSError: pass")
    run = runner("--lang", "python", "--python", "/usr/bin/python3", "--network", "allow", "--allow-dns", "allowed.example", "--code", code, "--json")
    events = run.result["network_events"]
    assert sum(event["count"] for event in events if event["event"] == "unknown_name") == 100
    assert [(event["host"], event["port"]) for event in events if event["event"] == "refused"] == [("allowed.example", 443)]


def test_without_a_network_there_is_none(runner):
    code = ("import socket\nfor address in (('1.1.1.1', 80), ('127.0.0.1', 1)):\n    try: socket.create_connection(address, 2)\n"
            "    except OSError as error: print(error.errno)")
    import errno
    none, localhost = (runner.python(code, *arguments)["stdout"].split() for arguments in ([], ["--network", "localhost"]))
    assert none == [str(errno.ENETUNREACH)] * 2
    assert localhost == [str(errno.ENETUNREACH), str(errno.ECONNREFUSED)]
