"""`cellblock run` as tests call it: a directory of its own for what is kept, and the JSON result."""

import json
import os
import subprocess
import time
from dataclasses import dataclass

from support import host


#: A program of this language, with an interpreter that every user can reach.
PYTHON = ("--lang", "python", "--python", "/usr/bin/python3")


@dataclass
class Run:
    status: int
    stdout: str
    stderr: str

    @property
    def result(self):
        return json.loads(self.stdout.splitlines()[-1])


class Runner:
    """Runs programs as `user` (None: as whoever we are); whatever is kept is below `directory`."""

    def __init__(self, binary, directory, user=None):
        self.binary = binary
        self.user = user
        self.environment = {**os.environ, "HOME": str(directory), "XDG_CACHE_HOME": str(directory / "cache"),
                            "XDG_DATA_HOME": str(directory / "data"), "XDG_STATE_HOME": str(directory / "state"),
                            "XDG_CONFIG_HOME": str(directory / "config")}

    def _options(self):
        options = {"env": self.environment}
        if self.user:
            options |= {"user": self.user.uid, "group": self.user.gid, "extra_groups": []}
        return options

    def __call__(self, *arguments, stdin=b"", timeout=90, cwd=None, **options):
        done = subprocess.run([self.binary, "run", *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
                              cwd=cwd, **self._options(), **options)
        return Run(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def cellblock(self, *arguments):
        """Another command."""
        done = subprocess.run([self.binary, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, text=True,
                              errors="replace", **self._options())
        return Run(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments, **options):
        run = self(*arguments, "--json", **options)
        assert run.stdout, run.stderr
        return run.result

    def python(self, code, *arguments, **options):
        return self.json(*PYTHON, "--code", code, *arguments, **options)

    def start(self, *arguments, **options):
        """One that goes on while the test does something."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([self.binary, "run", *map(str, arguments)], **{**streams, **self._options(), **options})


def jails_of(process):
    """First processes of the jails that a process of ours has made."""
    import psutil
    return [child.pid for child in psutil.Process(process.pid).children() if host.is_first_of_namespace(child.pid)]


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
