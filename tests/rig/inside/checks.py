"""Runs in the rig: one kernel after the other, as the stage's user. Each test belongs to stages of one kind of host, which
tests/rig/test_rig.py chooses with -k."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import host
from support.kernel import Kernel
from support.patience import SLOW_HOST

SMALL = ("--memory=256MiB", "--processes=64")
HOARD = "hoard = []\nwhile True: hoard.append(bytearray(b'x') * (8 << 20))"
ANSWER_SECONDS = 60 * SLOW_HOST


@pytest.fixture
def start(installation, tmp_path):
    started = []

    def start(*kernel_args, **options):
        spec = installation.install(tmp_path, f"rig-{len(started)}", *kernel_args)
        started.append(Kernel(spec.argv, interrupt_mode=spec.interrupt_mode, env=bus(), **options))
        return started[-1]

    yield start
    for kernel in started:
        kernel.discard()


@pytest.fixture
def refusal(installation, tmp_path):
    """What a kernel says that does not start; nothing has been executed, and nothing is left of it."""

    def refusal(*kernel_args):
        spec = installation.install(tmp_path, "rig-refused", *kernel_args)
        # The environment's Python leaves a mark as it starts, unless it does in a jail, which has a /tmp of its own.
        mark = Path(f"/tmp/executed-{os.getuid()}")
        subprocess.run([installation.python, "-c", ""], check=True, timeout=ANSWER_SECONDS)
        mark.unlink()
        cgroups = host.all_cgroups()
        kernel = Kernel(spec.argv, interrupt_mode=spec.interrupt_mode, env=bus(), client=False)
        try:
            while (status := kernel.process.poll()) is None:
                kernel.family.look()
                assert time.monotonic() < kernel.started_at + ANSWER_SECONDS, kernel.stderr()
                time.sleep(0.05)
            assert status == 1, (status, kernel.stderr())
            assert not mark.exists(), "it was executed outside of a jail"
            assert kernel.leftovers() == []
            assert host.all_cgroups() <= cgroups
            return kernel.stderr()
        finally:
            kernel.discard()

    return refusal


def bus():
    """How systemd's user manager is reached: front ends hand it on."""
    return {name: os.environ[name] for name in ("DBUS_SESSION_BUS_ADDRESS",) if name in os.environ}


@pytest.fixture
def diagnosis(installation):
    """What doctor says: its report, and its probes by name. The exit status must agree."""
    done = installation.run("doctor", "--json", timeout=ANSWER_SECONDS)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["enforceable"] else 1), done
    return Diagnosis(report, {probe["name"]: probe for probe in report["probes"]})


@dataclass(frozen=True)
class Diagnosis:
    report: dict
    probes: dict

    def levels(self):
        return [level for level, can in self.report["levels"].items() if can]

    def remedy(self, name):
        assert self.probes[name]["status"] != "ok", self.probes[name]
        return self.probes[name]["remedy"]


class TestFullLevel:
    """cgroup version 2, divided by systemd: everything holds."""

    def test_doctor_promises_the_full_level(self, diagnosis):
        assert diagnosis.levels() == ["full", "namespaced"]
        missing = {name for name, probe in diagnosis.probes.items() if probe["status"] == "missing"}
        assert missing == {"jail by gVisor (full)"}, "Debian has all else"

    def test_a_cgroup_that_others_share_is_left(self, start):
        """Only a cgroup without processes of its own can be divided, and here the tests stand in it, too."""
        kernel = start()
        own = Path(f"/proc/{kernel.process.pid}/cgroup").read_text()
        assert own != Path("/proc/self/cgroup").read_text() and "cellblock-" in own, own

    def test_cells_run_and_keep_their_state(self, start):
        kernel = start()
        assert kernel.run("x = 20").status == "ok"
        assert kernel.run("x + 1").result == "21"
        kernel.shutdown()
        assert kernel.leftovers() == []

    def test_a_memory_bomb_ends_at_the_limit(self, start):
        kernel = start(*SMALL)
        cell = kernel.run(HOARD)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7").result == "42"


