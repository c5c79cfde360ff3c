"""A host with systemd and cgroup version 2 under QEMU: its image, and one boot for many stages."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD_SECONDS = 600
DISK_SECONDS = 300  # to make one from a directory, or read it
BOOT_SECONDS = 180  # beside what the stages may take


@dataclass(frozen=True)
class Stage:
    """One command in the rig. `setup` runs before it, as root. `user`: root, tester (in a login session) or tester-alone."""

    name: str
    user: str
    command: str
    setup: str = "true"
    seconds: int = 400


@dataclass(frozen=True)
class Outcome:
    status: str  # the exit status, or a sentence
    log: str

    @property
    def passed(self):
        return self.status == "0"


def missing_programs():
    return [name for name in ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "debugfs", "cpio")
            if shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin") is None]


class Machine:
    def __init__(self, directory, release="bookworm"):
        self.image = Path(directory) / release
        self.release = release

    def ensure_image(self):
        """Made once, and again when its recipe changes."""
        recipe = "".join(path.read_text() for path in sorted([HERE / "build_image.sh", *(HERE / "image").iterdir()]))
        stamp = self.image / "recipe"
        if stamp.exists() and stamp.read_text() == recipe:
            return
        shutil.rmtree(self.image, ignore_errors=True)
        made = subprocess.run([HERE / "build_image.sh", self.release, self.image], capture_output=True, text=True,
                              timeout=BUILD_SECONDS)
        assert made.returncode == 0, f"the rig's image could not be made:\n{made.stdout}{made.stderr}"
        stamp.write_text(recipe)

    def boot(self, bundle, stages, kernel_arguments=""):
        """Boots once, runs the stages; their outcomes by name. `bundle` is a directory, which becomes /host."""
        with tempfile.TemporaryDirectory(prefix="cellblock-rig-") as work:
            work = Path(work)
            (bundle / "rig").mkdir(exist_ok=True)
            shutil.copy(HERE / "inside" / "run_stages.py", bundle / "rig")
            (bundle / "rig" / "stages.json").write_text(json.dumps([asdict(stage) for stage in stages]))
            disk = work / "host.ext4"
            subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", bundle, disk, "512M"],
                           check=True, timeout=DISK_SECONDS)
            console = self._run(disk, kernel_arguments, BOOT_SECONDS + sum(stage.seconds for stage in stages))
            subprocess.run(["/sbin/debugfs", "-R", f"rdump /out {work}", disk], capture_output=True, timeout=DISK_SECONDS)
            return {stage.name: _outcome(work / "out", stage.name, console) for stage in stages}

    def _run(self, disk, kernel_arguments, seconds):
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-m", "1500M", "-smp", "2",
                   "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                   "-drive", f"file={self.image}/root.ext4,if=virtio,format=raw,readonly=on",
                   "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
                   "-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd.gz",
                   # The check of the timer gives up on emulators that get little time from a busy host.
                   "-append", "console=ttyS0 quiet panic=-1 systemd.show_status=0 mitigations=off no_timer_check "
                   + kernel_arguments]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=seconds)
            return done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            return (late.stdout or b"").decode(errors="replace") + f"\nstopped after {seconds} s"


def _outcome(out, name, console):
    status, log = out / f"{name}.status", out / f"{name}.log"
    if not status.exists():
        return Outcome("it never ended", (log.read_text(errors="replace") if log.exists() else "") + console[-3000:])
    return Outcome(status.read_text().strip(), log.read_text(errors="replace") if log.exists() else "")
