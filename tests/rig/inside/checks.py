"""Runs in the rig: one kernel after the other, as the stage's user. Each test belongs to stages of one kind of host, which
tests/rig/test_rig.py chooses with -k."""

import os
import subprocess

import pytest
from jupyter_client.connect import write_connection_file

from support.kernel import Kernel

SMALL = ("--memory=256MiB", "--processes=64")
# Everything is emulated here, so a start takes seconds.
ANSWER_SECONDS = 60


@pytest.fixture
def start(installation, tmp_path):
    started = []

    def start(*kernel_args, **options):
        spec = installation.install(tmp_path, f"rig-{len(started)}", *kernel_args)
        # How systemd's user manager is reached: front ends hand it on.
        bus = {name: os.environ[name] for name in ("DBUS_SESSION_BUS_ADDRESS",) if name in os.environ}
        started.append(Kernel(spec.argv, interrupt_mode=spec.interrupt_mode, env=bus, **options))
        return started[-1]

    yield start
    for kernel in started:
        kernel.discard()


def refusal(installation, tmp_path, *kernel_args):
    """What a kernel says that does not start."""
    spec = installation.install(tmp_path, "rig-refused", *kernel_args)
    connection = tmp_path / "connection.json"
    write_connection_file(str(connection), key=b"k")
    argv = [part.replace("{connection_file}", str(connection)) for part in spec.argv]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    assert done.returncode == 1, (done.returncode, done.stderr)
    return done.stderr


class TestFull:
    """cgroup version 2, divided by systemd: everything holds."""

    def test_doctor_promises_the_full_level(self, installation):
        assert installation.doctor(timeout=ANSWER_SECONDS)["enforceable"] is True

    def test_cells_run_and_keep_their_state(self, start):
        kernel = start()
        assert kernel.run("x = 20", timeout=ANSWER_SECONDS).status == "ok"
        assert kernel.run("x + 1").result == "21"
        kernel.shutdown()
        assert kernel.leftovers() == []

    def test_a_memory_bomb_ends_at_the_limit(self, start):
        kernel = start(*SMALL)
        cell = kernel.run("hoard = []\nwhile True: hoard.append(bytearray(b'x') * (8 << 20))", timeout=ANSWER_SECONDS)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7", timeout=ANSWER_SECONDS).result == "42"

    def test_a_bomb_of_files_in_memory_ends_at_the_limit(self, start):
        kernel = start(*SMALL)
        cell = kernel.run("import os\nfd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(8 << 20))",
                          timeout=ANSWER_SECONDS)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7", timeout=ANSWER_SECONDS).result == "42"

    def test_a_fork_bomb_finds_its_limit(self, start):
        kernel = start(*SMALL)
        cell = kernel.run("import os, errno\npids = []\ntry:\n"
                          "    while True:\n        pid = os.fork()\n"
                          "        if pid == 0:\n            import time; time.sleep(60); os._exit(0)\n"
                          "        pids.append(pid)\n"
                          "except OSError as e:\n    failed = e.errno == errno.EAGAIN\n"
                          "for pid in pids: os.kill(pid, 9)\n(failed, len(pids) < 64)", timeout=ANSWER_SECONDS)
        assert cell.result == "(True, True)", cell

    def test_cpu_time_is_limited(self, start):
        kernel = start("--cpus=0.5")
        kernel.run("import time", timeout=ANSWER_SECONDS)
        cell = kernel.run("b, c = time.monotonic(), time.process_time()\nwhile time.monotonic() < b + 4: pass\n"
                          "(time.process_time() - c) / (time.monotonic() - b) < 0.7", timeout=ANSWER_SECONDS)
        assert cell.result == "True", cell

    def test_the_wall_time_ends_a_cell(self, start):
        kernel = start("--wall-time=2s")
        kernel.run("kept = 1", timeout=ANSWER_SECONDS)
        cell = kernel.run("while True: pass", timeout=ANSWER_SECONDS)
        assert cell.status == "error" and "2 s" in cell.error, cell
        assert kernel.run("kept", timeout=ANSWER_SECONDS).result == "1"

    def test_escape_shaped_calls_are_refused(self, start):
        kernel = start()
        cell = kernel.run("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                          "(libc.unshare(0x10000000), ctypes.get_errno(), libc.mount(0, 0, 0, 0, 0), ctypes.get_errno())",
                          timeout=ANSWER_SECONDS)
        assert cell.result == "(-1, 1, -1, 1)", cell


    def test_bubblewrap_makes_a_jail_with_the_same_limits(self, start):
        kernel = start("--backend=bwrap", *SMALL)
        cell = kernel.run("hoard = []\nwhile True: hoard.append(bytearray(b'x') * (8 << 20))", timeout=ANSWER_SECONDS)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7", timeout=ANSWER_SECONDS).result == "42"
        kernel.shutdown()
        assert kernel.leftovers() == []

    def test_what_a_cell_used_is_the_cgroups_word(self, start, tmp_path):
        kernel = start(f"--audit={tmp_path / 'audit'}")
        cell = kernel.run("import os\npid = os.fork()\nif pid == 0:\n    block = bytearray(b'x') * (100 << 20); os._exit(0)\n"
                          "os.waitpid(pid, 0)\nNone", timeout=ANSWER_SECONDS)
        told = cell.reply["metadata"]["cellblock"]
        assert told["memory_peak"] > 100 << 20 and told["cpu_us"] > 0, told
        # Since Linux 6.12 a peak can be restarted.
        restarted = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 12)
        assert told["memory_peak_of"] == ("cell" if restarted else "session"), told
        if os.geteuid() == 0:  # systemd does not hand the controller of I/O to users.
            assert told["io_read_bytes"] >= 0 and told["io_write_bytes"] >= 0, told


class TestNoUserNamespaces:
    def test_the_kernel_says_what_to_do(self, installation, tmp_path):
        assert "max_user_namespaces" in refusal(installation, tmp_path)

    def test_doctor_says_that_nothing_can_be_enforced(self, installation):
        assert not any(installation.doctor(timeout=ANSWER_SECONDS)["levels"].values())


class TestNoLandlock:
    def test_the_kernel_says_what_is_missing(self, installation, tmp_path):
        assert "Landlock" in refusal(installation, tmp_path)

    def test_doctor_names_it(self, installation):
        probes = {probe["name"]: probe for probe in installation.doctor(timeout=ANSWER_SECONDS)["probes"]}
        assert probes["Landlock"]["status"] != "ok" and probes["Landlock"]["remedy"]


class TestNoMemoryController:
    def test_the_full_level_is_refused(self, installation, tmp_path):
        assert "memory" in refusal(installation, tmp_path)

    def test_the_weaker_level_works_by_name(self, start):
        kernel = start("--isolation=namespaced", *SMALL)
        assert kernel.run("6 * 7", timeout=ANSWER_SECONDS).result == "42"
        cell = kernel.run("hoard = []\nwhile True: hoard.append(bytearray(b'x') * (8 << 20))", timeout=ANSWER_SECONDS)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell


class TestVersionOne:
    """The hierarchy of older systems, where nobody delegates."""

    def test_a_user_is_told_to_ask_for_cgroups(self, installation, tmp_path):
        assert "cellblock delegate" in refusal(installation, tmp_path)

    def test_hard_limits_hold(self, start):
        kernel = start(*SMALL)
        cell = kernel.run("hoard = []\nwhile True: hoard.append(bytearray(b'x') * (8 << 20))", timeout=ANSWER_SECONDS)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7", timeout=ANSWER_SECONDS).result == "42"
        kernel.shutdown()
        assert kernel.leftovers() == []