class TestFullLevelInDetail:
    def test_doctor_says_what_older_kernels_lack(self, diagnosis):
        linux = tuple(int(part) for part in os.uname().release.split(".")[:2])
        if linux < (6, 2):  # ABI 2
            assert "truncating" in diagnosis.probes["Landlock"]["finding"]
        if linux < (6, 6):
            assert "Linux 6.6" in diagnosis.remedy("directory that cells may write (cow, rw)")

    def test_a_bomb_of_files_in_memory_ends_at_the_limit(self, start):
        kernel = start(*SMALL)
        cell = kernel.run("import os\nfd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(8 << 20))")
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7").result == "42"

    def test_a_fork_bomb_finds_its_limit(self, start):
        kernel = start(*SMALL)
        cell = kernel.run("import os, errno\npids = []\ntry:\n"
                          "    while True:\n        pid = os.fork()\n"
                          "        if pid == 0:\n            import time; time.sleep(60); os._exit(0)\n"
                          "        pids.append(pid)\n"
                          "except OSError as e:\n    failed = e.errno == errno.EAGAIN\n"
                          "for pid in pids: os.kill(pid, 9)\n(failed, len(pids) < 64)")
        assert cell.result == "(True, True)", cell

    def test_cpu_time_is_limited(self, start):
        kernel = start("--cpus=0.5")
        kernel.run("import time")
        cell = kernel.run("b, c = time.monotonic(), time.process_time()\nwhile time.monotonic() < b + 4: pass\n"
                          "(time.process_time() - c) / (time.monotonic() - b) < 0.7")
        assert cell.result == "True", cell

    def test_the_wall_time_ends_a_cell(self, start):
        kernel = start("--wall-time=2s")
        # The first traceback imports what draws it, which takes longer here than the grace after an interrupt.
        assert kernel.run("kept = 1\n1 / 0").ename == "ZeroDivisionError"
        cell = kernel.run("while True: pass")
        assert cell.status == "error" and "2 s" in cell.error, cell
        assert kernel.run("kept").result == "1"

    def test_escape_shaped_calls_are_refused(self, start):
        kernel = start()
        cell = kernel.run("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                          "(libc.unshare(0x10000000), ctypes.get_errno(), libc.mount(0, 0, 0, 0, 0), ctypes.get_errno())")
        assert cell.result == "(-1, 1, -1, 1)", cell

    def test_bubblewrap_makes_a_jail_with_the_same_limits(self, start):
        kernel = start("--backend=bwrap", *SMALL)
        cell = kernel.run(HOARD)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7").result == "42"
        kernel.shutdown()
        assert kernel.leftovers() == []

    def test_what_a_cell_used_is_the_cgroups_word(self, start, tmp_path):
        kernel = start(f"--audit={tmp_path / 'audit'}")
        cell = kernel.run("import os\npid = os.fork()\nif pid == 0:\n    block = bytearray(b'x') * (100 << 20); os._exit(0)\n"
                          "os.waitpid(pid, 0)\nNone")
        told = cell.reply["metadata"]["cellblock"]
        assert told["memory_peak"] > 100 << 20 and told["cpu_us"] > 0, told
        # Since Linux 6.12 a peak can be restarted.
        restarted = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 12)
        assert told["memory_peak_of"] == ("cell" if restarted else "session"), told
        if os.geteuid() == 0:  # systemd does not hand the controller of I/O to users.
            assert told["io_read_bytes"] >= 0 and told["io_write_bytes"] >= 0, told


class TestNoUserNamespaces:
    """user.max_user_namespaces=0, which clone3 answers with "no space left on device"."""

    def test_the_kernel_says_what_to_do(self, refusal):
        said = refusal()
        assert "sudo sysctl user.max_user_namespaces=" in said

    def test_doctor_says_that_nothing_can_be_enforced(self, diagnosis):
        assert diagnosis.levels() == []
        assert "user.max_user_namespaces" in diagnosis.remedy("user namespaces")


class TestForbiddenUserNamespaces:
    """kernel.unprivileged_userns_clone=0, of Debian's kernels."""

    def test_the_kernel_says_what_to_do(self, refusal):
        assert "sudo sysctl kernel.unprivileged_userns_clone=1" in refusal()

    def test_doctor_says_that_nothing_can_be_enforced(self, diagnosis):
        assert diagnosis.levels() == []
        assert "kernel.unprivileged_userns_clone" in diagnosis.remedy("user namespaces")


class TestNoDelegation:
    """A user without systemd's user manager, as after sudo -u or su."""

    def test_the_full_level_is_refused(self, refusal):
        said = refusal()
        assert "login session of systemd" in said and "namespaced" in said, said

    def test_doctor_offers_the_weaker_level(self, diagnosis):
        assert diagnosis.levels() == ["namespaced"]
        assert "login session" in diagnosis.remedy("cgroups")

    def test_the_weaker_level_works_by_name(self, start):
        weaker_level_works(start)


class TestMaskedProc:
    """A container whose /proc is not complete: the kernel refuses a new one in it."""

    def test_the_kernel_says_what_to_do(self, refusal):
        assert "systempaths=unconfined" in refusal("--isolation=namespaced")

    def test_the_full_level_is_refused_before(self, refusal):
        assert "namespaced" in refusal()  # for the cgroups, which are read-only there

    def test_doctor_names_it(self, diagnosis):
        assert diagnosis.levels() == []
        assert "systempaths=unconfined" in diagnosis.remedy("process view")


