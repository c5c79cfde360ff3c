"""Fixtures of all suites. They find what ./test built and installed, and never build anything themselves."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from support.host import Canaries
from support.installation import ROOT, find_installation, read_spec
from support.kernel import Kernel


def pytest_addoption(parser):
    parser.addoption("--kernel", default="cellblock",
                     help="name of the kernelspec to test; `python3` holds the same conversations with ipykernel")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--kernel") == "cellblock":
        return
    left_out = [item for item in items if item.get_closest_marker("cellblock_only")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def kernel_name(request):
    return request.config.getoption("--kernel")


@pytest.fixture(scope="session")
def installation():
    return find_installation()


@pytest.fixture(scope="session")
def spec(kernel_name):
    """The kernelspec under test, as it is installed for people."""
    return read_spec(kernel_name)


@pytest.fixture(scope="session")
def artifacts():
    """Where pictures and reports for people are kept."""
    path = Path(os.environ.get("CELLBLOCK_ARTIFACTS", ROOT / "build" / "artifacts"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def public_directory():
    """A directory that every user can reach, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="cellblock-tests-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def canaries(public_directory):
    guard = Canaries(public_directory / "canaries")
    yield guard
    try:
        guard.check()
    finally:
        guard.close()


@pytest.fixture
def start_kernel(spec):
    """Starts kernels of the spec under test. At the end each must go without leaving anything."""
    with _kernels(spec) as start:
        yield start


@pytest.fixture(scope="module")
def shared_kernels(spec):
    with _kernels(spec) as start:
        yield start


@pytest.fixture
def kernel(shared_kernels):
    """A kernel that a module's tests share; a fresh one when the last test ended it."""
    return shared_kernels.current()


class _kernels:
    def __init__(self, spec):
        self.spec = spec
        self.started = []

    def __enter__(self):
        return self

    def __call__(self, spec=None, **options):
        spec = spec or self.spec
        options.setdefault("interrupt_mode", spec.interrupt_mode)
        options["env"] = {**spec.env, **options.get("env", {})}
        kernel = Kernel(spec.argv, **options)
        self.started.append(kernel)
        return kernel

    def current(self):
        for kernel in self.started:
            if kernel.process.poll() is None:
                return kernel
        return self()

    def __exit__(self, kind, error, trace):
        problems = []
        for kernel in reversed(self.started):
            try:
                # ipykernel is the reference for the protocol, not for tidiness.
                if self.spec.name == "python3":
                    kernel.discard()
                else:
                    kernel.close()
            except Exception as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
