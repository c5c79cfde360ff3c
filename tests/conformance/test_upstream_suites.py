"""The test suites of ipykernel and nbclient, held against this kernel by the name that they start: `python3`.

They come from the source distributions of the versions that requirements.txt pins, into build/upstream. Of ipykernel's
files those are taken that speak with a kernel over the wire; the others test its modules. With `--kernel python3` they run
against ipykernel itself, where all must pass. What does not pass here is in the table below, for one of two reasons: the test
asks for ipykernel itself and not for a kernel (OF_IPYKERNEL), or Cellblock does on purpose something else.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from junit import read

from support.installation import ROOT

EXTRAS = Path(__file__).with_name("upstream-requirements.txt")
CACHE = ROOT / "build" / "upstream"
OPTIONS = ("-o", "addopts=", "-o", "asyncio_default_fixture_loop_scope=function", "-W", "default", "-p", "no:cacheprovider")
IPYKERNEL_OPTIONS = ("-o", "asyncio_mode=auto", "-o", "timeout=30")

OF_IPYKERNEL = "implementation_version is to be that of the package ipykernel, which this kernel does not claim to be"
OWN_CELL = "a thread's text goes to the cell that started the thread, where ipykernel takes the newest cell"
SURVIVES = "the Python process ends, not the kernel: the cell gets an error that says why (nbclient raises CellExecutionError, " \
           "and not DeadKernelError), and the next one runs"
NOT_LIVE = "cells wait for files that others write meanwhile; what kernels write beside notebooks is carried over when a cell ends, " \
           "and others see it from their next cell on"


@dataclass(frozen=True)
class File:
    package: str
    name: str
    tests: int  # without those that upstream skips on this platform; a new version must not lose any unseen
    skipped: int = 0
    writes: bool = False  # its cells write files that the test reads: the kernel is one with --notebook-dir=rw
    # Tests that do not pass here on purpose → why. That they still do not pass is tested too.
    differ: dict = field(default_factory=dict)

    def __str__(self):
        return f"{self.package}/{self.name}"


FILES = (
    File("ipykernel", "test_message_spec.py", 24, differ={
        "test_kernel_info_request": OF_IPYKERNEL,
    }),
    File("ipykernel", "test_kernel.py", 30, skipped=5, writes=True, differ={
        "test_print_to_correct_cell_from_thread[thread-local]": OWN_CELL,
        "test_print_to_correct_cell_from_thread[none]": OWN_CELL,
    }),
    File("ipykernel", "test_subshells.py", 23),
    File("ipykernel", "test_async.py", 2, skipped=1),
    File("ipykernel", "test_debugger.py", 12),
    File("nbclient", "test_client.py", 90, differ={
        "test_async_parallel_notebooks": NOT_LIVE,
        "TestExecute::test_kernel_death_during_execution": SURVIVES,
        "TestExecute::test_error_notebook_hook": SURVIVES,
    }),
)


def _pip(*arguments):
    done = subprocess.run([sys.executable, "-m", "pip", *arguments, "--no-deps", "--quiet", "--disable-pip-version-check"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"pip {' '.join(arguments)}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def upstream():
    """The directory with the unpacked sources and, in `extra`, what their tests import."""
    packages = sorted({file.package for file in FILES})
    pins = [f"{package}=={importlib.metadata.version(package)}" for package in packages]
    key = hashlib.sha256("\n".join([sys.version, *pins, EXTRAS.read_text()]).encode()).hexdigest()[:16]
    directory = CACHE / key
    if not directory.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as building:
            _pip("download", "--no-binary", ",".join(packages), "--dest", building, *pins)
            for archive in Path(building).glob("*.tar.gz"):
                shutil.unpack_archive(archive, building)
            for package in packages:
                Path(building, pins[packages.index(package)].replace("==", "-")).rename(Path(building, package))
            _pip("install", "--target", str(Path(building, "extra")), "--requirement", str(EXTRAS))
            shutil.copytree(building, directory.with_suffix(".new"))
        directory.with_suffix(".new").rename(directory)
    return directory


@pytest.fixture
def environment(file, upstream, spec, kernel_name, tmp_path):
    """Where `python3` is the kernel under test."""
    installed = tmp_path / "kernels" / "python3"
    shutil.copytree(spec.directory, installed)
    mine = {}
    if file.writes and kernel_name == "cellblock":
        kernel = json.loads((installed / "kernel.json").read_text())
        kernel["argv"].append("--notebook-dir=rw")
        (installed / "kernel.json").write_text(json.dumps(kernel))
        mine["TMPDIR"] = str(upstream / file.package / "temporary")  # in the notebook's directory
        os.makedirs(mine["TMPDIR"], exist_ok=True)
    # A test of ipykernel's takes it that IPython has been used before.
    (tmp_path / "ipython" / "profile_default").mkdir(parents=True)
    # Kernels that these tests kill leave what their cells have changed.
    mine |= {"PYTHONPATH": str(upstream / "extra"), "JUPYTER_PATH": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython"),
             "XDG_STATE_HOME": str(tmp_path / "state"),
             "PATH": os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]])}
    return {**{name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}, **mine}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES, ids=str)
def test_upstream(file, upstream, environment, kernel_name, tmp_path):
    report_file = tmp_path / "report.xml"
    options = (*OPTIONS, *(IPYKERNEL_OPTIONS if file.package == "ipykernel" else ()))
    done = subprocess.run([sys.executable, "-m", "pytest", f"tests/{file.name}", *options, f"--junitxml={report_file}"],
                          cwd=upstream / file.package, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=550)
    report = read(report_file)
    module = "tests." + file.name.removesuffix(".py")

    def short(names):
        return {name.removeprefix(module).lstrip(".:") for name in names}

    failed, passed = short(report.failed), short(report.names_passed)
    differ = set(file.differ) if kernel_name == "cellblock" else set()
    assert failed <= differ, f"{sorted(failed - differ)} failed:\n{done.stdout[-30_000:]}"
    assert differ <= failed, f"{sorted(differ - failed)} passed or is gone, although the table says that it differs"
    assert (len(passed) + len(failed), len(report.skipped)) == (file.tests, file.skipped), done.stdout[-3_000:]