class TestContainersRoot:
    """Root of a container, who lacks CAP_SYS_ADMIN."""

    @pytest.mark.parametrize("level", ("full", "namespaced"))
    def test_the_kernel_says_what_to_do(self, refusal, level):
        assert "ordinary user" in refusal(f"--isolation={level}")

    def test_doctor_names_it(self, diagnosis):
        assert diagnosis.levels() == []
        assert "ordinary user" in diagnosis.remedy("jail without hard limits (namespaced)")


class TestShownProc:
    """The same container as doctor wants it."""

    def test_doctor_offers_the_weaker_level(self, diagnosis):
        assert diagnosis.levels() == ["namespaced"]
        assert diagnosis.probes["process view"]["status"] == "ok"

    def test_the_weaker_level_works_by_name(self, start):
        weaker_level_works(start)


class TestForeignBus:
    """A container that is shown the bus of the host's systemd, which knows other processes by the numbers in here."""

    def test_systemd_is_not_asked_to_move_a_process(self, diagnosis):
        assert "other numbers than systemd knows" in diagnosis.probes["cgroups"]["finding"]


class TestContainersFilter:
    """A container's filter of system calls."""

    def test_the_kernel_says_what_to_do(self, refusal):
        assert "seccomp=unconfined" in refusal("--isolation=namespaced")

    def test_doctor_names_it(self, diagnosis):
        assert diagnosis.levels() == []
        assert "seccomp=unconfined" in diagnosis.remedy("user namespaces")


class TestNoPrivileges:
    """A security module that lets users make user namespaces, and do nothing in them."""

    def test_the_kernel_says_what_to_do(self, refusal):
        assert "denies capabilities inside user namespaces" in refusal("--isolation=namespaced")

    def test_doctor_names_it(self, diagnosis):
        assert diagnosis.levels() == []
        assert diagnosis.probes["user namespaces"]["status"] == "ok"
        assert "denies capabilities" in diagnosis.remedy("privileges in user namespaces")


class TestWatched:
    """Somebody supervises system calls already, and the kernel takes one supervisor only."""

    def test_the_kernel_says_what_to_do(self, refusal):
        assert "no room for another supervisor" in refusal()

    def test_doctor_names_it(self, diagnosis):
        assert diagnosis.levels() == []
        assert "no room for another supervisor" in diagnosis.remedy("system call filter")


class TestNoLandlock:
    def test_the_kernel_says_what_is_missing(self, refusal):
        assert "Landlock is not enabled" in refusal()

    def test_doctor_names_it(self, diagnosis):
        assert diagnosis.levels() == []
        assert "lsm=" in diagnosis.remedy("Landlock")

    def test_a_profile_can_do_without(self, start, tmp_path):
        (tmp_path / "without.toml").write_text('[isolation]\nlandlock = "optional"\n')
        kernel = start(f"--profile={tmp_path / 'without.toml'}", f"--audit={tmp_path / 'audit'}")
        assert kernel.run("6 * 7").result == "42"
        assert "no Landlock" in kernel.request("kernel_info_request").content["banner"]


class TestNoMemoryController:
    """cgroup_disable=memory"""

    def test_the_full_level_is_refused(self, refusal):
        said = refusal()
        assert "no cgroup controller 'memory'" in said and "cgroup_disable=memory" in said, said

    def test_doctor_offers_the_weaker_level(self, diagnosis):
        assert diagnosis.levels() == ["namespaced"]
        assert "cgroup_disable=memory" in diagnosis.remedy("cgroups")

    def test_the_weaker_level_works_by_name(self, start):
        weaker_level_works(start)


def weaker_level_works(start):
    kernel = start("--isolation=namespaced", *SMALL)
    assert kernel.run("6 * 7").result == "42"
    cell = kernel.run(HOARD)
    assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
    kernel.shutdown()
    assert kernel.leftovers() == []


class VersionOne:
    """The hierarchies of older systems, where nobody delegates."""

    @pytest.fixture(autouse=True)
    def the_host_is_of_this_kind(self):
        assert (host.CGROUP_ROOT / "memory").is_dir()
        assert (host.CGROUP_ROOT / "unified").is_dir() == self.BESIDE_VERSION_TWO

    def test_a_user_is_told_to_ask_for_cgroups(self, refusal):
        assert "cellblock delegate" in refusal()

    def test_doctor_offers_the_weaker_level_to_a_user_told_to_ask(self, diagnosis):
        assert diagnosis.levels() == ["namespaced"]
        assert "cellblock delegate" in diagnosis.remedy("cgroups")

    def test_hard_limits_hold(self, start):
        kernel = start(*SMALL)
        cell = kernel.run(HOARD)
        assert cell.ename in ("MemoryLimitExceeded", "MemoryError"), cell
        assert kernel.run("6 * 7").result == "42"
        kernel.shutdown()
        assert kernel.leftovers() == []


class TestHybrid(VersionOne):
    BESIDE_VERSION_TWO = True


class TestVersionOneAlone(VersionOne):
    BESIDE_VERSION_TWO = False
