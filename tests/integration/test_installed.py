"""`cmake --install` puts everything where the binary finds it: a kernel runs from there, with nothing of the build."""

import struct
import subprocess

import pytest

from support.installation import ROOT, Installation

pytestmark = pytest.mark.cellblock_only


def has_loader(program):
    """A program header of the type PT_INTERP, see elf(5)."""
    data = program.read_bytes()
    assert data[:5] == b"\x7fELF\x02"
    start, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return any(struct.unpack_from("<I", data, start + i * size) == (3,) for i in range(count))


def test_a_kernel_runs_from_an_installed_prefix(installation, start_kernel, tmp_path):
    prefix = tmp_path / "prefix"
    done = subprocess.run(["cmake", "--install", ROOT / "build" / "release", "--prefix", prefix], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = Installation(prefix / "bin" / "cellblock", installation.python)
    assert {path.name for path in prefix.iterdir()} == {"bin", "lib", "libexec"}
    assert not list(prefix.rglob("__pycache__"))
    probes = {probe["name"]: probe for probe in installed.doctor()["probes"]}
    assert str(prefix / "lib" / "cellblock") in probes["installation"]["finding"]
    assert probes["jail by bubblewrap (namespaced)"]["status"] == "ok", "with the jail-init of this prefix"
    # Static: the view of a jail need not have a loader, or the libraries of the build.
    assert not has_loader(prefix / "libexec/cellblock/jail-init")
    assert "[limits]" in installed.run("profile", "--print", "strict").stdout
    kernel = start_kernel(installed.install(tmp_path / "kernels", "from-prefix"))
    assert str(prefix / "lib/cellblock/cellblock_worker") in kernel.run(
        "import sys; sys.modules['cellblock_worker.main'].__file__").result
