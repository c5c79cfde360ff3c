"""The built Cellblock as the tests find it: binary, environment, kernelspecs. Nothing is built here."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

ROOT = Path(__file__).resolve().parents[2]
BUILT_BINARY = ROOT / "build" / "release" / "bin" / "cellblock"


@dataclass(frozen=True)
class Spec:
    """What a kernelspec says about starting its kernel."""

    name: str
    argv: tuple
    env: dict
    interrupt_mode: str
    directory: Path


def read_spec(name, directories=None):
    manager = KernelSpecManager(kernel_dirs=[str(d) for d in directories]) if directories else KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        raise LookupError(f"there is no kernelspec {name!r} in {manager.kernel_dirs}; ./test installs it") from None
    # As the KernelManager of jupyter_client does, which starts "python" of the environment that it runs in.
    argv = [sys.executable if part in ("python", "python3") and i == 0 else part
            for i, part in enumerate(spec.argv)]
    return Spec(name, tuple(argv), dict(spec.env), spec.interrupt_mode, Path(spec.resource_dir))


class Installation:
    """A binary with its library directory, and a Python environment that kernels run."""

    def __init__(self, binary, python):
        self.binary = Path(binary)
        self.python = Path(python)

    def run(self, *arguments, **options):
        """Calls the `cellblock` command; the caller looks at the exit status."""
        return subprocess.run([self.binary, *arguments], capture_output=True, text=True,
                              timeout=options.pop("timeout", 60), **options)

    def delegate_to(self, user):
        """Gives an ordinary user cgroups, where an administrator has to (version 1), until the next boot."""
        given = self.run("delegate", user.name)
        assert given.returncode == 0, given.stdout + given.stderr

    def install(self, prefix, name, *kernel_args, display_name=None):
        """Installs a kernelspec below `prefix` and reads it back as a front end would."""
        done = self.run("install", "--python", str(self.python), "--prefix", str(prefix), "--name", name,
                        *(["--display-name", display_name] if display_name else []),
                        *[f"--kernel-arg={a}" for a in kernel_args])
        assert done.returncode == 0, f"cellblock install failed: {done.stdout}{done.stderr}"
        return read_spec(name, [Path(prefix) / "share" / "jupyter" / "kernels"])

    def copy_to(self, directory):
        """A copy at a place that other users can reach."""
        directory = Path(directory)
        build = self.binary.parent.parent
        (directory / "bin").mkdir()
        shutil.copy2(self.binary, directory / "bin" / self.binary.name)
        for part in ("lib", "libexec"):
            shutil.copytree(build / part, directory / part)
        environment = Path(sys.prefix)
        shutil.copytree(environment, directory / "venv", symlinks=True)
        return Installation(directory / "bin" / self.binary.name,
                            directory / "venv" / self.python.relative_to(environment))

    def doctor(self, **options):
        done = self.run("doctor", "--json", **options)
        return json.loads(done.stdout)


def find_installation():
    binary = Path(os.environ.get("CELLBLOCK_BINARY", BUILT_BINARY))
    if not os.access(binary, os.X_OK):
        raise LookupError(f"{binary} is missing: build it with `cmake --preset release && "
                          "cmake --build --preset release`, or run ./test, which does so")
    return Installation(binary, Path(sys.prefix) / "bin" / "python")
